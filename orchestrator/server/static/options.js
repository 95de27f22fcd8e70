// What is known of a recording: how many speak, in which language, which names occur.

import { h, setText, uniqueId } from "./dom.js";
import { LANGUAGES } from "./languages.js";
import { SpeakersFields } from "./speakers_fields.js";

export class Options {
  constructor() {
    this.speakers = new SpeakersFields();
    this.language = h(
      "select",
      { id: uniqueId("language") },
      h("option", { value: "" }, "Find out"),
      languageOptions(),
    );
    const id = uniqueId("names");
    this.names = h("input", { id, type: "text", autocomplete: "off", "aria-describedby": `${id}-hint` });
    this.wordsOnly = h("input", { type: "checkbox" });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.chosen = h("span", { class: "hint" });
    this.root = h(
      "details",
      { class: "options" },
      h("summary", {}, h("span", { class: "options-title" }, "Options"), this.chosen),
      this.#body(),
    );
    this.root.addEventListener("input", () => this.#update());
    this.#update();
  }

  #body() {
    const hint = "With commas between, such as: Parley, Anna Kowalska. Not every model can listen for them.";
    return h(
      "div",
      { class: "options-body" },
      this.speakers.root,
      h("div", { class: "field" }, h("label", { for: this.language.id }, "Language"), this.language),
      h(
        "div",
        { class: "field" },
        h("label", { for: this.names.id }, "Names and terms to expect"),
        this.names,
        h("p", { id: `${this.names.id}-hint`, class: "hint" }, hint),
      ),
      h("label", { class: "choice" }, this.wordsOnly, "Words only, without speakers"),
      this.fault,
    );
  }

  /** @returns {Record<string, any>} the fields of the request */
  fields() {
    const hotwords = this.names.value.split(",").map((/** @type {string} */ name) => name.trim());
    const given = hotwords.filter(Boolean);
    return {
      ...(this.wordsOnly.checked ? { diarize: false } : this.speakers.fields()),
      ...(this.language.value ? { language: this.language.value } : {}),
      ...(given.length ? { hotwords: given } : {}),
    };
  }

  /** Say what cannot be sent, and show it. @returns {string} empty if all can */
  wrong() {
    const found = this.wordsOnly.checked ? "" : this.speakers.wrong();
    this.root.open ||= found !== "";
    return found;
  }

  #update() {
    this.speakers.root.disabled = this.wordsOnly.checked;
    setText(this.fault, this.wordsOnly.checked ? "" : this.speakers.wrong());
    const speakers = this.wordsOnly.checked ? "words only" : this.speakers.inWords();
    const language = this.language.value && this.language.selectedOptions[0].text;
    setText(this.chosen, [speakers, language].filter(Boolean).join(", "));
  }
}

/** @returns {HTMLOptionElement[]} by name */
function languageOptions() {
  const sorted = Object.entries(LANGUAGES).sort(([, one], [, other]) => one.localeCompare(other));
  return sorted.map(([code, name]) => h("option", { value: code }, name));
}
