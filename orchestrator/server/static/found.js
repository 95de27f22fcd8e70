// Partial results: the words without speakers, or who speaks when, whichever is there first.

import { h, show } from "./dom.js";
import { clock, counted } from "./wording.js";

const SVG = "http://www.w3.org/2000/svg";
const SHOWN_SEGMENTS = 200;
const COLOURS = 10;
const LANE = 14; // pixels

export class Found {
  constructor() {
    this.speakers = h("div", { class: "stack" });
    this.words = h("div", { class: "stack" });
    this.root = h(
      "section",
      { class: "card found", "aria-label": "Found so far", hidden: true },
      h("h2", {}, "Found so far"),
      this.speakers,
      this.words,
    );
  }

  /** @param {import("./live.js").Partial} partial */
  update(partial) {
    this.root.hidden = false;
    if (partial.kind === "speakers") {
      this.#showSpeakers(partial.timeline);
    } else if (partial.kind === "words") {
      this.#showWords(partial.segments);
    }
  }

  /** @param {{start: number, end: number, speaker: string}[]} timeline */
  #showSpeakers(timeline) {
    const labels = [...new Set(timeline.map((turn) => turn.speaker))].sort();
    show(
      this.speakers,
      h("p", {}, `${counted(labels.length, "speaker")} in ${counted(timeline.length, "turn")}`),
      labels.length > 0 && lanes(timeline, labels),
    );
  }

  /** @param {{start: number, text: string}[]} segments */
  #showWords(segments) {
    const first = segments.slice(0, SHOWN_SEGMENTS);
    const lines = first.map((segment) =>
      h(
        "p",
        { class: "found-line" },
        h("span", { class: "hint found-time" }, clock(segment.start)),
        h("span", {}, segment.text.trim()),
      ),
    );
    const more = segments.length - first.length;
    show(this.words, lines, more > 0 && h("p", { class: "hint" }, `and ${counted(more, "paragraph")} more`));
  }
}

/** @param {{start: number, end: number, speaker: string}[]} timeline @param {string[]} labels @returns {SVGSVGElement} */
function lanes(timeline, labels) {
  const lengthS = Math.max(...timeline.map((turn) => turn.end), 1);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 1000 ${labels.length * LANE}`);
  svg.setAttribute("height", String(labels.length * LANE));
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "found-lanes");
  svg.setAttribute("aria-hidden", "true");
  for (const turn of timeline) {
    const lane = labels.indexOf(turn.speaker);
    const bar = document.createElementNS(SVG, "rect");
    const placed = {
      x: (1000 * turn.start) / lengthS,
      y: lane * LANE + 2,
      width: Math.max(1, (1000 * (turn.end - turn.start)) / lengthS),
      height: LANE - 4,
    };
    Object.entries(placed).forEach(([name, value]) => bar.setAttribute(name, String(value)));
    bar.setAttribute("class", `lane-${lane % COLOURS}`);
    svg.append(bar);
  }
  return svg;
}
