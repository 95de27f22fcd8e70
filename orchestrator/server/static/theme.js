// Light, dark, or as the system is: one button that goes round.

import { h, show } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "parley.theme";
const ORDER = /** @type {const} */ (["system", "light", "dark"]);
const SYMBOLS = { system: "system", light: "sun", dark: "moon" };
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

/** @typedef {typeof ORDER[number]} Theme */

/** @returns {HTMLButtonElement} */
export function themeButton() {
  const button = h("button", { type: "button", class: "button quiet icon-only" });
  const update = () => {
    const theme = chosen();
    apply(theme);
    show(button, icon(SYMBOLS[theme]));
    const label = `Theme: ${theme}. Change to ${following(theme)}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.addEventListener("click", () => {
    keep(following(chosen()));
    update();
  });
  systemIsDark.addEventListener("change", update);
  update();
  return button;
}

/** @param {Theme} theme @returns {Theme} */
function following(theme) {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
}

/** @param {Theme} theme */
function apply(theme) {
  const dark = theme === "dark" || (theme === "system" && systemIsDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.dispatchEvent(new CustomEvent("themechange"));
}

/** @type {Theme} */
let inMemory = "system"; // where the browser keeps nothing for pages

/** @returns {Theme} */
function chosen() {
  try {
    const kept = /** @type {Theme} */ (localStorage.getItem(KEY));
    return ORDER.includes(kept) ? kept : "system";
  } catch {
    return inMemory;
  }
}

/** @param {Theme} theme */
function keep(theme) {
  inMemory = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds until the page is left.
  }
}
