"use strict";

const grpc = require("@grpc/grpc-js");

const { create } = require("./create");
const { reaches, refusal } = require("./known");
const rows = require("./rows");

const GET = `SELECT ${rows.LEAD} FROM lead WHERE id = $1 AND ($2::text[] IS NULL OR company_id = ANY($2))`;
const PETS_OF_LEAD = `SELECT ${rows.PET} FROM pet WHERE lead_id = $1 AND ($2::text[] IS NULL OR company_id = ANY($2)) ORDER BY position`;
const PETS_OF_LEADS = `SELECT ${rows.PET} FROM pet WHERE company_id = $1 AND lead_id = ANY($2) ORDER BY position`;

class Leads {
    constructor(pool, known) {
        this.pool = pool;
        this.known = known;
    }

    handlers() {
        const method = (permission, work) => (call, callback) => {
            this.answer(call, permission, work).then((answer) => callback(null, answer), (error) => callback(status(error)));
        };
        return {
            GetLead: method("leads:read", (request, key) => this.get(request, key)),
            ListLeads: method("leads:read", (request, key) => this.list(request, key)),
            CreateLead: method("leads:write", (request, key) => create(this.pool, this.known, request, key)),
        };
    }

    async answer(call, permission, work) {
        return work(call.request, this.known.authenticate(call.metadata, permission));
    }

    async get({ id }, key) {
        if (id === "") {
            throw refusal(grpc.status.INVALID_ARGUMENT, "id: is required");
        }
        const values = [id, key.company_ids];
        const [leads, pets] = await Promise.all([
            this.pool.query({ name: "get", text: GET, values }),
            this.pool.query({ name: "pets", text: PETS_OF_LEAD, values }),
        ]);
        const [row] = leads.rows;
        if (!row) {
            throw refusal(grpc.status.NOT_FOUND, "there is no such lead");
        }
        const lead = rows.lead(row, this.known.companies.get(row.company_id));
        lead.pets = pets.rows.map(rows.pet);
        return lead;
    }

    async list(request, key) {
        const { page_size } = request.pagination ?? {};
        if (!(page_size >= 1 && page_size <= 500)) {
            throw refusal(grpc.status.INVALID_ARGUMENT, "pagination.page_size: must be 1 to 500");
        }
        if (request.company_id === "") {
            throw refusal(grpc.status.INVALID_ARGUMENT, "company_id: is required");
        }
        const settings = this.known.companies.get(request.company_id);
        if (!settings || !reaches(key, request.company_id)) {
            throw refusal(grpc.status.PERMISSION_DENIED, "the API key does not reach this company");
        }
        const found = (await this.pool.query(page(request, page_size))).rows;
        let next_page_token = "";
        if (found.length > page_size) {
            found.length = page_size;
            next_page_token = token_after(found.at(-1));
        }
        const leads = found.map((row) => rows.lead(row, settings));
        const by_id = new Map(leads.map((lead) => [lead.id, lead]));
        const values = [request.company_id, [...by_id.keys()]];
        const pets = await this.pool.query({ name: "pets of leads", text: PETS_OF_LEADS, values });
        for (const row of pets.rows) {
            by_id.get(row.lead_id).pets.push(rows.pet(row));
        }
        return { leads, next_page_token };
    }
}

/** One row more than asked for tells whether there is another page. */
function page({ company_id, filter, pagination }, page_size) {
    const values = [company_id];
    let text = `SELECT ${rows.LEAD} FROM lead WHERE company_id = $1`;
    const bind = (value) => `$${values.push(value)}`;
    const wanted = filter ?? {};
    for (const [column, value] of [
        ["life_cycle_id", wanted.life_cycle_id],
        ["action_status_id", wanted.action_status_id],
        ["phone", wanted.main_phone_number],
        ["email_lower", wanted.email?.toLowerCase()],
        ["referral_source_id", wanted.referral_source_id],
        ["allocate_staff_id", wanted.allocate_staff_id],
        ["preferred_business_id", wanted.preferred_business_id],
    ]) {
        if (value) {
            text += ` AND ${column} = ${bind(value)}`;
        }
    }
    const { start_time, end_time } = wanted.last_updated_time ?? {};
    if (start_time) {
        text += ` AND last_updated_time >= ${bind(rows.time(start_time))}`;
    }
    if (end_time) {
        text += ` AND last_updated_time < ${bind(rows.time(end_time))}`;
    }
    const token = pagination.page_token ?? "";
    if (token !== "" && token !== "1") {
        const [created_time, tie_break] = read_token(token);
        text += ` AND (created_time, tie_break) < (${bind(created_time)}, ${bind(tie_break)})`;
    }
    text += ` ORDER BY created_time DESC, tie_break DESC LIMIT ${bind(page_size + 1)}`;
    // The text says which statement it is; pg prepares each once on a connection.
    return { name: name_of(text), text, values };
}

const names = new Map();

function name_of(text) {
    if (!names.has(text)) {
        names.set(text, `list ${names.size}`);
    }
    return names.get(text);
}

function token_after({ created_time, tie_break }) {
    return Buffer.from(`${created_time}|${tie_break}`).toString("base64url");
}

function read_token(token) {
    const match = /^([-\d: .+]+)\|(-?\d+)$/.exec(Buffer.from(token, "base64url").toString());
    if (!match) {
        throw refusal(grpc.status.INVALID_ARGUMENT, "pagination.page_token: is not a token of this list");
    }
    return match.slice(1);
}

function status(error) {
    if (Number.isInteger(error.code)) {
        return error;
    }
    console.error(error);
    return refusal(grpc.status.INTERNAL, "internal error");
}

module.exports = { Leads };
