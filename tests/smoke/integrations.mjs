// What public integrations of the API send, sent to a fresh `leash demo` with Node's fetch.
// Prints a line for each step; the first answer that is not as documented ends it with exit code 1.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const [target, key, examples] = process.argv.slice(2);
if (!examples) {
  console.error("usage: integrations.mjs HOST:PORT KEY EXAMPLES_DIR");
  process.exit(2);
}

const example = (name) => JSON.parse(readFileSync(join(examples, name), "utf8"));
const base64 = (text) => Buffer.from(text).toString("base64");

class Mismatch extends Error {}

function expect(actual, expected, what) {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Mismatch(`${what}: expected ${JSON.stringify(expected)}, not ${JSON.stringify(actual)}`);
  }
}

/** Sends JSON and returns the status, the headers and the JSON of the answer. */
async function call(method, path, body, headers = { Authorization: `Basic ${key}` }) {
  const response = await fetch(`http://${target}${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** The JSON of an answer that must be 200. */
async function answer(...given) {
  const { status, body } = await call(...given);
  expect(status, 200, `${given[0]} ${given[1]} answered ${JSON.stringify(body)}`);
  return body;
}

const page = (more = {}) => ({ companyId: "cmp_001", pagination: { pageSize: 20, pageToken: "1" }, ...more });

const steps = {
  async "the key is taken in each form that clients send"() {
    const forms = [
      `Basic ${key}`,
      `Basic ${base64(key)}`,
      `Basic ${base64(`${key}:`)}`,
      key,
      base64(key),
      `Bearer ${key}`,
    ];
    for (const Authorization of forms) {
      const lead = await answer("GET", "/v1/leads/lcus_001", undefined, { Authorization });
      expect(lead.firstName, "John", `the lead under ${Authorization}`);
    }
  },

  async "JSON is read under any content type"() {
    for (const type of ["application/json", "text/plain"]) {
      const headers = { Authorization: key, "Content-Type": type };
      const list = await answer("POST", "/v1/leads:list", page(), headers);
      expect(list.leads.length, 20, `the leads of a page under ${type}`);
    }
    const bytes = new TextEncoder().encode(JSON.stringify(page()));
    const response = await fetch(`http://${target}/v1/leads:list`, {
      method: "POST",
      headers: { Authorization: key },
      body: bytes,
    });
    expect(response.status, 200, "the status without a content type");
  },

  async "pages go on from the token 1 until there is none"() {
    for (const pagination of [{ pageSize: 2, pageToken: "1" }, { pageSize: 2 }]) {
      const seen = new Set();
      let next = pagination;
      while (next) {
        const { leads, nextPageToken } = await answer("POST", "/v1/leads:list", page({ pagination: next }));
        leads.forEach((lead) => seen.add(lead.id));
        next = nextPageToken ? { pageSize: 2, pageToken: nextPageToken } : undefined;
      }
      const all = await answer("POST", "/v1/leads:list", page({ pagination: { pageSize: 500 } }));
      expect(seen.size, all.leads.length, "the number of leads");
    }
  },

  async "keys that the method does not have are ignored"() {
    const body = page({ businessIds: ["b1"], filter: { businessIds: ["b1"], lifeCycleId: "lc_001" } });
    const { leads } = await answer("POST", "/v1/leads:list", body);
    expect(leads.some((lead) => lead.id === "lcus_001"), true, "lcus_001 in the list");
  },

  async "the time of the last change is a filter of leads and customers"() {
    const between = (startTime, endTime) => page({ filter: { lastUpdatedTime: { startTime, endTime } } });
    const within = await answer("POST", "/v1/leads:list", between("2024-01-20T00:00:00Z", "2024-01-21T00:00:00Z"));
    expect(within.leads.some((lead) => lead.id === "lcus_001"), true, "lcus_001 within the time");
    const never = between("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z");
    expect((await answer("POST", "/v1/leads:list", never)).leads, [], "the leads of another time");
    expect((await answer("POST", "/v1/customers:list", never)).customers, [], "the customers of another time");
  },

  async "the documented lead is created, read, updated and promoted"() {
    const created = await answer("POST", "/v1/leads", example("create_lead.request.json"));
    expect(created.phone, "+12125551234", "the phone");
    expect(created.customFields.field_estimated_budget.money.units, "500", "an int64");
    expect(await answer("GET", `/v1/leads/${created.id}`), created, "the lead that is read");
    const { id: _, ...update } = example("update_lead.request.json");
    const updated = await answer("PUT", `/v1/leads/${created.id}`, update);
    expect(updated.actionStatus.name, "Contacted", "the action status");
    const { customer } = await answer("POST", "/v1/leads:promote", { id: created.id });
    expect((await answer("GET", `/v1/customers/${customer.id}`)).id, customer.id, "the customer");
  },

  async "a refusal says what to do about it"() {
    const { status, body, headers } = await call("POST", "/v1/leads", { lead: { phone: "12" } });
    expect([status, body.code], [400, 3], "the status and the code");
    const request = body.details.find((detail) => detail["@type"].endsWith("google.rpc.BadRequest"));
    const fields = request.fieldViolations.map((violation) => violation.field);
    expect(fields, ["lead.first_name", "lead.phone"], "the fields");
    expect(headers.has("x-request-id"), true, "the request id");
    const nobody = await call("GET", "/v1/leads/lcus_001", undefined, {});
    expect([nobody.status, nobody.headers.has("www-authenticate")], [401, true], "the answer without a key");
  },
};

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok      ${name}`);
  } catch (error) {
    console.error(`FAILED  ${name}\n${error instanceof Mismatch ? error.message : error.stack}`);
    process.exit(1);
  }
}
