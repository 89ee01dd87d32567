// Schemas, as lists of fields that open to the fields within.

import { el, folded } from "./dom.js";
import { prose } from "./text.js";

/** The fields of an object. Requests have none that the service alone sets. */
export function fields(api, schema, inRequest) {
  const { properties = {}, required = [], maxProperties } = api.resolve(schema);
  const shown = Object.entries(properties)
    .map(([name, property]) => [name, property, api.resolve(property)])
    .filter(([, , resolved]) => !(inRequest && resolved.readOnly));
  const rows = shown.map(([name, property]) =>
    field(api, { name, schema: property, required: required.includes(name), inRequest }),
  );
  return el(
    "div",
    {},
    maxProperties === 1 && el("p", { class: "note" }, "At most one of these:"),
    rows.length ? el("ul", { class: "fields" }, rows) : el("p", { class: "note" }, "No fields."),
  );
}

/** The parameters of a path, a query or a header. */
export function parameters(api, given) {
  const rows = given.map(({ name, schema, required, description }) =>
    field(api, { name, schema: { ...schema, description }, required, inRequest: true }),
  );
  return el("ul", { class: "fields" }, rows);
}

function field(api, { name, schema, required, inRequest }) {
  const { description } = api.resolve(schema);
  const shape = shapeOf(api, schema);
  const orNull = shape.isNullable && !inRequest;
  return el(
    "li",
    {},
    el(
      "div",
      { class: "field" },
      el("code", { class: "field-name" }, name),
      el("span", { class: "type" }, shape.label, orNull && " or null"),
      required && el("span", { class: "flag" }, "required"),
      api.resolve(schema).readOnly && el("span", { class: "flag quiet" }, "read only"),
    ),
    prose(isOwn(schema) ? description : ""),
    within(api, shape, inRequest),
  );
}

/** Whether the description is the field's own and not that of the type it has. */
function isOwn(schema) {
  return schema.description !== undefined;
}

/** What a field opens to: the fields or the values of its type. */
function within(api, { inner, name }, inRequest) {
  if (inner.enum) {
    const values = inner.enum.length === 1 ? "1 value" : `${inner.enum.length} values`;
    return folded({ class: "within" }, values, () => prose(inner.description));
  }
  if (inner.properties) {
    return folded({ class: "within" }, `Fields of ${name}`, () => fields(api, inner, inRequest));
  }
  return null;
}

/** What a schema is called, and the object or enum at its core, if it has one. */
export function shapeOf(api, schema) {
  const options = schema.anyOf?.filter((option) => option.type !== "null");
  if (options?.length === 1) {
    return { ...shapeOf(api, options[0]), isNullable: true };
  }
  if (schema.$ref) {
    const name = shortName(schema.$ref);
    return { label: name, name, inner: api.resolve({ $ref: schema.$ref }) };
  }
  const types = [schema.type ?? "any value"].flat();
  const type = types.find((name) => name !== "null");
  const isNullable = types.includes("null");
  if (type === "array") {
    const items = shapeOf(api, schema.items);
    return { ...items, label: `list of ${items.label}`, isNullable };
  }
  if (typeof schema.additionalProperties === "object") {
    const values = shapeOf(api, schema.additionalProperties);
    return { ...values, label: `map of string to ${values.label}`, isNullable };
  }
  const label = schema.format ? `${type}, ${schema.format}` : type;
  return { label, name: "the object", inner: schema, isNullable };
}

/** "Customer.Note" of "#/components/schemas/moego.business.customer.v1.Customer.Note". */
function shortName(reference) {
  return reference.split("/").at(-1).replace(/^(?:[a-z][a-z0-9_]*\.)+/, "");
}
