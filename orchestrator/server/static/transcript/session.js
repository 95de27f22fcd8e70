/** What is edited and what of it is selected, with whom to tell of a change. */

import { indexOfKey } from "./document.js";
import { openHistory, record, redo, undo } from "./history.js";
import { positionOf, rangeBetween } from "./operations.js";

/**
 * @typedef {{key: number, word: number}} Place a word by its segment's key
 * @typedef {{edited: boolean, what: string}} Change `what` was done, in words
 */

export class Session {
  /** @param {import("./document.js").Transcript} transcript */
  constructor(transcript) {
    this.history = openHistory(transcript);
    this.listeners = [];
    this.active = null;
    this.cursor = null;
    this.selection = null;
  }

  get transcript() {
    return this.history.present.transcript;
  }

  get canUndo() {
    return this.history.past.length > 0;
  }

  get canRedo() {
    return this.history.future.length > 0;
  }

  /** @param {(change: Change) => void} listener */
  subscribe(listener) {
    this.listeners.push(listener);
  }

  /** Go on with another transcript; the same one changes nothing. @returns {boolean} whether it is another */
  apply(transcript, what) {
    return this.moveTo(record(this.history, transcript, what), what);
  }

  undo() {
    return this.moveTo(undo(this.history), `Undone: ${this.history.present.what}`);
  }

  redo() {
    const next = redo(this.history);
    return this.moveTo(next, `Redone: ${next.present.what}`);
  }

  /** Make a segment the active one; a word of it may be where the keyboard's cursor is. */
  activate(index, word = null) {
    const segment = this.transcript.segments[index];
    this.active = segment?.key ?? null;
    this.cursor = segment && word !== null ? { key: segment.key, word } : null;
    this.tell(false);
  }

  /** Select the words between two positions, both included; null selects none. */
  select(anchor, focus = anchor) {
    const place = (position) => ({ key: this.transcript.segments[position.segment].key, word: position.word });
    this.selection = anchor && { anchor: place(anchor), focus: place(focus) };
    this.tell(false);
  }

  /** The selected words, null if there are none. @returns {import("./operations.js").WordRange|null} */
  get range() {
    const anchor = this.selection && positionOf(this.transcript, this.selection.anchor);
    const focus = this.selection && positionOf(this.transcript, this.selection.focus);
    return anchor && focus ? rangeBetween(anchor, focus) : null;
  }

  /** The place of the active segment, -1 if there is none. */
  get activeIndex() {
    return this.active === null ? -1 : indexOfKey(this.transcript, this.active);
  }

  /** Where the cursor is, null if nowhere. @returns {import("./operations.js").Position|null} */
  get cursorPosition() {
    return positionOf(this.transcript, this.cursor);
  }

  moveTo(history, what) {
    if (history === this.history) {
      return false;
    }
    this.history = history;
    this.selection = null;
    this.tell(true, what);
    return true;
  }

  tell(edited, what = "") {
    this.listeners.forEach((listener) => listener({ edited, what }));
  }
}
