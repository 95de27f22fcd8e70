// What happens to one job, as it happens: the server's events, and questions now and then where they do not come.

import { api, connection } from "./api.js";

/** @typedef {import("./api.js").JobStatus} JobStatus */
/** @typedef {{kind: "words", segments: any[]} | {kind: "speakers", timeline: any[]}} Partial */

const FINAL = new Set(["completed", "failed", "cancelled"]);
const QUIET_MS = 5000; // a proxy may hold events back: after so long without one the server is asked
const PAUSES_MS = [500, 1000, 2000];

/** @param {JobStatus} status @returns {boolean} */
export const isFinal = (status) => FINAL.has(status.status);

/**
 * Tell of a job until it has ended or `stop` is called.
 * @param {string} jobId
 * @param {{onStatus: (status: JobStatus) => void, onPartial: (partial: Partial) => void, onFault: (error: any) => void}} told
 * @returns {{stop: () => void}}
 */
export function follow(jobId, told) {
  const follower = new Follower(jobId, told);
  follower.open();
  return { stop: () => follower.stop() };
}

class Follower {
  /** @param {string} jobId @param {any} told */
  constructor(jobId, told) {
    this.jobId = jobId;
    this.told = told;
    this.ended = false;
    this.failures = 0;
    /** @type {EventSource | null} */
    this.source = null;
    this.timer = 0;
  }

  open() {
    this.source = new EventSource(api.eventsUrl(this.jobId), { withCredentials: true });
    for (const name of ["status", "complete", "completed", "failed", "cancelled"]) {
      this.source.addEventListener(name, (event) => this.heard(() => this.tell(JSON.parse(event.data))));
    }
    this.source.addEventListener("partial", (event) => this.heard(() => this.told.onPartial(JSON.parse(event.data))));
    this.source.addEventListener("error", () => this.broken());
    this.waitQuietly();
  }

  /** @param {() => void} tell */
  heard(tell) {
    if (!this.ended) {
      this.failures = 0;
      connection.changed(false);
      tell();
      this.waitQuietly();
    }
  }

  /** @param {JobStatus} status */
  tell(status) {
    if (isFinal(status)) {
      this.stop();
    }
    this.told.onStatus(status);
  }

  waitQuietly() {
    clearTimeout(this.timer);
    if (!this.ended) {
      this.timer = setTimeout(() => this.ask(), QUIET_MS);
    }
  }

  /** The events ended or did not come: ask once, then listen again, later each time that fails. */
  broken() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
    if (!this.ended) {
      const pause = PAUSES_MS[Math.min(this.failures, PAUSES_MS.length - 1)];
      this.failures += 1;
      this.timer = setTimeout(() => this.ask(), pause);
    }
  }

  async ask() {
    try {
      const status = await api.status(this.jobId, { attempts: 1 });
      if (!this.ended) {
        this.tell(status);
      }
    } catch (error) {
      this.refused(error);
    }
    if (!this.ended) {
      this.goOn();
    }
  }

  goOn() {
    if (this.source === null && !connection.isLost) {
      this.open();
    } else if (this.source === null) {
      this.broken();
    } else {
      this.waitQuietly();
    }
  }

  /** @param {any} error */
  refused(error) {
    const passing = error.status === 0 || error.status === 429 || error.status >= 500;
    if (!passing && !this.ended) {
      this.stop();
      this.told.onFault(error);
    }
  }

  stop() {
    this.ended = true;
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
