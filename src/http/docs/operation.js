// An operation: what it does, takes and answers on one side, a way to try it on the other.

import { attempt } from "./attempt.js";
import { el, folded } from "./dom.js";
import { fields, parameters, shapeOf } from "./schema.js";
import { coloured, pretty, prose } from "./text.js";

export function operation(api, given) {
  return el(
    "section",
    { class: "operation", id: given.id, tabindex: "-1", "aria-labelledby": `${given.id}.title` },
    el(
      "div",
      { class: "reference" },
      el("h3", { id: `${given.id}.title` }, el("a", { href: `#${given.id}` }, given.title)),
      el("p", { class: "endpoint" }, verb(given), path(given.path)),
      prose(given.description),
      given.inPath.length > 0 && part("Path parameters", parameters(api, given.inPath)),
      given.inQuery.length > 0 && part("Query parameters", parameters(api, given.inQuery)),
      given.body && part("Request body", fields(api, given.body.schema, true)),
      part("Responses", el("div", { class: "responses" }, given.responses.map((response) => answer(api, response)))),
      folded({ class: "within" }, "Request headers", () => parameters(api, given.inHeader)),
    ),
    attempt(given),
  );
}

export function verb({ verb }) {
  return el("span", { class: `verb verb-${verb.toLowerCase()}` }, verb);
}

/** A path that wraps before its parts and makes its variables stand out. */
function path(template) {
  const parts = template.split(/(\{[^}]*\})|(?=\/)/).filter(Boolean);
  return el(
    "code",
    { class: "path" },
    parts.flatMap((text) => [el("wbr"), text.startsWith("{") ? el("span", { class: "variable" }, text) : text]),
  );
}

function part(title, content) {
  return el("div", { class: "part" }, el("h4", {}, title), content);
}

function answer(api, { status, description, schema, examples }) {
  const isError = status >= 400;
  const [term, ...meaning] = isError ? description.split(":") : [shapeOf(api, schema).label];
  const summary = [
    el("span", { class: `status status-${Math.floor(status / 100)}` }, String(status)),
    el("span", { class: "response-name" }, term),
    el("span", { class: "response-meaning" }, meaning.join(":").trim().split(/[.:] /)[0]),
  ];
  return folded({ class: "response" }, summary, () =>
    el(
      "div",
      {},
      isError ? prose(sentence(meaning.join(":"))) : fields(api, schema, false),
      examples.map((example) => el("pre", { tabindex: "0", "aria-label": "An example" }, el("code", {}, coloured(pretty(example))))),
    ),
  );
}

function sentence(text) {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
}
