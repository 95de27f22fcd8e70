/** The search box: count, next, previous; matches are marked in the text. */

import { h, setText } from "../dom.js";
import { SearchIndex } from "./search.js";
import { symbol } from "./symbols.js";
import { iconButton } from "./transport.js";

const SAID_MS = 500;

export class SearchBox {
  /** @param {{list: import("./view.js").SegmentList, announce: (text: string) => void, onLeave: () => void}} parts */
  constructor({ list, announce, onLeave }) {
    Object.assign(this, { list, announce, onLeave });
    this.found = [];
    this.at = -1;
    const label = "Search the transcript";
    this.field = h("input", { type: "search", placeholder: "Search", "aria-label": label, autocomplete: "off" });
    this.count = h("span", { class: "count" });
    this.steps = h(
      "span",
      { class: "steps", hidden: true },
      iconButton("up", "Previous match", () => this.step(-1)),
      iconButton("down", "Next match", () => this.step(1)),
    );
    this.element = h("div", { class: "search", role: "search" }, symbol("search"), this.field, this.count, this.steps);
    this.field.addEventListener("input", () => this.search());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  /** Search another state of the transcript for the same. */
  setTranscript(transcript) {
    this.index = new SearchIndex(transcript);
    if (this.field.value) {
      const at = this.at;
      this.found = this.index.find(this.field.value);
      this.at = Math.min(at, this.found.length - 1);
      this.showCount();
    }
  }

  search() {
    this.found = this.index.find(this.field.value);
    const seen = this.list.visible();
    const first = this.found.findIndex(({ last }) => last.segment >= (seen?.first ?? 0));
    this.at = this.found.length ? Math.max(0, first) : -1;
    this.showMatch();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.field.value && this.announce(this.count.textContent), SAID_MS);
  }

  /** Go to the next (1) or the previous (-1) match, round and round. */
  step(by) {
    if (this.found.length) {
      this.at = (this.at + by + this.found.length) % this.found.length;
      this.showMatch();
      this.announce(this.count.textContent);
    }
  }

  /** Mark in a row that was put on the page what is found in it. */
  decorate(row) {
    const here = this.found.length ? this.inSegment(row.index) : [];
    const now = this.found[this.at];
    row.mark("match", here.length ? (word) => here.some((match) => covers(match, row.index, word)) : null);
    row.mark("match-now", now ? (word) => covers(now, row.index, word) : null);
  }

  /** Matches in one segment, found by binary search. */
  inSegment(segment) {
    let [low, high] = [0, this.found.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.found[middle].last.segment < segment) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const here = [];
    for (let k = low; k < this.found.length && this.found[k].first.segment <= segment; k += 1) {
      here.push(this.found[k]);
    }
    return here;
  }

  showMatch() {
    this.showCount();
    if (this.at >= 0) {
      this.list.reveal(this.found[this.at].first.segment);
    }
    this.list.decorateAll();
  }

  showCount() {
    const total = this.found.length;
    setText(this.count, !this.field.value.trim() ? "" : total ? `${this.at + 1} of ${total}` : "No matches");
    this.steps.hidden = total === 0;
    this.element.classList.toggle("searching", this.field.value !== "");
  }

  onKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.field.value = "";
      this.search();
      this.onLeave();
    }
  }
}

function covers({ first, last }, segment, word) {
  const afterFirst = segment > first.segment || (segment === first.segment && word >= first.word);
  const beforeLast = segment < last.segment || (segment === last.segment && word <= last.word);
  return afterFirst && beforeLast;
}
