// A recording that lies on the web: the server fetches it.

import { api } from "./api.js";
import { h, setText, uniqueId } from "./dom.js";
import { inWords } from "./errors.js";
import { icon } from "./icons.js";

/**
 * Make the form that takes a link.
 * @param {{fields: () => Record<string, any>, wrong: () => string, onAccepted: (accepted: import("./api.js").Accepted) => void}} how
 * @returns {HTMLFormElement}
 */
export function addressForm({ fields, wrong, onAccepted }) {
  const id = uniqueId("address");
  const fault = h("p", { id: `${id}-fault`, class: "fault", role: "alert" });
  const input = h("input", {
    id,
    type: "url",
    inputmode: "url",
    placeholder: "https://…",
    autocomplete: "off",
    required: true,
    "aria-describedby": `${id}-fault`,
  });
  const button = h("button", { class: "button" }, icon("link"), "Fetch");
  const form = h(
    "form",
    { class: "field", novalidate: true },
    h("label", { for: id }, "Or give a link to one"),
    h("div", { class: "address-row" }, input, button),
    fault,
  );
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    const refused = wrongAddress(input.value.trim()) || wrong();
    setText(fault, refused);
    input.setAttribute("aria-invalid", String(refused !== ""));
    if (refused) {
      input.focus();
      return;
    }
    button.disabled = true;
    try {
      onAccepted(await api.submitUrl(input.value.trim(), fields()));
      form.reset();
    } catch (error) {
      setText(fault, inWords(error));
    }
    button.disabled = false;
  });
  return form;
}

/** @param {string} text @returns {string} what is wrong with it, empty if nothing */
function wrongAddress(text) {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed && ["http:", "https:"].includes(parsed.protocol) && parsed.hostname) {
    return "";
  }
  return "This is no web address. It begins with https:// or http:// and leads to an audio or video file.";
}
