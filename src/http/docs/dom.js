// Elements, in one expression. Text never becomes markup.

/**
 * An element with attributes and children. A function is a listener for the event of that name; `true` is an attribute
 * without a value; `false`, `null` and `undefined` are left out, as attributes and as children.
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(attribute, value);
    } else if (value !== false && value != null) {
      element.setAttribute(attribute, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== false && child != null));
  return element;
}

/** A part that opens and closes. Its content is made when it is first opened. */
export function folded(attributes, summary, content) {
  const details = el("details", attributes, el("summary", {}, summary));
  const fill = () => details.append(content());
  if (attributes.open) {
    fill();
  } else {
    details.addEventListener("toggle", fill, { once: true });
  }
  return details;
}

/** A button that copies what `text` gives, or selects `source` where a page may not write to the clipboard. */
export function copyButton(label, text, source) {
  const button = el("button", { type: "button", class: "quiet", click: copy, "aria-label": label }, "Copy");
  async function copy() {
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      getSelection().selectAllChildren(source);
      said = "Selected";
    }
    button.textContent = said;
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  }
  return button;
}
