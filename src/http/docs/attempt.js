// The part of an operation in which it can be tried.

import { copyButton, el, folded } from "./dom.js";
import { key } from "./key.js";
import { coloured, indented, pretty } from "./text.js";

/** A form that sends the operation to the server that the page comes from, and shows what it answers. */
export function attempt(operation) {
  const inputs = [...operation.inPath, ...operation.inQuery].map((parameter) => ({
    parameter,
    input: el("input", {
      id: `${operation.id}.${parameter.name}`,
      value: parameter.example ?? "",
      required: parameter.required,
      spellcheck: "false",
      autocomplete: "off",
      input: refresh,
    }),
  }));
  const example = operation.body && pretty(operation.body.example ?? {});
  const editor = operation.body && bodyEditor(operation, example, refresh, send);
  const command = el("code");
  const keyless = el("p", { class: "note" }, "There is no API key yet. ", el("button", { type: "button", class: "link", click: key.ask }, "Enter one"));
  const button = el("button", { class: "send" }, "Send");
  const answer = el("div", { class: "answer", role: "status" });

  function request() {
    const value = (place) => inputs.filter(({ parameter }) => parameter.in === place);
    const path = value("path").reduce(
      (path, { parameter, input }) => path.replace(`{${parameter.name}}`, encodeURIComponent(input.value)),
      operation.path,
    );
    const query = new URLSearchParams(
      value("query").filter(({ input }) => input.value).map(({ parameter, input }) => [parameter.name, input.value]),
    );
    const url = new URL(path.slice(1) + (query.size ? `?${query}` : ""), document.baseURI);
    return { verb: operation.verb, url, body: editor?.text.value };
  }

  function refresh() {
    command.replaceChildren(curl(request()));
    editor?.check();
  }

  async function send(event) {
    event?.preventDefault();
    button.disabled = true;
    answer.replaceChildren(el("p", { class: "note" }, "Sending…"));
    try {
      answer.replaceChildren(...shown(await call(request())));
      answer.firstChild.scrollIntoView({ block: "nearest" });
    } catch (error) {
      answer.replaceChildren(el("p", { class: "notice" }, `There was no answer: ${error.message}.`));
    } finally {
      button.disabled = false;
    }
  }

  key.whenChanged(() => {
    keyless.hidden = key.value !== "";
  });
  const form = el(
    "form",
    { class: "attempt", "aria-label": `Try ${operation.title}`, submit: send },
    el(
      "div",
      { class: "attempt-inputs" },
      inputs.map(({ parameter, input }) =>
        el("label", { class: "parameter", for: input.id }, el("code", {}, parameter.name), input),
      ),
      editor?.element,
      el("div", { class: "row" }, button, keyless),
    ),
    answer,
    el(
      "div",
      { class: "command" },
      el("div", { class: "caption" }, el("span", {}, "curl"), copyButton("Copy the curl line", () => command.textContent, command)),
      el("pre", { tabindex: "0", "aria-label": "The same call with curl" }, command),
    ),
  );
  refresh();
  return form;
}

/** The JSON to send: starts with an example, says whether it is JSON, sends with Ctrl or Cmd and Enter. */
function bodyEditor(operation, example, refresh, send) {
  const id = `${operation.id}.body`;
  const state = el("span", { id: `${id}.state`, class: "note", "aria-live": "polite" });
  const text = el("textarea", {
    id,
    rows: Math.min(example.split("\n").length, 13),
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": state.id,
    "aria-keyshortcuts": "Control+Enter",
    input: refresh,
    keydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        send();
      }
    },
  });
  text.value = example;
  const put = (value) => () => {
    text.value = value();
    refresh();
  };
  const element = el(
    "div",
    { class: "body" },
    el(
      "div",
      { class: "caption" },
      el("label", { for: id }, "Body"),
      state,
      el("button", { type: "button", class: "quiet", click: put(() => indented(text.value)) }, "Indent"),
      el("button", { type: "button", class: "quiet", click: put(() => example) }, "Reset"),
    ),
    text,
  );
  return { element, text, check: () => state.replaceChildren(fault(text.value)) };
}

/** Why a text is not JSON. */
function fault(text) {
  try {
    JSON.parse(text || "{}");
    return "";
  } catch (error) {
    return `Not JSON: ${error.message}`;
  }
}

async function call({ verb, url, body }) {
  const headers = new Headers();
  if (key.value) {
    headers.set("authorization", `Bearer ${key.value}`);
  }
  if (body !== undefined) {
    headers.set("content-type", "application/json");
  }
  const start = performance.now();
  const response = await fetch(url, { method: verb, headers, body, cache: "no-store", credentials: "omit" });
  const text = await response.text();
  return { response, text, milliseconds: performance.now() - start };
}

/** A status, how long it took, the headers and the body of an answer. */
function shown({ response, text, milliseconds }) {
  const body = indented(text);
  const code = el("code", {}, coloured(body));
  const headers = [...response.headers];
  const requestId = response.headers.get("x-request-id");
  return [
    el(
      "div",
      { class: "caption" },
      el("strong", { class: `status status-${Math.floor(response.status / 100)}` }, `${response.status} ${response.statusText}`),
      el("span", { class: "note" }, `${Math.round(milliseconds)} ms`),
      el("span", { class: "note" }, size(text)),
      copyButton("Copy the answer", () => body, code),
    ),
    requestId && el("p", { class: "note" }, "x-request-id ", el("code", {}, requestId)),
    folded({ class: "within" }, `${headers.length} headers`, () =>
      el("dl", { class: "headers" }, headers.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    ),
    text ? el("pre", { class: "answer-body", tabindex: "0", "aria-label": "The body of the answer" }, code) : el("p", { class: "note" }, "No body."),
  ].filter(Boolean);
}

function size(text) {
  const bytes = new TextEncoder().encode(text).length;
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} KiB`;
}

/** The same call for a shell, with the key in `$KEY`. */
function curl({ verb, url, body }) {
  const isImplied = verb === "GET" || (verb === "POST" && body !== undefined);
  const words = [
    `curl ${isImplied ? "" : `-X ${verb} `}${quoted(url.href)}`,
    `-H "Authorization: Bearer $KEY"`,
  ];
  if (body !== undefined) {
    words.push(`-H 'Content-Type: application/json'`, `-d ${quoted(onOneLine(body))}`);
  }
  return words.join(" \\\n  ");
}

function onOneLine(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

function quoted(word) {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
