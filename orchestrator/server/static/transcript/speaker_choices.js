/** The parts of menus that are about speakers: choose one, add one, rename one. */

import { h, uniqueId } from "../dom.js";
import { colourOf, presentLabels, shownName } from "./document.js";
import { LONGEST_NAME } from "./operations.js";
import { symbol } from "./symbols.js";

/** The class that gives an element its speaker's colour. */
export function colourClass(transcript, label) {
  const colour = colourOf(transcript, label);
  return colour === null ? "colour-unknown" : `colour-${colour}`;
}

/** Make a button for each speaker but `except`. @param {(label: string) => void} onChoose */
export function speakerButtons(transcript, { except, onChoose }) {
  return presentLabels(transcript)
    .filter((label) => label !== except)
    .map((label) => {
      const swatch = h("span", { class: `swatch ${colourClass(transcript, label)}`, "aria-hidden": "true" });
      const name = h("span", { class: "name" }, shownName(transcript, label));
      return h("button", { type: "button", class: "choice", onclick: () => onChoose(label) }, swatch, name);
    });
}

/** Make a button for what can be done, with a symbol or the key that does it. */
export function actionButton(text, onclick, { drawing = null, key = null } = {}) {
  const hint = key && h("kbd", { "aria-hidden": "true" }, key);
  const name = h("span", { class: "name" }, text);
  return h("button", { type: "button", class: "choice", onclick }, drawing && symbol(drawing), name, hint);
}

/** Make a field with a button that takes a speaker's name. @param {(name: string) => void} onName */
export function nameForm({ label, value, button, onName }) {
  const id = uniqueId("speaker-name");
  const plain = { type: "text", autocomplete: "off", spellcheck: "false" };
  const field = h("input", { id, value, maxlength: LONGEST_NAME, ...plain });
  const submit = (event) => {
    event.preventDefault();
    onName(field.value);
  };
  return h(
    "form",
    { class: "name-form", onsubmit: submit },
    h("label", { for: id }, label),
    h("div", { class: "name-line" }, field, h("button", { type: "submit", class: "confirm" }, button)),
  );
}
