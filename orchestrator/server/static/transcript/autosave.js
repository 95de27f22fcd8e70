/** Saving by itself, shortly after the last change, one save at a time, again and again where it fails. */

import { sameDocument } from "./document.js";

/** @typedef {"saved"|"unsaved"|"saving"|"retrying"|"refused"|"conflict"} SaveState */

const DELAY_MS = 800;
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 30_000;
const MOST_UNANSWERED = 20;
const MAY_SUCCEED_LATER = new Set([401, 408, 429]);

export class Autosave {
  /**
   * @param {object} options
   * @param {() => object} options.current what is to be saved
   * @param {(document: object, version: number) => Promise<number>} options.save
   * @param {() => Promise<{version: number, document: object|null}>} options.latest what the server keeps
   * @param {number} options.version the version that the edits are based on
   * @param {(state: SaveState, error?: any) => void} options.onState told the reason, too, where it is refused
   */
  constructor({ current, save, latest, version, onState }) {
    Object.assign(this, { current, save, latest, version, onState });
    this.state = "saved";
    this.timer = 0;
    this.failures = 0;
    this.running = null;
    this.unanswered = []; // documents that may have been kept although no answer came
    this.back = () => this.state === "retrying" && this.flush().catch(() => {});
    addEventListener("online", this.back);
  }

  /** Tell that something changed. */
  changed(delay = DELAY_MS) {
    if (this.state === "conflict") {
      return;
    }
    this.dirty = true;
    if (this.state !== "retrying") {
      this.show("unsaved");
      this.later(delay);
    }
  }

  /** Save now what is unsaved; rejects if it cannot be. */
  async flush() {
    clearTimeout(this.timer);
    if (this.state === "conflict") {
      throw new Error("the transcript was changed elsewhere, so that these edits are not saved");
    }
    await this.running?.catch(() => {});
    while (this.dirty) {
      this.running = this.attempt();
      await this.running;
    }
  }

  /** Save this over what somebody else saved; rejects if it cannot be. */
  async overwrite() {
    this.version = (await this.latest()).version;
    this.show("unsaved");
    await this.flush();
  }

  /** Save no more. */
  destroy() {
    clearTimeout(this.timer);
    removeEventListener("online", this.back);
    this.closed = true;
  }

  async attempt() {
    clearTimeout(this.timer);
    this.dirty = false;
    this.show(this.failures ? "retrying" : "saving");
    const document = this.current();
    try {
      this.version = await this.save(document, this.version);
      this.failures = 0;
      this.unanswered = [];
      this.show(this.dirty ? "unsaved" : "saved");
    } catch (error) {
      await this.failed(error, document);
    } finally {
      this.running = null;
    }
  }

  /** Rejects with the error, unless the other version turns out to be the own one. */
  async failed(error, document) {
    this.dirty = true;
    if (isConflict(error)) {
      await this.conflicted(error);
    } else if (isFinal(error)) {
      this.refused(error);
    } else {
      this.unanswered = [...this.unanswered, document].slice(-MOST_UNANSWERED);
      this.retry(error);
    }
  }

  async conflicted(error) {
    const kept = await this.latest().catch((reason) => (isFinal(reason) ? this.refused(reason) : this.retry(reason)));
    if (kept.version === this.version) {
      this.refused(error);
    }
    if (!this.unanswered.some((document) => sameDocument(document, kept.document))) {
      this.show("conflict");
      throw error;
    }
    this.version = kept.version;
    this.unanswered = [];
  }

  refused(error) {
    this.failures = 0;
    this.show("refused", error);
    throw error;
  }

  retry(error) {
    this.failures += 1;
    this.show("retrying");
    this.later(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.failures - 1)));
    throw error;
  }

  later(delay) {
    clearTimeout(this.timer);
    this.timer = this.closed ? 0 : setTimeout(() => this.flush().catch(() => {}), delay);
  }

  show(state, error) {
    if ((state !== this.state || error) && !this.closed) {
      this.state = state;
      this.onState(state, error);
    }
  }
}

/** Tell whether somebody else saved another version meanwhile: the server's 409. */
export function isConflict(error) {
  return error?.status === 409 || error?.code === "edit_conflict";
}

/** Tell whether the server will not take it however often it is asked. */
function isFinal({ status }) {
  return status >= 400 && status < 500 && !MAY_SUCCEED_LATER.has(status);
}
