// One recording: its progress, then its transcript, or why there is none.

import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { h, setText, show } from "./dom.js";
import { eraseAfterAsking } from "./erasing.js";
import { inWords } from "./errors.js";
import { exportMenu } from "./export.js";
import { icon } from "./icons.js";
import { follow, isFinal } from "./live.js";
import { notice } from "./notices.js";
import { Progress } from "./progress.js";
import { askToRediarize } from "./rediarize.js";
import { showTurns } from "./turns.js";
import { clock, moment } from "./wording.js";

/** @typedef {import("./api.js").JobStatus} JobStatus */

export class JobPage {
  /** @param {string} jobId @param {{onTitle: (title: string) => void}} told */
  constructor(jobId, { onTitle }) {
    this.jobId = jobId;
    this.onTitle = onTitle;
    this.isLeft = false;
    /** @type {any} */
    this.transcript = null;
    /** @type {Promise<boolean> | null} */
    this.asking = null;
    /** @type {Progress | null} */
    this.progress = null;
    /** @type {{stop: () => void} | null} */
    this.following = null;
    this.title = h("h1", { tabindex: "-1" }, "Recording");
    this.meta = h("p", { class: "hint" });
    this.actions = h("div", { class: "row job-actions" });
    this.body = h("div", { class: "job-body" }, h("p", { class: "hint", role: "status" }, "Loading…"));
    const back = h(
      "a",
      { class: "button quiet icon-only", href: "#/", "aria-label": "All recordings", title: "All recordings" },
      icon("back"),
    );
    this.root = h(
      "div",
      { class: "job" },
      h("header", { class: "job-head" }, back, h("div", { class: "grow" }, this.title, this.meta), this.actions),
      this.body,
    );
  }

  async open() {
    try {
      const job = await api.status(this.jobId);
      if (this.isLeft) {
        return;
      }
      this.#update(job);
      if (!isFinal(job)) {
        const onPartial = (/** @type {any} */ partial) => this.progress?.found.update(partial);
        this.following = follow(this.jobId, {
          onStatus: (status) => this.#update(status),
          onPartial,
          onFault: (error) => this.#refused(error),
        });
      }
    } catch (error) {
      this.#refused(error);
    }
  }

  /** Save what is not saved; where that fails, ask whether it may be lost. @returns {Promise<boolean>} */
  mayLeave() {
    this.asking ??= this.#saved().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  async #saved() {
    try {
      await this.transcript?.flush();
      return true;
    } catch (error) {
      const text = `Your last changes to this transcript are not saved. ${inWords(error)}`;
      return confirmed({ title: "Leave without saving?", text, yes: "Leave and lose them", no: "Stay" });
    }
  }

  async leave() {
    this.isLeft = true;
    this.following?.stop();
    this.transcript?.destroy();
    this.transcript = null;
  }

  /** The server answers again, or somebody signed in. */
  again() {
    this.transcript?.retry();
  }

  /** @param {JobStatus} job */
  #update(job) {
    if (this.isLeft) {
      return;
    }
    setText(this.title, job.filename);
    this.title.title = job.filename;
    setText(
      this.meta,
      [job.duration && clock(job.duration), moment(job.created_at), job.cached && "answered from an earlier result"]
        .filter(Boolean)
        .join(" · "),
    );
    this.onTitle(isFinal(job) ? job.filename : `${Math.floor(job.progress)} % · ${job.filename}`);
    if (!isFinal(job)) {
      this.#showProgress(job);
      return;
    }
    this.following?.stop();
    this.#showActions(job);
    job.status === "completed" ? this.#showResult(job) : this.#showEnd(job);
  }

  /** @param {JobStatus} job */
  #showProgress(job) {
    if (!this.progress) {
      this.progress = new Progress(this.jobId);
      show(this.body, this.progress.root);
    }
    this.progress.update(job);
  }

  /** @param {JobStatus} job */
  #showActions(job) {
    const completed = job.status === "completed";
    const saved = async () => this.transcript?.flush();
    const again = h(
      "button",
      { type: "button", class: "button", onclick: () => askToRediarize(job, openJob) },
      icon("people"),
      "Redo speakers",
    );
    const erase = h(
      "button",
      {
        type: "button",
        class: "button quiet icon-only",
        "aria-label": "Delete this recording",
        title: "Delete",
        onclick: () => this.#erase(job),
      },
      icon("trash"),
    );
    show(this.actions, completed && exportMenu({ job, saved }), completed && job.has_audio && again, erase);
  }

  /** @param {JobStatus} job */
  async #erase(job) {
    if (await eraseAfterAsking(job)) {
      this.transcript?.destroy();
      this.transcript = null;
      location.hash = "#/";
    }
  }

  /** @param {JobStatus} job */
  async #showResult(job) {
    try {
      const [{ mountTranscript }, result, edits, peaks] = await Promise.all([
        import("./transcript/mount.js"), // large, and not needed before
        api.result(this.jobId),
        api.edits(this.jobId),
        job.has_audio ? api.peaks(this.jobId).catch(() => null) : null,
      ]);
      if (!this.isLeft) {
        this.#mount(job, mountTranscript, { result, edits, peaks });
      }
    } catch (error) {
      this.#refused(error);
    }
  }

  /** @param {JobStatus} job @param {any} mountTranscript @param {{result: any, edits: any, peaks: any}} found */
  #mount(job, mountTranscript, { result, edits, peaks }) {
    const root = h("div", { class: "transcript-place" });
    show(this.body, warnings(result), root);
    this.progress = null;
    if (!result.segments) {
      showTurns(root, result);
      return;
    }
    this.transcript = mountTranscript(root, {
      jobId: this.jobId,
      filename: job.filename,
      result,
      edits,
      audioUrl: job.has_audio ? api.audioUrl(this.jobId) : null,
      peaks,
      onSave: (/** @type {any} */ document, /** @type {number} */ version) =>
        api.saveEdits(this.jobId, document, version),
      onLatest: () => api.edits(this.jobId),
      onConflict: () => this.#showNewest(job),
    });
  }

  /** Show what somebody else saved meanwhile, in place of what is here. @param {JobStatus} job */
  async #showNewest(job) {
    this.transcript?.destroy();
    this.transcript = null;
    await this.#showResult(job);
    notice("The version that was saved last is shown.");
  }

  /** A job that failed or was cancelled. @param {JobStatus} job */
  #showEnd(job) {
    const failed = job.status === "failed";
    const text = failed ? inWords(job.error) : "It was cancelled before there was a result.";
    const id = failed && job.error?.request_id;
    const card = h(
      "section",
      { class: "card ending" },
      h("h2", {}, icon(failed ? "alert" : "stop"), failed ? "This did not work" : "Cancelled"),
      h("p", failed ? { role: "alert" } : {}, text),
      id && h("p", { class: "hint" }, `To find it in the server's log: request ${id}`),
      h("p", {}, h("a", { class: "button", href: "#/" }, "Try another recording")),
    );
    show(this.body, card);
    this.progress = null;
  }

  /** @param {any} error */
  #refused(error) {
    if (this.isLeft) {
      return;
    }
    const missing = error.status === 404;
    setText(this.title, missing ? "There is no such recording" : this.title.textContent);
    const again = h(
      "button",
      { type: "button", class: "button", onclick: () => this.open() },
      icon("retry"),
      "Try again",
    );
    const action = missing ? h("a", { class: "button", href: "#/" }, "All recordings") : again;
    show(
      this.body,
      h("section", { class: "card ending" }, h("p", { role: "alert" }, inWords(error)), h("p", {}, action)),
    );
    this.progress = null;
  }
}

/** @param {import("./api.js").Accepted} accepted */
function openJob(accepted) {
  location.hash = `#/jobs/${encodeURIComponent(accepted.job_id)}`;
}

/** @param {any} result @returns {HTMLElement | null} what the server wants the reader to know of the result */
function warnings({ warnings: told }) {
  if (!Array.isArray(told) || told.length === 0) {
    return null;
  }
  const texts = told.map((one) => (typeof one === "string" ? one : (one?.message ?? "")));
  return h(
    "ul",
    { class: "warnings", "aria-label": "Notes on this result" },
    texts.filter(Boolean).map((text) => h("li", {}, text)),
  );
}
