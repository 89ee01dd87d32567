"use strict";

const { createHash, randomBytes } = require("node:crypto");

const grpc = require("@grpc/grpc-js");

const { reaches, refusal } = require("./known");
const rows = require("./rows");

const PHONE = /^\+[1-9][0-9]{6,14}$/;
const EMAIL = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;

const LEAD_COLUMNS = ["company_id", "id", "tie_break", "first_name", "last_name", "avatar", "phone", "email", "email_lower", "address",
    "preferred_business_id", "allocate_staff_id", "life_cycle_id", "action_status_id", "referral_source_id", "compliance_config",
    "custom_fields", "created_by", "created_time", "last_updated_by", "last_updated_time"];
const PET_COLUMNS = ["company_id", "id", "lead_id", "position", "name", "birthday", "status", "type", "breed", "gender", "weight", "fixed",
    "coat", "behavior", "pet_codes", "notes", "vaccinations", "vet", "evaluation_status", "photo", "deleted", "created_time",
    "last_updated_time"];

function insert(table, columns) {
    const places = columns.map((_, place) => `$${place + 1}`);
    return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places.join(", ")})`;
}

const INSERT_LEAD = insert("lead", LEAD_COLUMNS);
const INSERT_PET = insert("pet", PET_COLUMNS);

async function create(pool, known, request, key) {
    const lead = request.lead ?? {};
    const company = lead.company_id || (key.company_ids?.length === 1 ? key.company_ids[0] : "");
    if (!reaches(key, company)) {
        throw refusal(grpc.status.PERMISSION_DENIED, "the API key does not reach this company");
    }
    const settings = known.companies.get(company);
    if (!settings) {
        throw refusal(grpc.status.NOT_FOUND, "there is no such company");
    }
    const wrong = faults(lead, settings);
    if (wrong.length > 0) {
        throw refusal(grpc.status.INVALID_ARGUMENT, wrong.join("; "));
    }
    const time = now();
    const row = lead_row(lead, request.compliance_config, company, settings, key, time);
    const pets = (lead.pets ?? []).map((pet, position) => pet_row(pet, position, row, time));

    const client = await pool.connect();
    try {
        await client.query("BEGIN");
        await client.query({ name: "insert lead", text: INSERT_LEAD, values: LEAD_COLUMNS.map((name) => row[name]) });
        for (const pet of pets) {
            const values = PET_COLUMNS.map((name) => json(pet[name]));
            await client.query({ name: "insert pet", text: INSERT_PET, values });
        }
        await client.query("COMMIT");
    } catch (error) {
        await client.query("ROLLBACK").catch(() => {});
        throw error;
    } finally {
        client.release();
    }
    const answer = rows.lead(row, settings);
    answer.pets = pets.map(({ company_id, position, ...pet }) => rows.pet(pet));
    return answer;
}

function faults(lead, settings) {
    const wrong = [];
    if (!lead.first_name?.trim()) {
        wrong.push("lead.first_name: is required");
    }
    lead.phone = lead.phone?.replace(/[\s().-]/g, "") ?? "";
    if (!PHONE.test(lead.phone)) {
        wrong.push("lead.phone: is not a phone number");
    }
    if (lead.email && (lead.email.length > 254 || !EMAIL.test(lead.email))) {
        wrong.push("lead.email: is not an email address");
    }
    for (const [field, entries] of [
        ["life_cycle", settings.life_cycles],
        ["action_status", settings.action_statuses],
        ["referral_source", settings.referral_sources],
    ]) {
        if (lead[field] && !entries.has(lead[field].id)) {
            wrong.push(`lead.${field}.id: is not one of this company`);
        }
    }
    (lead.pets ?? []).forEach((pet, place) => {
        if (!pet.name || !pet.type || !pet.breed) {
            wrong.push(`lead.pets[${place}]: needs a name, a type and a breed`);
        }
    });
    for (const code of Object.keys(lead.custom_fields ?? {})) {
        if (!settings.custom_fields.has(code)) {
            wrong.push(`lead.custom_fields["${code}"]: is not a field of this company`);
        }
    }
    return wrong;
}

function lead_row(lead, change, company_id, settings, key, time) {
    const id = new_id("lcus");
    return {
        company_id,
        id,
        tie_break: createHash("sha256").update(id).digest().readBigInt64BE(0).toString(),
        first_name: lead.first_name,
        last_name: lead.last_name ?? "",
        avatar: lead.avatar ?? "",
        phone: lead.phone,
        email: lead.email ?? "",
        email_lower: lead.email?.toLowerCase() || null,
        address: lead.address ? address(lead.address) : null,
        preferred_business_id: lead.preferred_business_id || null,
        allocate_staff_id: lead.allocate_staff_id || null,
        life_cycle_id: lead.life_cycle?.id || settings.default_life_cycle || null,
        action_status_id: lead.action_status?.id || null,
        referral_source_id: lead.referral_source?.id || null,
        compliance_config: compliance(change, lead.compliance_config),
        custom_fields: stored_fields(lead.custom_fields ?? {}),
        created_by: key.id,
        created_time: time,
        last_updated_by: key.id,
        last_updated_time: time,
    };
}

function pet_row(pet, position, { company_id, id }, time) {
    const { birthday } = pet;
    return {
        company_id,
        id: new_id("pet"),
        lead_id: id,
        position,
        name: pet.name,
        birthday: birthday ? (birthday.year ?? 0) * 10_000 + (birthday.month ?? 0) * 100 + (birthday.day ?? 0) : null,
        status: pet.status ?? 0,
        type: pet.type,
        breed: pet.breed,
        gender: pet.gender ?? 0,
        weight: pet.weight ? { value: pet.weight.value ?? 0, unit: pet.weight.unit ?? 0 } : null,
        fixed: pet.fixed ?? "",
        coat: pet.coat ?? "",
        behavior: pet.behavior ?? "",
        pet_codes: pet.pet_codes ?? [],
        notes: (pet.notes ?? []).map(({ content }) => ({
            id: new_id("note"), content: content ?? "", last_updated_by: "", last_updated_time: time.replace(" ", "T"),
        })),
        vaccinations: (pet.vaccinations ?? []).map(({ name, expired_at }) => ({
            name: name ?? "", expired_at: expired_at ? rows.time(expired_at) : null,
        })),
        vet: pet.vet ?? null,
        evaluation_status: pet.evaluation_status ?? 0,
        photo: pet.photo ?? "",
        deleted: pet.deleted ?? false,
        created_time: time,
        last_updated_time: time,
    };
}

function address(given) {
    return {
        id: new_id("addr"),
        address1: given.address1 || given.street || "",
        address2: given.address2 ?? "",
        city: given.city ?? "",
        state: given.state ?? "",
        postal_code: given.postal_code || given.zip || "",
        country: given.country ?? "",
        coordinate: given.coordinate ?? null,
        type: given.type ?? 0,
    };
}

function compliance(change, own) {
    const given = own ?? {};
    const channels = (name) => (change ? change[name]?.channels : given[name]) ?? [];
    const flag = (name) => (change ?? given)[name] ?? false;
    return {
        service_related_channels: channels("service_related_channels"),
        marketing_campaigns_channels: channels("marketing_campaigns_channels"),
        branded_app_enabled: flag("branded_app_enabled"),
        is_agreed_marketing_policy: flag("is_agreed_marketing_policy"),
        is_consented: flag("is_consented"),
    };
}

/** Values as their column holds them: one key, which names the kind. */
function stored_fields(given) {
    const stored = {};
    for (const [code, value] of Object.entries(given)) {
        const [kind] = Object.keys(value);
        if (kind === undefined) {
            continue;
        } else if (kind === "string_list") {
            stored[code] = { string_list: value.string_list.values ?? [] };
        } else if (kind === "timestamp_time") {
            stored[code] = { timestamp_time: rows.time(value.timestamp_time) };
        } else if (kind === "money") {
            const { currency_code = "", units = "0", nanos = 0 } = value.money;
            stored[code] = { money: { currency_code, units: Number(units), nanos } };
        } else if (kind === "int64") {
            stored[code] = { int64: Number(value.int64) };
        } else {
            stored[code] = { [kind]: value[kind] };
        }
    }
    return stored;
}

/** pg would make arrays of PostgreSQL of lists. */
function json(value) {
    return Array.isArray(value) ? JSON.stringify(value) : value;
}

/** Now, as PostgreSQL would say it. */
function now() {
    const micros = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
    const text = new Date(Number(micros / 1000n)).toISOString();
    return `${text.slice(0, 19).replace("T", " ")}.${String(micros % 1_000_000n).padStart(6, "0")}+00`;
}

function new_id(prefix) {
    return `${prefix}_${Date.now().toString(16).padStart(12, "0")}${randomBytes(10).toString("hex")}`;
}

module.exports = { create };
