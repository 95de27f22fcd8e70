/** Editing a segment's text in its place: Enter keeps it, Escape does not. */

import { h } from "../dom.js";
import { joinWords, segmentStart, shownName } from "./document.js";
import { spokenTime } from "./clock.js";
import { editText } from "./operations.js";

export class Editing {
  /**
   * @param {object} parts
   * @param {import("./session.js").Session} parts.session
   * @param {import("./commands.js").Commands} parts.commands
   * @param {import("./view.js").SegmentList} parts.list
   * @param {(index: number) => void} parts.focusSegment
   * @param {() => void} parts.onDraft told when what is written, or is no longer, is another text
   */
  constructor({ session, commands, list, focusSegment, onDraft }) {
    Object.assign(this, { session, commands, list, focusSegment, onDraft });
    this.key = null;
  }

  /** The place of the segment that is edited, -1 if none is. */
  get index() {
    return this.key === null ? -1 : this.session.transcript.segments.findIndex((segment) => segment.key === this.key);
  }

  /** The transcript with what is written by now, as if it was kept; an empty field is not taken for a wish. */
  get draft() {
    const { index, field } = this;
    const { transcript } = this.session;
    return index >= 0 && field.value.trim() ? editText(transcript, index, field.value) : transcript;
  }

  open(index) {
    this.commit();
    this.session.activate(index);
    this.list.reveal(index);
    const row = this.list.rowAt(index);
    if (!row) {
      return;
    }
    const { segments } = this.session.transcript;
    this.key = segments[index].key;
    this.field = this.fieldFor(segments[index]);
    row.element.classList.add("editing");
    row.words.after(this.field);
    fitHeight(this.field);
    this.field.focus({ preventScroll: true });
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  /** Keep what was written. */
  commit() {
    const { index, field } = this;
    if (index < 0) {
      return;
    }
    const focused = document.activeElement === field;
    this.close();
    this.commands.write(index, field.value);
    if (focused) {
      this.focusSegment(Math.min(index, this.session.transcript.segments.length - 1));
    }
  }

  cancel() {
    const { index, draft } = this;
    this.close();
    if (draft !== this.session.transcript) {
      this.onDraft();
    }
    this.focusSegment(index);
  }

  close() {
    this.key = null;
    this.field.closest(".segment")?.classList.remove("editing");
    this.field.remove();
  }

  fieldFor(segment) {
    const name = shownName(this.session.transcript, segment.speaker);
    const label = `Text of ${name} at ${spokenTime(segmentStart(segment))}; Enter keeps it, Escape does not`;
    const field = h("textarea", { class: "words-field", rows: 1, "aria-label": label, spellcheck: "true" });
    field.value = joinWords(segment.words);
    field.addEventListener("input", () => {
      fitHeight(field);
      this.onDraft();
    });
    field.addEventListener("keydown", (event) => this.onKey(event));
    field.addEventListener("blur", () => this.key !== null && this.field === field && this.commit());
    return field;
  }

  onKey(event) {
    event.stopPropagation();
    if (event.isComposing) {
      return;
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.commit();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.cancel();
    }
  }
}

function fitHeight(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
