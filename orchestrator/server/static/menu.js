// A button that opens a menu: arrow keys, Home, End, Escape, first letters.

import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";

const GAP_PX = 6;
const MARGIN_PX = 8;

/** @typedef {{label: string, detail?: string, value: string}} Choice */

/**
 * Make a menu button.
 * @param {{label: string, symbol: any, choices: Choice[], onChoose: (value: string) => void}} how
 * @returns {HTMLElement}
 */
export function menuButton({ label, symbol, choices, onChoose }) {
  const id = uniqueId("menu");
  const button = h(
    "button",
    { type: "button", class: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": id },
    icon(symbol),
    label,
    icon("down"),
  );
  const items = choices.map((choice) => item(choice));
  const menu = h("div", { id, class: "menu", role: "menu", "aria-label": label, hidden: true }, items);
  const root = h("div", { class: "menu-root" }, button, menu);
  const follow = () => place(menu, button);
  const set = (/** @type {boolean} */ open) => {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    for (const moves of ["scroll", "resize"]) {
      open ? addEventListener(moves, follow, true) : removeEventListener(moves, follow, true);
    }
    open && follow();
  };
  button.addEventListener("click", () => {
    set(menu.hidden);
    items[0].focus();
  });
  menu.addEventListener("click", (/** @type {Event} */ event) => {
    const chosen = /** @type {Element} */ (event.target).closest("[data-value]");
    if (chosen instanceof HTMLElement) {
      set(false);
      button.focus();
      onChoose(chosen.dataset.value ?? "");
    }
  });
  root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => onKey(event, { button, menu, items, set }));
  root.addEventListener("focusout", (/** @type {FocusEvent} */ event) => {
    if (!root.contains(/** @type {Node | null} */ (event.relatedTarget))) {
      set(false);
    }
  });
  return root;
}

/** @param {Choice} choice @returns {HTMLButtonElement} */
function item({ label, detail, value }) {
  return h(
    "button",
    { type: "button", role: "menuitem", tabindex: "-1", class: "menu-item", "data-value": value },
    h("span", { class: "menu-label" }, label),
    detail && h("span", { class: "hint" }, detail),
  );
}

/** Put the menu below its button, or as near to that as the window has room; small windows have a place for it.
 * @param {HTMLElement} menu @param {HTMLElement} button */
function place(menu, button) {
  const beside = button.getBoundingClientRect();
  const [width, height] = [document.documentElement.clientWidth, innerHeight];
  const top = Math.min(beside.bottom + GAP_PX, height - menu.offsetHeight - MARGIN_PX);
  const left = Math.min(beside.right - menu.offsetWidth, width - menu.offsetWidth - MARGIN_PX);
  menu.style.setProperty("--menu-top", `${Math.max(MARGIN_PX, top)}px`);
  menu.style.setProperty("--menu-left", `${Math.max(MARGIN_PX, left)}px`);
}

/** @param {KeyboardEvent} event @param {any} parts */
function onKey(event, { button, menu, items, set }) {
  if (menu.hidden) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      set(true);
      items[0].focus();
    }
    return;
  }
  if (event.key === "Escape") {
    set(false);
    button.focus();
    return;
  }
  const next = nextItem(event.key, items);
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

/** @param {string} key @param {HTMLElement[]} items @returns {HTMLElement | undefined} */
function nextItem(key, items) {
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const steps = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 });
  if (key in steps) {
    return items.at(steps[key] % items.length);
  }
  if (key.length === 1 && key !== " ") {
    const after = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    return after.find((one) => one.textContent?.toLowerCase().startsWith(key.toLowerCase()));
  }
  return undefined;
}
