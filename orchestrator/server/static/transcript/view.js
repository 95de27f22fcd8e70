/** The list of segments, of which only those near the window are on the page; heights are guessed, then measured. */

import { h } from "../dom.js";
import { Offsets } from "./offsets.js";
import { Row } from "./rows.js";
import { Scrolling } from "./scrolling.js";

const OVERSCAN = 0.6; // windows above and below that are kept ready
const GUESSED_LINE_PX = 28;
const GUESSED_EXTRA_PX = 10;
const GUESSED_CHARACTER_PX = 8.2;
const SETTLING_MS = 500; // that a goal is kept to while rows around it are measured

export class SegmentList {
  /**
   * @param {object} options
   * @param {(row: Row) => void} options.decorate marks what is selected, found, heard; called for each row shown anew
   * @param {() => {top: number, bottom: number}} options.covered px that bars cover
   * @param {() => void} options.onUserScroll
   */
  constructor({ decorate, covered, onUserScroll }) {
    this.element = h("div", { class: "segments", role: "list", "aria-label": "Transcript" });
    this.decorate = decorate;
    this.covered = covered;
    this.onUserScroll = onUserScroll;
    this.rows = new Map();
    this.measured = new Map();
    this.guessed = new WeakMap();
    this.pinned = () => [];
    this.width = 0;
    this.goal = null;
    this.observer = new ResizeObserver((entries) => this.onMeasured(entries));
  }

  /** Begin to show; the list must be on the page by now. */
  attach(transcript) {
    this.scrolling = new Scrolling(this.element, this.covered);
    this.onScroll = () => this.scrolled();
    this.scrolling.events.addEventListener("scroll", this.onScroll, { passive: true });
    addEventListener("resize", this.onScroll);
    this.width = this.element.clientWidth;
    this.observer.observe(this.element);
    this.setTranscript(transcript);
  }

  destroy() {
    this.observer.disconnect();
    this.scrolling.stop();
    cancelAnimationFrame(this.frame);
    this.scrolling.events.removeEventListener("scroll", this.onScroll);
    removeEventListener("resize", this.onScroll);
  }

  /** Show another state of the transcript; what is at the window's top stays there. */
  setTranscript(transcript) {
    const anchor = this.transcript && this.anchor();
    this.transcript = transcript;
    this.offsets = new Offsets(transcript.segments.map((segment) => this.heightOf(segment)));
    this.fit();
    if (anchor) {
      this.restore(anchor);
    }
    this.refresh({ renew: true });
  }

  /** @returns {Row|undefined} the row of this segment if it is on the page */
  rowAt(index) {
    const segment = this.transcript.segments[index];
    return segment && this.rows.get(segment.key);
  }

  rowOf(node) {
    const element = (node instanceof Element ? node : node?.parentElement)?.closest(".segment");
    return element ? [...this.rows.values()].find((row) => row.element === element) : undefined;
  }

  /** Return the first and last segment that can be seen, or null if there are none. */
  visible() {
    if (this.offsets.length === 0) {
      return null;
    }
    const { from, to } = this.scrolling.free;
    return { first: this.offsets.indexAt(from + 1), last: this.offsets.indexAt(to - 1) };
  }

  /** Scroll until a segment is in sight; `always`: to its place even if it is already. */
  reveal(index, { place = 0.25, always = false, smooth = false } = {}) {
    const { from, to } = this.scrolling.free;
    const inSight = this.offsets.top(index) >= from && this.offsets.top(index + 1) <= to;
    if (inSight && !always) {
      return;
    }
    const key = this.transcript.segments[index].key;
    this.goal = { key, index, place, until: performance.now() + SETTLING_MS };
    if (smooth) {
      this.scrolling.towards(() => (this.goal ? this.distance() : 0));
    } else {
      this.scrolling.stop();
      this.scrolling.by(this.distance());
    }
    this.refresh();
  }

  scrolled() {
    if (this.scrolling.byUser) {
      this.goal = null;
      this.scrolling.stop();
      this.onUserScroll();
    }
    this.refreshSoon();
  }

  decorateAll() {
    this.rows.forEach((row) => this.decorate(row));
  }

  refreshSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.refresh();
    });
  }

  /** Put those rows on the page that are near the window, and take the others off. */
  refresh({ renew = false } = {}) {
    const wanted = this.wanted();
    const keys = new Set(wanted.map((index) => this.transcript.segments[index].key));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        this.remove(key, row);
      }
    }
    let before = null;
    for (const index of wanted) {
      before = this.place(index, before, renew);
    }
  }

  wanted() {
    const { length } = this.offsets;
    if (length === 0) {
      return [];
    }
    const { top, height } = this.scrolling.view;
    const first = this.offsets.indexAt(top - OVERSCAN * height);
    const last = this.offsets.indexAt(top + (1 + OVERSCAN) * height);
    const near = Array.from({ length: last - first + 1 }, (_, k) => first + k);
    const pinned = this.pinned().filter((index) => index >= 0 && index < length && (index < first || index > last));
    return [...new Set([...near, ...pinned])].sort((one, other) => one - other);
  }

  place(index, before, renew) {
    const segment = this.transcript.segments[index];
    let row = this.rows.get(segment.key);
    const fresh = row === undefined;
    if (fresh) {
      row = new Row(segment);
      this.rows.set(segment.key, row);
    }
    if (fresh || renew) {
      row.update(this.transcript, index);
      this.decorate(row);
    }
    if (fresh) {
      this.element.insertBefore(row.element, before ? before.nextSibling : this.element.firstChild);
      this.watch(row);
    }
    this.move(row);
    return row.element;
  }

  /** Hear of the row's height, the space above a turn included. */
  watch(row) {
    this.observer.observe(row.element, { box: "border-box" });
  }

  move(row) {
    const top = Math.round(this.offsets.top(row.index));
    if (row.top !== top) {
      row.top = top;
      row.element.style.transform = `translateY(${top}px)`;
    }
  }

  remove(key, row) {
    this.observer.unobserve(row.element);
    row.element.remove();
    this.rows.delete(key);
  }

  heightOf(segment) {
    return this.measured.get(segment.key) ?? this.guess(segment);
  }

  guess(segment) {
    if (!this.guessed.has(segment.words)) {
      this.guessed.set(segment.words, segment.words.reduce((sum, word) => sum + word.word.length + 1, 0));
    }
    const narrow = this.width < 640;
    const textWidth = Math.max(160, Math.min(this.width, 1000) - (narrow ? 32 : 210));
    const lines = Math.ceil((this.guessed.get(segment.words) * GUESSED_CHARACTER_PX) / textWidth);
    return Math.max(1, lines) * GUESSED_LINE_PX + GUESSED_EXTRA_PX + (narrow ? 24 : 0);
  }

  onMeasured(entries) {
    if (this.element.clientWidth !== this.width) {
      this.rewrap();
      return;
    }
    const anchor = this.anchor();
    for (const { target, borderBoxSize } of entries) {
      const row = this.rowOf(target);
      if (target !== this.element && row && borderBoxSize[0].blockSize > 0) {
        this.measured.set(row.key, borderBoxSize[0].blockSize);
        this.offsets.set(row.index, borderBoxSize[0].blockSize);
      }
    }
    this.fit();
    this.rows.forEach((row) => this.move(row));
    this.restore(anchor);
    this.refreshSoon();
  }

  /** The width is another one: no height is known any more. */
  rewrap() {
    this.width = this.element.clientWidth;
    this.measured.clear();
    for (const row of this.rows.values()) {
      this.observer.unobserve(row.element);
      this.watch(row);
    }
    this.setTranscript(this.transcript);
  }

  fit() {
    this.element.style.height = `${Math.ceil(this.offsets.total)}px`;
  }

  /** What the window's top shows: a segment and how far into it. */
  anchor() {
    if (this.offsets.length === 0) {
      return null;
    }
    const top = this.scrolling.free.from;
    const index = this.offsets.indexAt(top);
    return { key: this.transcript.segments[index].key, index, into: top - this.offsets.top(index) };
  }

  restore(anchor) {
    if (this.goal && performance.now() < this.goal.until) {
      this.goal.index = this.indexNow(this.goal);
      if (!this.scrolling.frame) {
        this.scrolling.by(this.distance());
      }
      return;
    }
    this.goal = null;
    if (anchor && this.offsets.length && this.scrolling.free.from > 0) {
      const top = this.offsets.top(this.indexNow(anchor)) + anchor.into;
      this.scrolling.by(top - this.scrolling.free.from);
    }
  }

  indexNow({ key, index }) {
    const { segments } = this.transcript;
    if (segments[index]?.key === key) {
      return index;
    }
    const found = segments.findIndex((segment) => segment.key === key);
    return found >= 0 ? found : Math.min(index, segments.length - 1);
  }

  distance() {
    const { from, to } = this.scrolling.free;
    return this.offsets.top(this.goal.index) - (from + this.goal.place * (to - from));
  }
}
