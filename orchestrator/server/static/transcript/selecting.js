/** What clicks, drags and the keyboard select in the text, and the bar that offers what can be done with it. */

import { h } from "../dom.js";
import { clock } from "./clock.js";
import { rangeBetween } from "./operations.js";
import { actionButton, speakerButtons } from "./speaker_choices.js";
import { iconButton } from "./transport.js";

const SETTLED_MS = 200; // a selection that is still being dragged is not read

/** Return the word that an event or a node is in. @returns {import("./operations.js").Position|null} */
export function wordAt(list, node) {
  const span = (node instanceof Element ? node : node?.parentElement)?.closest(".word");
  const row = span && list.rowOf(span);
  return row ? { segment: row.index, word: row.spans.indexOf(span) } : null;
}

/** Tell of the words that were selected with the mouse or a finger. @returns {() => void} to stop it */
export function watchSelection(list, onSelect) {
  let timer = 0;
  const read = () => {
    const chosen = document.getSelection();
    if (chosen && !chosen.isCollapsed && list.element.contains(chosen.anchorNode)) {
      const range = wordsIn(list, chosen);
      range && onSelect(range);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(read, SETTLED_MS);
  };
  document.addEventListener("selectionchange", soon);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("selectionchange", soon);
  };
}

function wordsIn(list, chosen) {
  const found = [];
  for (const row of list.rows.values()) {
    row.spans.forEach((span, word) => {
      if (chosen.containsNode(span, true)) {
        found.push({ segment: row.index, word });
      }
    });
  }
  const ordered = found.sort((one, other) => one.segment - other.segment || one.word - other.word);
  return ordered.length ? rangeBetween(ordered[0], ordered.at(-1)) : null;
}

/** Return how many words a range has. */
export function countWords(transcript, { first, last }) {
  const lengths = transcript.segments.slice(first.segment, last.segment + 1).map((segment) => segment.words.length);
  const before = lengths.slice(0, -1).reduce((sum, length) => sum + length, 0);
  return before + last.word + 1 - first.word;
}

/** The bar above the player while words are selected. */
export class SelectionBar {
  constructor({ session, commands, onNew }) {
    Object.assign(this, { session, commands, onNew });
    this.element = h("div", { class: "selection-bar", role: "region", "aria-label": "Selected words", hidden: true });
  }

  update() {
    const { range, transcript } = this.session;
    this.element.hidden = range === null;
    if (range === null) {
      this.element.replaceChildren();
      return;
    }
    const inOne = transcript.segments.slice(range.first.segment, range.last.segment + 1);
    const only = new Set(inOne.map((segment) => segment.speaker)).size === 1 ? inOne[0].speaker : undefined;
    const onChoose = (label) => this.commands.assign({ range }, label);
    const buttons = speakerButtons(transcript, { except: only, onChoose });
    const added = actionButton("New speaker", () => this.onNew({ range }), { drawing: "plus" });
    this.element.replaceChildren(
      h("span", { class: "what" }, `${this.described(range)} — move to`),
      h("div", { class: "choices" }, buttons, added),
      iconButton("close", "Select nothing", () => this.clear()),
    );
  }

  described(range) {
    const { transcript } = this.session;
    const count = countWords(transcript, range);
    const { word, start } = transcript.segments[range.first.segment].words[range.first.word];
    return count === 1 ? `“${word}” at ${clock(start)}` : `${count} words`;
  }

  clear() {
    document.getSelection()?.removeAllRanges();
    this.session.select(null);
  }
}
