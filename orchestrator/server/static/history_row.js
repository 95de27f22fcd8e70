// One recording in the list.

import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { inWords } from "./errors.js";
import { stageOf } from "./stages.js";
import { clock, moment, STATE_NAMES, timeLeft } from "./wording.js";

/** @typedef {import("./api.js").JobStatus} JobStatus */

export class HistoryRow {
  /** @param {JobStatus} job @param {{onErase: () => void}} told */
  constructor(job, { onErase }) {
    this.job = job;
    this.link = h(
      "a",
      { class: "history-name", href: `#/jobs/${encodeURIComponent(job.job_id)}`, title: job.filename },
      job.filename,
    );
    this.badge = h("span", { class: "badge" });
    this.meta = h("p", { class: "hint history-meta" });
    this.bar = h("progress", { max: "100", "aria-label": `Progress of ${job.filename}` });
    const erase = h(
      "button",
      {
        type: "button",
        class: "button quiet icon-only",
        "aria-label": `Delete ${job.filename}`,
        title: "Delete",
        onclick: onErase,
      },
      icon("trash"),
    );
    const text = h(
      "div",
      { class: "grow" },
      h("div", { class: "history-line" }, this.link, this.badge),
      this.meta,
      this.bar,
    );
    this.root = h("li", { class: "history-row" }, text, erase);
    this.update(job);
  }

  /** @param {JobStatus} job */
  update(job) {
    this.job = job;
    this.root.dataset.state = job.status;
    this.badge.dataset.state = job.status;
    setText(this.badge, STATE_NAMES[job.status] ?? job.status);
    setText(this.meta, described(job));
    this.bar.hidden = job.status !== "running";
    this.bar.value = job.progress;
  }

  focus() {
    this.link.focus();
  }
}

/** @param {JobStatus} job @returns {string} */
function described(job) {
  const parts = [...how(job), job.duration ? clock(job.duration) : "", moment(job.created_at)];
  if (job.status === "failed" && job.error) {
    parts.push(inWords(job.error));
  }
  return parts.filter(Boolean).join(" · ");
}

/** @param {JobStatus} job @returns {string[]} how it is doing and when it will be done */
function how(job) {
  const left = job.eta_s === null || job.eta_s === undefined ? "" : timeLeft(job.eta_s);
  if (job.status === "running") {
    return [stageOf(job).name, `${Math.floor(job.progress)} %`, left];
  }
  if (job.status === "queued") {
    return [job.position === 1 ? "Next in line" : job.position ? `Number ${job.position} in line` : "", left];
  }
  return [];
}
