/** How it stands with the saving, in words: beside the tools, and across the page where the user has to do something. */

import { h, setText, show } from "../dom.js";
import { inWords } from "../errors.js";

const WORDS = {
  saved: "Saved",
  unsaved: "Not saved yet",
  saving: "Saving…",
  retrying: "Not saved, retrying",
  refused: "Not saved",
  conflict: "Not saved",
};
const SAID = new Set(["saved", "retrying", "refused", "conflict"]);
const CONFLICT = "This transcript was changed somewhere else meanwhile. What you change here is not saved any more.";

export class SaveStatus {
  /** @param {{announce: (text: string) => void, onReload: () => void, onKeep: () => void}} how */
  constructor({ announce, onReload, onKeep }) {
    this.announce = announce;
    this.element = h("span", { class: "save-state", "data-state": "saved" });
    this.text = h("p", {});
    const reload = h("button", { type: "button", onclick: onReload }, "Show the other version");
    const keep = h("button", { type: "button", onclick: onKeep }, "Keep mine");
    this.choices = h("div", { class: "conflict-choices" }, reload, keep);
    this.notice = h("div", { class: "conflict", role: "alert", hidden: true });
  }

  /** @param {import("./autosave.js").SaveState} state @param {any} [error] why it is refused */
  show(state, error) {
    this.element.dataset.state = state;
    setText(this.element, WORDS[state]);
    this.tell(state, error);
    if (SAID.has(state)) {
      this.announce(WORDS[state]);
    }
  }

  tell(state, error) {
    const conflict = state === "conflict";
    const refused = state === "refused" && error;
    if (conflict || refused) {
      setText(this.text, conflict ? CONFLICT : `Your last changes are not saved. ${inWords(error)}`);
      show(this.notice, this.text, conflict && this.choices);
    }
    this.notice.hidden = !conflict && !refused;
  }
}
