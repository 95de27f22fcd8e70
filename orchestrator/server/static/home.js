// The first view: what to give, and what was given before.

import { addressForm } from "./address.js";
import { h } from "./dom.js";
import { dropArea } from "./drop.js";
import { History } from "./history.js";
import { icon } from "./icons.js";
import { Options } from "./options.js";
import { record } from "./recorder.js";

/** @typedef {import("./api.js").Accepted} Accepted */

export class Home {
  /** @param {{onFiles: (files: File[], fields: Record<string, any>) => void, onAccepted: (accepted: Accepted) => void}} told */
  constructor({ onFiles, onAccepted }) {
    this.onFiles = onFiles;
    this.options = new Options();
    this.history = new History({ onEmpty: (empty) => this.root.classList.toggle("first-time", empty) });
    const microphone = h(
      "button",
      { type: "button", class: "button", onclick: () => record((file) => this.send([file])) },
      icon("microphone"),
      "Record from the microphone",
    );
    const link = addressForm({ fields: () => this.options.fields(), wrong: () => this.options.wrong(), onAccepted });
    this.title = h("h1", { tabindex: "-1" }, "Who said what");
    const invitation = h(
      "p",
      { class: "lead" },
      "Give a recording, get its words with the right speaker on every one of them.",
    );
    this.place = h(
      "p",
      { class: "hint", hidden: true },
      "Recordings are transcribed on this server's own machines.",
    );
    const card = h(
      "div",
      { class: "card stack" },
      dropArea((files) => this.send(files)),
      microphone,
      link,
      this.options.root,
    );
    const give = h("div", { class: "give" }, h("div", { class: "intro" }, this.title, invitation, this.place), card);
    this.root = h("div", { class: "home first-time" }, give, this.history.root);
  }

  /** @param {File[]} files */
  send(files) {
    if (this.options.wrong() === "") {
      this.onFiles(files, this.options.fields());
    }
  }

  async open() {
    await this.history.show();
  }

  async mayLeave() {
    return true;
  }

  async leave() {
    this.history.hide();
  }

  /** The server answers again, or somebody signed in. */
  again() {
    this.history.refresh();
  }

  /** Say where recordings are worked on, where that is known. @param {import("./api.js").Session} session */
  told({ own_workers }) {
    this.place.hidden = own_workers !== true;
  }
}
