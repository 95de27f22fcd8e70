// Sending recordings: their progress, cancelling, trying again. Two go at a time, the others wait.

import { address, connection } from "./api.js";
import { errorFrom, inWords, noAnswer } from "./errors.js";
import { h, setText, show } from "./dom.js";
import { icon } from "./icons.js";
import { bytes } from "./wording.js";

/** @typedef {import("./api.js").Accepted} Accepted */
/** @typedef {import("./errors.js").ApiError} ApiError */

const AT_A_TIME = 2;

/** The recordings that are being sent, shown in `place`. */
export class Uploads {
  /**
   * @param {HTMLElement} place a section; hidden while there is nothing to send
   * @param {{onAccepted: (accepted: Accepted, alone: boolean) => void}} told
   */
  constructor(place, { onAccepted }) {
    this.place = place;
    this.onAccepted = onAccepted;
    this.maxBytes = /** @type {number | null} */ (null);
    this.list = h("ul", { class: "upload-list" });
    /** @type {Upload[]} */
    this.uploads = [];
    show(place, h("h2", {}, "Sending"), this.list);
    window.addEventListener("beforeunload", (event) => {
      if (this.uploads.some((upload) => upload.isUnfinished)) {
        event.preventDefault();
      }
    });
  }

  /** @param {Iterable<File>} files @param {Record<string, any>} fields of the request */
  add(files, fields) {
    const added = [...files].map((file) => new Upload(file, fields, this));
    for (const upload of added) {
      upload.alone = added.length === 1;
      this.uploads.push(upload);
      this.list.append(upload.row);
      upload.check(this.maxBytes);
    }
    this.next();
  }

  next() {
    this.place.hidden = this.uploads.length === 0;
    const sending = this.uploads.filter((upload) => upload.state === "sending").length;
    const waiting = this.uploads.filter((upload) => upload.state === "waiting");
    for (const upload of waiting.slice(0, Math.max(0, AT_A_TIME - sending))) {
      upload.send();
    }
  }

  /** @param {Upload} upload */
  remove(upload) {
    this.uploads = this.uploads.filter((other) => other !== upload);
    upload.row.remove();
    this.next();
  }
}

class Upload {
  /** @param {File} file @param {Record<string, any>} fields @param {Uploads} uploads */
  constructor(file, fields, uploads) {
    this.file = file;
    this.fields = fields;
    this.uploads = uploads;
    this.alone = false;
    /** @type {"waiting" | "sending" | "paused" | "failed"} */
    this.state = "waiting";
    /** @type {XMLHttpRequest | null} */
    this.request = null;
    this.timer = 0;
    this.bar = h("progress", { max: "1", value: "0", "aria-label": `Sending ${file.name}` });
    this.note = h("p", { class: "hint" }, "Waits its turn");
    this.again = h(
      "button",
      { type: "button", class: "button", hidden: true, onclick: () => this.retry() },
      icon("retry"),
      "Try again",
    );
    this.row = this.#row();
  }

  get isUnfinished() {
    return this.state !== "failed";
  }

  #row() {
    const cancel = h(
      "button",
      { type: "button", class: "button quiet icon-only", "aria-label": `Do not send ${this.file.name}` },
      icon("close"),
    );
    cancel.addEventListener("click", () => this.cancel());
    const name = h("p", { class: "upload-name" }, this.file.name);
    return h("li", { class: "upload" }, h("div", { class: "grow" }, name, this.bar, this.note), this.again, cancel);
  }

  /** Refuse at once what the server would refuse after minutes. @param {number | null} maxBytes */
  check(maxBytes) {
    if (this.file.size === 0) {
      this.fail("This file is empty. Choose another one.");
    } else if (maxBytes && this.file.size > maxBytes) {
      this.fail(
        `This file has ${bytes(this.file.size)}, the server takes ${bytes(maxBytes)} at most. Compress it, or send it in parts.`,
      );
    }
  }

  send() {
    this.state = "sending";
    setText(this.note, "Sending");
    const request = new XMLHttpRequest();
    this.request = request;
    request.open("POST", address("api/upload"));
    request.upload.addEventListener("progress", (event) => this.#sent(event));
    request.addEventListener("load", () => this.#answered(request));
    request.addEventListener("error", () => this.#refused(noAnswer()));
    request.send(this.#form());
  }

  #form() {
    const form = new FormData();
    for (const [name, value] of Object.entries(this.fields)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        form.append(name, String(one));
      }
    }
    form.append("file", this.file, this.file.name);
    return form;
  }

  /** @param {ProgressEvent} event */
  #sent(event) {
    this.bar.value = event.total ? event.loaded / event.total : 0;
    const rest =
      event.loaded < event.total ? `Sending: ${bytes(event.loaded)} of ${bytes(event.total)}` : "The server checks it";
    setText(this.note, rest);
  }

  /** @param {XMLHttpRequest} request */
  #answered(request) {
    connection.changed(false);
    if (request.status >= 200 && request.status < 300) {
      this.uploads.onAccepted(JSON.parse(request.responseText), this.alone);
      this.uploads.remove(this);
    } else if (request.status === 401) {
      this.#pause("Sign in to go on");
      connection.signIn().then(() => this.retry());
    } else {
      this.#refused(errorFrom(request.responseText, request.status, request.getResponseHeader("Retry-After")));
    }
  }

  /** @param {ApiError} error */
  #refused(error) {
    if (error.status === 429 && error.retryAfterS) {
      this.#pause(
        `${inWords({ message: error.message })} This file is sent again in ${Math.ceil(error.retryAfterS)} s.`,
      );
      this.timer = setTimeout(() => this.retry(), error.retryAfterS * 1000);
    } else {
      this.fail(inWords(error));
      this.again.hidden = false;
    }
    this.uploads.next();
  }

  /** @param {string} why */
  #pause(why) {
    this.state = "paused";
    this.note.textContent = why;
  }

  /** @param {string} why */
  fail(why) {
    this.state = "failed";
    this.bar.hidden = true;
    this.note.className = "fault";
    this.note.setAttribute("role", "alert");
    this.note.textContent = why;
  }

  retry() {
    clearTimeout(this.timer);
    this.state = "waiting";
    this.bar.hidden = false;
    this.bar.value = 0;
    this.again.hidden = true;
    this.note.className = "hint";
    this.note.removeAttribute("role");
    this.uploads.next();
  }

  cancel() {
    clearTimeout(this.timer);
    this.request?.abort();
    this.uploads.remove(this);
  }
}
