// The page as a whole: the index on the left, and every operation beside it.

import { Api } from "./api.js";
import { copyButton, el } from "./dom.js";
import { bindKey } from "./key.js";
import { operation, verb } from "./operation.js";
import { prose } from "./text.js";

const content = document.getElementById("content");
const index = document.getElementById("index");
const filter = document.getElementById("filter");
const state = document.getElementById("state");

function show(api) {
  document.getElementById("version").textContent = api.info.version;
  document.title = `${api.info.title} API ${api.info.version}`;
  content.append(
    introduction(api),
    ...api.services.map((service) =>
      el(
        "div",
        { class: "service" },
        el("h2", { id: service.name }, service.title),
        prose(service.description),
        service.operations.map((given) => operation(api, given)),
      ),
    ),
  );
  index.append(...api.services.map(entries));
}

function introduction({ info }) {
  const address = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const code = el("code", {}, address);
  return el(
    "section",
    { class: "introduction" },
    el("div", {}, el("h1", {}, info.summary), prose(info.description)),
    el(
      "aside",
      { class: "card", "aria-label": "Getting started" },
      el("h2", {}, "Try it"),
      el("p", {}, "Enter an API key above, choose an operation, send it to this server."),
      el("div", { class: "caption" }, el("span", {}, "Address"), copyButton("Copy the address", () => address, code)),
      el("pre", {}, code),
      el(
        "p",
        { class: "note" },
        el("kbd", {}, "/"),
        " finds an operation, ",
        el("kbd", {}, "Ctrl"),
        " ",
        el("kbd", {}, "Enter"),
        " sends the body that is being edited.",
      ),
    ),
  );
}

function entries(service) {
  const links = service.operations.map((given) =>
    el(
      "li",
      { "data-words": `${given.title} ${given.id} ${given.path}`.toLowerCase() },
      el("a", { href: `#${given.id}`, title: given.summary }, el("span", {}, given.title), verb(given)),
    ),
  );
  return el("section", {}, el("h2", {}, el("a", { href: `#${service.name}` }, service.title)), el("ul", {}, links));
}

/** Leaves the entries that have every word that is typed. Enter goes to the first of them, `/` comes back. */
function bindFilter() {
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase().split(/\s+/);
    for (const entry of index.querySelectorAll("li")) {
      entry.hidden = !wanted.every((word) => entry.dataset.words.includes(word));
    }
    for (const service of index.children) {
      service.hidden = !service.querySelector("li:not([hidden])");
    }
  });
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      index.querySelector("li:not([hidden]) a")?.click();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, textarea") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      filter.focus();
    }
  });
}

/** Marks the operation that is being read. */
function followReading() {
  const observer = new IntersectionObserver(
    (changes) => {
      for (const { target } of changes.filter((change) => change.isIntersecting)) {
        index.querySelector("[aria-current]")?.removeAttribute("aria-current");
        const link = index.querySelector(`a[href="#${target.id}"]`);
        link?.setAttribute("aria-current", "true");
        link?.scrollIntoView({ block: "nearest" });
      }
    },
    { rootMargin: "-20% 0px -70% 0px" },
  );
  for (const section of content.querySelectorAll(".operation")) {
    observer.observe(section);
  }
}

bindKey();
bindFilter();
state.textContent = "Loading the description…";
try {
  show(await Api.load());
  state.remove();
  followReading();
  // What the address names is there only now.
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (error) {
  state.textContent = `The description of the API cannot be shown: ${error.message}.`;
}
