// The reader's recordings, newest first: how each is doing, opening and deleting it.

import { api } from "./api.js";
import { eraseAfterAsking } from "./erasing.js";
import { h, show, uniqueId } from "./dom.js";
import { inWords } from "./errors.js";
import { HistoryRow } from "./history_row.js";
import { isFinal } from "./live.js";
import { STATE_NAMES } from "./wording.js";

/** @typedef {import("./api.js").JobStatus} JobStatus */

const PAGE = 20;
const BUSY_MS = 1500;
const IDLE_MS = 20000;
const ASKED_ONE_BY_ONE = 5; // running jobs of later pages

/** The list of jobs; it asks for news as long as it is shown. */
export class History {
  /** @param {{onEmpty: (empty: boolean) => void}} told */
  constructor({ onEmpty }) {
    this.onEmpty = onEmpty;
    /** @type {Map<string, HistoryRow>} */
    this.rows = new Map();
    this.cursor = /** @type {string | null} */ (null);
    this.timer = 0;
    this.isShown = false;
    this.asked = 0;
    this.#build();
  }

  #build() {
    const id = uniqueId("history");
    this.filter = h(
      "select",
      { "aria-label": "Which recordings are listed", onchange: () => this.reload() },
      h("option", { value: "" }, "All"),
    );
    this.filter.append(...Object.entries(STATE_NAMES).map(([state, name]) => h("option", { value: state }, name)));
    this.list = h("ul", { class: "history-list", "aria-labelledby": id });
    this.note = h("p", { class: "hint history-note", role: "status", hidden: true });
    this.more = h(
      "button",
      { type: "button", class: "button", hidden: true, onclick: () => this.loadMore() },
      "Show earlier ones",
    );
    this.root = h(
      "section",
      { class: "history", "aria-labelledby": id },
      h("header", { class: "history-head" }, h("h2", { id }, "Your recordings"), this.filter),
      this.note,
      this.list,
      this.more,
    );
  }

  show() {
    this.isShown = true;
    return this.refresh();
  }

  hide() {
    this.isShown = false;
    clearTimeout(this.timer);
  }

  /** Begin anew, as after the filter was changed. */
  reload() {
    this.rows.clear();
    this.cursor = null;
    show(this.list);
    return this.refresh();
  }

  /** Ask for the newest, and for those below that are not done. */
  async refresh() {
    clearTimeout(this.timer);
    const asked = (this.asked += 1);
    try {
      const page = await api.jobs({ limit: PAGE, status: this.filter.value });
      if (asked === this.asked) {
        this.#newest(page);
        await this.#laterOnes(new Set(page.jobs.map((job) => job.job_id)));
        this.#say("");
      }
    } catch (error) {
      this.#say(inWords(error));
    }
    if (asked === this.asked) {
      this.#again();
    }
  }

  #again() {
    const busy = [...this.rows.values()].some((row) => !isFinal(row.job));
    if (this.isShown) {
      this.timer = setTimeout(() => (document.hidden ? this.#again() : this.refresh()), busy ? BUSY_MS : IDLE_MS);
    }
  }

  /** Where there may be others between these and those known, the latter are asked for again later.
   * @param {import("./api.js").JobPage} page */
  #newest(page) {
    const ids = new Set(page.jobs.map((job) => job.job_id));
    const oldest = page.jobs.at(-1)?.created_at ?? "";
    const mayMiss = page.next_cursor !== null && page.jobs.every((job) => !this.rows.has(job.job_id));
    for (const [id, row] of this.rows) {
      if (!ids.has(id) && (mayMiss || page.next_cursor === null || row.job.created_at > oldest)) {
        this.#drop(id);
      }
    }
    [...page.jobs].reverse().forEach((job) => this.#put(job, true));
    if (this.rows.size <= page.jobs.length) {
      this.cursor = page.next_cursor;
    }
    this.#counted();
  }

  /** @param {Set<string>} known */
  async #laterOnes(known) {
    const open = [...this.rows.values()].filter((row) => !known.has(row.job.job_id) && !isFinal(row.job));
    for (const row of open.slice(0, ASKED_ONE_BY_ONE)) {
      row.update(await api.status(row.job.job_id));
    }
  }

  async loadMore() {
    this.more.disabled = true;
    try {
      const page = await api.jobs({ limit: PAGE, cursor: this.cursor, status: this.filter.value });
      this.cursor = page.next_cursor;
      const first = page.jobs.map((job) => this.#put(job, false))[0];
      this.#counted();
      first?.focus();
    } catch (error) {
      this.#say(inWords(error));
    }
    this.more.disabled = false;
  }

  /** @param {JobStatus} job @param {boolean} first @returns {HistoryRow} */
  #put(job, first) {
    let row = this.rows.get(job.job_id);
    if (row) {
      row.update(job);
    } else {
      row = new HistoryRow(job, { onErase: () => this.erase(job.job_id) });
      this.rows.set(job.job_id, row);
      first ? this.list.prepend(row.root) : this.list.append(row.root);
    }
    return row;
  }

  /** @param {string} id */
  async erase(id) {
    const row = this.rows.get(id);
    if (row && (await eraseAfterAsking(row.job))) {
      const next = row.root.nextElementSibling ?? row.root.previousElementSibling;
      this.#drop(id);
      this.#counted();
      /** @type {HTMLElement | null | undefined} */ (next?.querySelector("button"))?.focus();
    }
  }

  /** @param {string} id */
  #drop(id) {
    this.rows.get(id)?.root.remove();
    this.rows.delete(id);
  }

  #counted() {
    this.more.hidden = this.cursor === null;
    const none = this.rows.size === 0;
    this.onEmpty(none && this.filter.value === "");
    if (none && this.filter.value) {
      show(
        this.list,
        h("li", { class: "hint history-none" }, `None is ${STATE_NAMES[this.filter.value].toLowerCase()}.`),
      );
    } else {
      this.list.querySelector(".history-none")?.remove();
    }
  }

  /** @param {string} text */
  #say(text) {
    this.note.textContent = text;
    this.note.hidden = text === "";
  }
}
