// Rows as messages.
"use strict";

const LEAD = `company_id, id, tie_break, first_name, last_name, avatar, phone, email, address, preferred_business_id,
    allocate_staff_id, life_cycle_id, action_status_id, referral_source_id, compliance_config, custom_fields, created_time,
    last_updated_time`;

const PET = `lead_id, id, name, birthday, status, type, breed, gender, weight, fixed, coat, behavior, pet_codes, notes, vaccinations,
    vet, evaluation_status, photo, deleted, created_time, last_updated_time`;

function lead(row, settings) {
    return {
        id: row.id,
        company_id: row.company_id,
        first_name: row.first_name,
        last_name: row.last_name,
        avatar: row.avatar,
        phone: row.phone,
        email: row.email,
        address: row.address && address(row.address),
        pets: [],
        preferred_business_id: row.preferred_business_id ?? "",
        allocate_staff_id: row.allocate_staff_id ?? "",
        life_cycle: settings.life_cycles.get(row.life_cycle_id),
        action_status: settings.action_statuses.get(row.action_status_id),
        referral_source: settings.referral_sources.get(row.referral_source_id),
        compliance_config: row.compliance_config,
        custom_fields: custom_fields(row.custom_fields),
        created_time: timestamp(row.created_time),
        last_updated_time: timestamp(row.last_updated_time),
    };
}

function pet(row) {
    const { lead_id, birthday, notes, vaccinations, created_time, last_updated_time, ...rest } = row;
    return {
        ...rest,
        birthday: birthday === null ? undefined : date(birthday),
        notes: notes.map((note) => ({ ...note, last_updated_time: timestamp(note.last_updated_time) })),
        vaccinations: vaccinations.map(({ name, expired_at }) => ({ name, expired_at: expired_at && timestamp(expired_at) })),
        created_time: timestamp(created_time),
        last_updated_time: timestamp(last_updated_time),
    };
}

function address(stored) {
    return { ...stored, street: stored.address1, zip: stored.postal_code };
}

function date(packed) {
    return { year: Math.trunc(packed / 10_000), month: Math.trunc(packed / 100) % 100, day: packed % 100 };
}

function custom_fields(stored) {
    const fields = {};
    for (const [code, value] of Object.entries(stored)) {
        if (value.timestamp_time !== undefined) {
            fields[code] = { timestamp_time: timestamp(value.timestamp_time) };
        } else if (value.string_list !== undefined) {
            fields[code] = { string_list: { values: value.string_list } };
        } else {
            fields[code] = value;
        }
    }
    return fields;
}

/** `2025-01-01 10:00:00.123456+00` or `2025-01-01T10:00:00.123456Z` */
function timestamp(text) {
    const [seconds, rest = ""] = text.replace(/(Z|\+00(:?00)?)$/, "").split(".");
    return {
        seconds: String(Date.parse(`${seconds.replace(" ", "T")}Z`) / 1000),
        nanos: rest === "" ? 0 : Number(rest.padEnd(9, "0")),
    };
}

/** The other way. */
function time({ seconds, nanos }) {
    const begin = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
    return nanos ? `${begin}.${String(nanos).padStart(9, "0")}Z` : `${begin}Z`;
}

module.exports = { LEAD, PET, lead, pet, time };
