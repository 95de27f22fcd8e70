// The dialog that records: level, time, pause, stop; then listen, and transcribe or discard.

import { confirmed, openDialog } from "./dialogs.js";
import { h, setText, show } from "./dom.js";
import { icon } from "./icons.js";
import { Microphone, refusal } from "./microphone.js";
import { clock } from "./wording.js";

const LEVEL_MS = 60;

/**
 * Record from the microphone.
 * @param {(file: File) => void} onRecorded called when the reader wants it transcribed
 */
export async function record(onRecorded) {
  const recorder = new Recorder(onRecorded);
  await recorder.ask();
}

class Recorder {
  /** @param {(file: File) => void} onRecorded */
  constructor(onRecorded) {
    this.onRecorded = onRecorded;
    /** @type {Microphone | null} */
    this.microphone = null;
    /** @type {File | null} */
    this.file = null;
    this.timer = 0;
    this.url = "";
    this.body = h("div", { class: "stack recorder" });
    const { dialog, close, closed } = openDialog({ title: "Record" }, this.body);
    this.close = close;
    this.isOpen = true;
    this.listen(dialog);
    closed.then(() => this.cleanUp());
  }

  /** Closing asks first when there is something to lose. @param {HTMLDialogElement} dialog */
  listen(dialog) {
    dialog.addEventListener("cancel", (event) => this.leave(event));
    dialog
      .querySelector("[aria-label=Close]")
      ?.addEventListener("click", (event) => this.leave(event), { capture: true });
    this.onLeave = (/** @type {Event} */ event) => this.hasSound && event.preventDefault();
    window.addEventListener("beforeunload", this.onLeave);
  }

  get hasSound() {
    return this.microphone !== null || this.file !== null;
  }

  /** @param {Event} event */
  async leave(event) {
    if (this.hasSound) {
      event.preventDefault();
      event.stopImmediatePropagation();
      await this.discard();
    }
  }

  async discard() {
    const question = {
      title: "Discard this recording?",
      text: "It has not been transcribed and is not kept anywhere.",
      yes: "Discard",
      no: "Keep it",
    };
    if (await confirmed(question)) {
      this.close();
    }
  }

  async ask() {
    show(this.body, h("p", { role: "status" }, "Allow the microphone in your browser to begin."));
    try {
      this.microphone = await Microphone.open();
    } catch (error) {
      this.refused(error);
      return;
    }
    if (this.isOpen) {
      this.start();
    } else {
      this.microphone.release();
    }
  }

  /** @param {unknown} error */
  refused(error) {
    const again = h(
      "button",
      { type: "button", class: "button", onclick: () => this.ask() },
      icon("retry"),
      "Try again",
    );
    show(
      this.body,
      h("p", { class: "fault", role: "alert" }, refusal(error)),
      h("div", { class: "dialog-buttons" }, again),
    );
    again.focus();
  }

  start() {
    const microphone = /** @type {Microphone} */ (this.microphone);
    const state = h("span", { role: "status" }, "Recording");
    const time = h("span", { class: "recorder-time", role: "timer" }, "0:00");
    const level = h("meter", { min: "0", max: "1", value: "0", class: "level", "aria-label": "Loudness" });
    const pause = h("button", { type: "button", class: "button" }, icon("pause"), "Pause");
    const stop = h(
      "button",
      { type: "button", class: "button primary", onclick: () => this.stop() },
      icon("stop"),
      "Stop",
    );
    pause.addEventListener("click", () => this.#pauseOrResume(pause, state));
    const head = h("p", { class: "recorder-state" }, h("span", { class: "recorder-dot" }), state, time);
    show(this.body, head, level, h("div", { class: "dialog-buttons" }, pause, stop));
    stop.focus();
    microphone.start();
    this.timer = setInterval(() => {
      level.value = microphone.since ? microphone.level() : 0;
      setText(time, clock(Math.floor(microphone.elapsedMs / 1000)));
    }, LEVEL_MS);
  }

  /** @param {HTMLButtonElement} button @param {HTMLElement} state */
  #pauseOrResume(button, state) {
    const microphone = /** @type {Microphone} */ (this.microphone);
    if (microphone.since) {
      microphone.pause();
      show(button, icon("microphone"), "Go on");
    } else {
      microphone.resume();
      show(button, icon("pause"), "Pause");
    }
    setText(state, microphone.since ? "Recording" : "Paused");
    this.body.classList.toggle("paused", !microphone.since);
  }

  async stop() {
    clearInterval(this.timer);
    const microphone = /** @type {Microphone} */ (this.microphone);
    this.file = await microphone.stop();
    this.microphone = null;
    if (this.isOpen) {
      this.#offer(this.file, microphone.elapsedMs / 1000);
    }
  }

  /** @param {File} file @param {number} seconds */
  #offer(file, seconds) {
    this.url = URL.createObjectURL(file);
    const send = h("button", { type: "button", class: "button primary" }, "Transcribe");
    send.addEventListener("click", () => {
      this.file = null;
      this.close();
      this.onRecorded(file);
    });
    const buttons = h(
      "div",
      { class: "dialog-buttons" },
      h("button", { type: "button", class: "button", onclick: () => this.discard() }, "Discard"),
      send,
    );
    const listen = h("audio", { controls: true, src: this.url, "aria-label": "What was recorded" });
    show(this.body, h("p", {}, `Recorded ${clock(seconds)}. Listen to it, or transcribe it now.`), listen, buttons);
    send.focus();
  }

  cleanUp() {
    this.isOpen = false;
    clearInterval(this.timer);
    this.microphone?.release();
    URL.revokeObjectURL(this.url);
    window.removeEventListener("beforeunload", /** @type {any} */ (this.onLeave));
  }
}
