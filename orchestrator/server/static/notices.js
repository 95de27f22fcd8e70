// Short messages in the corner of the page, read out by screen readers.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { inWords } from "./errors.js";

const SHOWN_MS = 6000;

/** @param {string} text something that went well; it goes by itself */
export function notice(text) {
  const box = place("status", "notice", text);
  setTimeout(() => box.remove(), SHOWN_MS);
}

/** @param {unknown} error what went wrong; it stays until it is closed */
export function warn(error) {
  place("alert", "notice bad", inWords(error));
}

/** @param {string} role @param {string} style @param {string} text @returns {HTMLElement} */
function place(role, style, text) {
  const box = h("div", { class: style });
  const close = h(
    "button",
    { type: "button", class: "button quiet icon-only", "aria-label": "Close this message" },
    icon("close"),
  );
  close.addEventListener("click", () => box.remove());
  box.append(h("p", { role }, text), close);
  document.getElementById("notices")?.append(box);
  return box;
}
