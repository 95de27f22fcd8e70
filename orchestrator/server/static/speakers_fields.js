// The fields that say how many people speak in a recording.

import { h, uniqueId } from "./dom.js";

const MOST = 100;

export class SpeakersFields {
  constructor() {
    this.exact = countInput("Number of speakers", 2);
    this.least = countInput("At least", 2);
    this.most = countInput("At most", 4);
    const name = uniqueId("speakers");
    const [auto, exactly, between] = ["auto", "exactly", "between"].map((value) =>
      h("input", { type: "radio", name, value, checked: value === "auto" }),
    );
    this.exactly = exactly;
    this.between = between;
    chosenByUse(exactly, [this.exact]);
    chosenByUse(between, [this.least, this.most]);
    this.root = h(
      "fieldset",
      { class: "speakers" },
      h("legend", {}, "Speakers"),
      h("label", { class: "choice" }, auto, "Find out how many"),
      h("div", { class: "choice" }, h("label", { class: "choice" }, exactly, "Exactly"), this.exact),
      h("div", { class: "choice" }, h("label", { class: "choice" }, between, "Between"), this.least, "and", this.most),
    );
  }

  /** @returns {Record<string, number>} the fields of the request */
  fields() {
    if (this.exactly.checked) {
      return { num_speakers: Number(this.exact.value) };
    }
    if (this.between.checked) {
      return { min_speakers: Number(this.least.value), max_speakers: Number(this.most.value) };
    }
    return {};
  }

  /** @returns {string} what is wrong with them, empty if nothing */
  wrong() {
    const fields = this.fields();
    if (Object.values(fields).some((count) => !Number.isInteger(count) || count < 1 || count > MOST)) {
      return `Give a whole number of speakers from 1 to ${MOST}.`;
    }
    const { min_speakers: least = 1, max_speakers: most = MOST } = fields;
    return least > most ? "The least number of speakers is above the greatest. Change one of them." : "";
  }

  /** @returns {string} such as `2 to 4 speakers` */
  inWords() {
    const { num_speakers: exact, min_speakers: least, max_speakers: most } = this.fields();
    if (exact) {
      return exact === 1 ? "1 speaker" : `${exact} speakers`;
    }
    return least ? `${least} to ${most} speakers` : "any number of speakers";
  }
}

/** @param {string} label @param {number} value @returns {HTMLInputElement} */
function countInput(label, value) {
  const bounds = { min: "1", max: String(MOST), value: String(value) };
  return h("input", { type: "number", class: "number", inputmode: "numeric", "aria-label": label, ...bounds });
}

/** @param {HTMLInputElement} choice @param {HTMLInputElement[]} inputs whoever writes there means this choice */
function chosenByUse(choice, inputs) {
  for (const input of inputs) {
    input.addEventListener("input", () => {
      choice.checked = true;
    });
  }
}
