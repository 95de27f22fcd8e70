// A job that is under way: its stage, how far it is, how long it will take, what was found so far.

import { api } from "./api.js";
import { h, setText, show } from "./dom.js";
import { Found } from "./found.js";
import { icon } from "./icons.js";
import { warn } from "./notices.js";
import { STAGES, stageIndex, stageOf } from "./stages.js";
import { timeLeft } from "./wording.js";

/** @typedef {import("./api.js").JobStatus} JobStatus */

const TOLD_EVERY = 25; // percent: a screen reader is not told of each one

/** What is shown until there is a transcript. */
export class Progress {
  /** @param {string} jobId */
  constructor(jobId) {
    this.jobId = jobId;
    this.said = "";
    this.headline = h("h2", { class: "progress-headline" });
    this.numbers = h("p", { class: "hint progress-numbers" });
    this.bar = h("progress", { max: "100", value: "0", "aria-label": "Progress" });
    this.stages = STAGES.map((stage) => h("li", {}, h("span", { class: "stage-mark" }), h("span", {}, stage.name)));
    this.live = h("p", { class: "visually-hidden", role: "status" });
    this.cancel = h("button", { type: "button", class: "button", onclick: () => this.stop() }, icon("close"), "Cancel");
    this.found = new Found();
    const text = h("div", { class: "grow" }, this.headline, this.numbers);
    const card = h(
      "section",
      { class: "card progress-card", "aria-label": "Progress" },
      h("div", { class: "row" }, text, this.cancel),
      this.bar,
      h("ol", { class: "stages" }, this.stages),
      this.live,
    );
    this.root = h("div", { class: "stack" }, card, this.found.root);
  }

  /** @param {JobStatus} job */
  update(job) {
    const stage = stageOf(job);
    setText(this.headline, job.status === "queued" ? place(job) : stage.name);
    setText(
      this.numbers,
      [job.status === "queued" ? "" : `${Math.floor(job.progress)} %`, left(job)].filter(Boolean).join(" · "),
    );
    this.bar.value = job.progress;
    const at = stageIndex(job);
    this.stages.forEach((item, index) => {
      item.className = index < at ? "done" : index === at ? "now" : "";
      show(item.firstElementChild, index < at && icon("check"));
      index === at ? item.setAttribute("aria-current", "step") : item.removeAttribute("aria-current");
    });
    this.tell(job);
  }

  /** @param {JobStatus} job */
  tell(job) {
    const quarter = Math.floor(job.progress / TOLD_EVERY) * TOLD_EVERY;
    setText(this.live, job.status === "queued" ? place(job) : `${stageOf(job).name}, ${quarter} percent`);
  }

  async stop() {
    this.cancel.disabled = true;
    setText(this.live, "Cancelling");
    try {
      await api.cancel(this.jobId);
    } catch (error) {
      warn(error);
      this.cancel.disabled = false;
    }
  }
}

/** @param {JobStatus} job @returns {string} */
function place({ position }) {
  if (!position) {
    return "Waiting for its turn";
  }
  return position === 1 ? "Waiting: next in line" : `Waiting: number ${position} in line`;
}

/** @param {JobStatus} job @returns {string} */
function left({ eta_s: seconds, status }) {
  if (seconds === null || seconds === undefined) {
    return status === "queued" ? "Recordings are done one after the other." : "";
  }
  return timeLeft(seconds);
}
