// The result of a job that found speakers and no words.

import { h, show } from "./dom.js";
import { clock, counted } from "./wording.js";

/** @param {Element} root @param {{timeline?: {start: number, end: number, speaker: string}[]}} result */
export function showTurns(root, { timeline = [] }) {
  const speakers = new Set(timeline.map((turn) => turn.speaker)).size;
  const row = (/** @type {string} */ cell, /** @type {string[]} */ texts) =>
    h(
      "tr",
      {},
      texts.map((text) => h(cell, cell === "th" ? { scope: "col" } : {}, text)),
    );
  const rows = timeline.map((turn) => row("td", [clock(turn.start), clock(turn.end), turn.speaker]));
  const table = h(
    "table",
    { class: "turns" },
    h("thead", {}, row("th", ["From", "To", "Speaker"])),
    h("tbody", {}, rows),
  );
  show(
    root,
    h(
      "section",
      { class: "card stack" },
      h("h2", {}, `${counted(speakers, "speaker")}, ${counted(timeline.length, "turn")}`),
      table,
    ),
  );
}
