// The API key: in the field at the top of the page and in the storage of this tab, nowhere else.

const STORED_AS = "leash.key";

const input = document.getElementById("key-input");
const show = document.getElementById("key-show");
const changed = new EventTarget();

export const key = {
  get value() {
    return input.value.trim();
  },
  whenChanged(listener) {
    changed.addEventListener("change", listener);
    listener();
  },
  ask() {
    input.focus();
  },
};

export function bindKey() {
  input.value = sessionStorage.getItem(STORED_AS) ?? "";
  input.addEventListener("input", () => {
    sessionStorage.setItem(STORED_AS, key.value);
    changed.dispatchEvent(new Event("change"));
  });
  input.form.addEventListener("submit", (event) => event.preventDefault());
  show.addEventListener("click", () => {
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    show.textContent = isShown ? "Show" : "Hide";
    show.setAttribute("aria-pressed", String(!isShown));
  });
}
