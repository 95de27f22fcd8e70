/** What a user can do to the transcript, by key, button or menu: an operation, its undo step and its announcement. */

import { presentLabels, sameDocument, savedDocument, shownName } from "./document.js";
import {
  addSpeaker, assignSegment, assignWords, cleanName, editText, joinSegments, mergeSpeakers, renameSpeaker, splitSegment,
} from "./operations.js";

export class Commands {
  /** @param {import("./session.js").Session} session @param {import("./document.js").Transcript} original no edits */
  constructor(session, original) {
    Object.assign(this, { session, original });
  }

  get transcript() {
    return this.session.transcript;
  }

  name(label) {
    return shownName(this.transcript, label);
  }

  rename(label, name) {
    const before = this.name(label);
    const renamed = renameSpeaker(this.transcript, label, name);
    return this.session.apply(renamed, `${before} renamed`);
  }

  /** Return the other speaker who is called so, undefined if nobody is. */
  namesake(label, name) {
    const wanted = cleanName(name).toLowerCase();
    const others = presentLabels(this.transcript).filter((other) => other !== label);
    return wanted === this.name(label).toLowerCase() ? undefined
      : others.find((other) => this.name(other).toLowerCase() === wanted);
  }

  merge(from, into) {
    const what = `${this.name(from)} merged into ${this.name(into)}`;
    return this.session.apply(mergeSpeakers(this.transcript, from, into), what);
  }

  /** Add a speaker, and give them the words or the segment if some are given. */
  addSpeaker(name, target = null) {
    const { transcript, label } = addSpeaker(this.transcript, name);
    const assigned = target ? given(transcript, target, label) : transcript;
    this.session.apply(assigned, `${shownName(transcript, label)} added`);
    return label;
  }

  /**
   * Give words or a segment to a speaker.
   * @param {{range?: import("./operations.js").WordRange, segment?: number}} target
   */
  assign(target, label) {
    const what = `${described(target)} moved to ${this.name(label)}`;
    return this.session.apply(given(this.transcript, target, label), what);
  }

  /** Give the selection, else the active segment, to the speaker listed at `place` (from 0). */
  assignListed(place) {
    const label = presentLabels(this.transcript)[place];
    const target = this.target;
    return label !== undefined && target !== null && this.assign(target, label);
  }

  /** What is selected: words, else the active segment, else nothing. */
  get target() {
    const { range, activeIndex } = this.session;
    return range ? { range } : activeIndex >= 0 ? { segment: activeIndex } : null;
  }

  /** Split the segment before the position. */
  split({ segment, word }) {
    return this.session.apply(splitSegment(this.transcript, segment, word), "Segment split");
  }

  join(index) {
    return this.session.apply(joinSegments(this.transcript, index), "Segments joined");
  }

  /** Tell whether there is anything that `discard` would take back. */
  get isEdited() {
    return !sameDocument(savedDocument(this.transcript), savedDocument(this.original));
  }

  /** Go back to what the engine found; one step, which can be undone. */
  discard() {
    return this.isEdited && this.session.apply(this.original, "All edits discarded");
  }

  write(index, text) {
    return this.session.apply(editText(this.transcript, index, text), text.trim() ? "Text edited" : "Segment deleted");
  }
}

function given(transcript, { range, segment }, label) {
  return range ? assignWords(transcript, range, label) : assignSegment(transcript, segment, label);
}

function described({ range }) {
  if (!range) {
    return "Segment";
  }
  const { first, last } = range;
  return first.segment === last.segment && first.word === last.word ? "Word" : "Words";
}
