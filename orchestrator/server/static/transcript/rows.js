/** One segment on the page: who, when, and its words, each in an element of its own. */

import { h, setText } from "../dom.js";
import { clock, spokenTime } from "./clock.js";
import { colourOf, segmentStart, shownName } from "./document.js";

export class Row {
  /** @param {import("./document.js").Segment} segment */
  constructor(segment) {
    this.key = segment.key;
    this.name = h("button", { type: "button", class: "speaker-name", "aria-haspopup": "dialog", tabindex: "-1" });
    this.time = h("button", { type: "button", class: "time", tabindex: "-1" });
    this.words = h("p", { class: "words" });
    const head = h("div", { class: "segment-head" }, this.name, this.time);
    this.element = h("div", { class: "segment", role: "listitem", tabindex: "-1" }, head, this.words);
    this.spans = [];
    this.marked = new Map();
  }

  /** Show the segment as it is now. */
  update(transcript, index) {
    const segment = transcript.segments[index];
    this.index = index;
    this.showHead(transcript, segment, index);
    if (this.segment?.words !== segment.words) {
      this.showWords(segment.words);
    }
    this.segment = segment;
  }

  /** Let the words whose number `covers` is true have the class, no others. */
  mark(name, covers) {
    for (const span of this.marked.get(name) ?? []) {
      span.classList.remove(name);
    }
    const spans = covers ? this.spans.filter((_, word) => covers(word)) : [];
    spans.forEach((span) => span.classList.add(name));
    this.marked.set(name, spans);
  }

  showHead(transcript, segment, index) {
    const { segments } = transcript;
    const colour = colourOf(transcript, segment.speaker);
    const opens = index === 0 || segments[index - 1].speaker !== segment.speaker;
    const states = ["current", "active", "editing"].filter((name) => this.element.classList.contains(name));
    const classes = ["segment", `colour-${colour ?? "unknown"}`, opens && "opens-turn", ...states];
    this.element.className = classes.filter(Boolean).join(" ");
    this.element.setAttribute("aria-posinset", String(index + 1));
    this.element.setAttribute("aria-setsize", String(segments.length));
    const name = shownName(transcript, segment.speaker);
    setText(this.name, name);
    this.name.title = `${name}: rename, or move this segment`;
    const start = segmentStart(segment);
    setText(this.time, clock(start));
    this.time.setAttribute("aria-label", `Go to ${spokenTime(start)}`);
  }

  showWords(words) {
    this.marked.clear();
    this.spans = words.map((word) => h("span", { class: "word" }, word.word));
    const nodes = this.spans.flatMap((span, k) => (k === 0 || words[k].space_before === false ? [span] : [" ", span]));
    this.words.replaceChildren(...nodes);
  }

  /** Show whether the row is the active one; only that of the tab stop has its buttons in the tab order. */
  setActive(active, tabStop) {
    this.element.classList.toggle("active", active);
    for (const part of [this.element, this.name, this.time]) {
      part.tabIndex = tabStop ? 0 : -1;
    }
  }
}
