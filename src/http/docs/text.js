// Prose and JSON, as elements.

import { el } from "./dom.js";

/** The CommonMark that comments are written in: paragraphs, lists, second-level headings and code. */
export function prose(text, className = "prose") {
  const blocks = (text ?? "").split(/\n{2,}/).filter(Boolean);
  return el("div", { class: className }, blocks.map(block));
}

function block(text) {
  if (text.startsWith("## ")) {
    return el("h2", {}, inline(text.slice(3).trim()));
  }
  if (text.startsWith("- ")) {
    const entries = text.split(/^- /m).slice(1);
    return el("ul", {}, entries.map((entry) => el("li", {}, inline(entry.trim()))));
  }
  return el("p", {}, inline(text.trim()));
}

function inline(text) {
  return text.split("`").map((part, position) => (position % 2 ? el("code", {}, part) : part));
}

// A string that is a name, a string, a number, a word.
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

/** Beyond this, colours cost more than they tell. */
const COLOURED_MAX = 200_000;

/** JSON text with its tokens in spans. */
export function coloured(text) {
  if (text.length > COLOURED_MAX) {
    return [text];
  }
  const parts = [];
  let end = 0;
  for (const token of text.matchAll(TOKEN)) {
    const [all, string, colon, number] = token;
    parts.push(text.slice(end, token.index));
    end = token.index + all.length;
    const kind = string ? (colon ? "name" : "string") : number ? "number" : "word";
    parts.push(el("span", { class: `json-${kind}` }, string ?? all));
    if (colon) {
      parts.push(colon);
    }
  }
  parts.push(text.slice(end));
  return parts;
}

export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

/** Indented, if it is JSON; otherwise as it is. */
export function indented(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}
