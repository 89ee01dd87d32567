"use strict";

const { createHash } = require("node:crypto");

const grpc = require("@grpc/grpc-js");

// How old keys and settings may be.
const STALE_AT_MOST = 5_000;

/** What is kept in memory: the API keys and the settings of every company. */
class Known {
    static async read(pool) {
        const known = new Known(pool);
        await known.refresh();
        setInterval(() => known.refresh().catch(console.error), STALE_AT_MOST).unref();
        return known;
    }

    constructor(pool) {
        this.pool = pool;
        // Digests of secrets that were sent, so that a secret is hashed once.
        this.digests = new Map();
    }

    async refresh() {
        const read = async (sql) => (await this.pool.query(sql)).rows;
        const companies = new Map();
        for (const { id } of await read("SELECT id FROM company")) {
            companies.set(id, {
                life_cycles: new Map(),
                action_statuses: new Map(),
                referral_sources: new Map(),
                custom_fields: new Set(),
                default_life_cycle: "",
            });
        }
        for (const row of await read("SELECT company_id, id, name, is_default FROM life_cycle")) {
            const settings = companies.get(row.company_id);
            settings.life_cycles.set(row.id, { id: row.id, name: row.name, is_default: row.is_default });
            if (row.is_default) {
                settings.default_life_cycle = row.id;
            }
        }
        for (const { company_id, ...status } of await read("SELECT company_id, id, name, color FROM action_status")) {
            companies.get(company_id).action_statuses.set(status.id, status);
        }
        for (const { company_id, ...source } of await read("SELECT company_id, id, name FROM referral_source")) {
            companies.get(company_id).referral_sources.set(source.id, source);
        }
        const fields = "SELECT company_id, code FROM custom_field WHERE association_type = 2 AND archived_time IS NULL";
        for (const { company_id, code } of await read(fields)) {
            companies.get(company_id).custom_fields.add(code);
        }
        const keys = new Map();
        const live = `SELECT id, encode(secret_sha256, 'hex') AS digest, permissions, company_ids, expires_time FROM api_key
            WHERE revoked_time IS NULL`;
        for (const { digest, ...key } of await read(live)) {
            keys.set(digest, { ...key, expires: key.expires_time ? Date.parse(key.expires_time) : Infinity });
        }
        Object.assign(this, { companies, keys });
        this.digests.clear();
    }

    /** The key of a call, if it is live and may do this. */
    authenticate(metadata, permission) {
        const [sent] = metadata.get("authorization");
        if (!sent) {
            throw refusal(grpc.status.UNAUTHENTICATED, "an API key is required");
        }
        let digest = this.digests.get(sent);
        if (!digest) {
            digest = createHash("sha256").update(sent.replace(/^Bearer /, "")).digest("hex");
            this.digests.set(sent, digest);
        }
        const key = this.keys.get(digest);
        if (!key || key.expires <= Date.now()) {
            throw refusal(grpc.status.UNAUTHENTICATED, "the API key is not valid");
        }
        if (!key.permissions.includes(permission)) {
            throw refusal(grpc.status.PERMISSION_DENIED, `the API key lacks ${permission}`);
        }
        return key;
    }
}

function reaches(key, company) {
    return key.company_ids === null || key.company_ids.includes(company);
}

function refusal(code, details) {
    return { code, details };
}

module.exports = { Known, reaches, refusal };
