/**
 * Search over the whole text, on and off the screen: case and accents make no difference, nor punctuation that the
 * query leaves out, and a phrase is found across words and across segments of one speaker.
 *
 * @typedef {import("./operations.js").Position} Position
 * @typedef {import("./operations.js").WordRange} WordRange
 */

const MARKS = /\p{M}/gu;
const PUNCTUATION = /[\p{P}\p{S}]/gu;
const SPACES = /\s+/gu;

const folded = new WeakMap(); // by word: edits leave most words as they are

export class SearchIndex {
  /** @param {import("./document.js").Transcript} transcript */
  constructor(transcript) {
    this.transcript = transcript;
    this.texts = new Map();
  }

  /** Return the words of every match, in order, none overlapping. @returns {WordRange[]} */
  find(query) {
    const exact = fold(query).replace(SPACES, " ").trim();
    const bare = exact.replace(PUNCTUATION, "").replace(SPACES, " ").trim();
    const literal = exact !== bare;
    const wanted = literal ? exact : bare;
    return wanted ? this.occurrences(this.text(literal), wanted) : [];
  }

  occurrences({ text, starts, places }, wanted) {
    const found = [];
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      found.push({ first: places[wordAt(starts, at)], last: places[wordAt(starts, at + wanted.length - 1)] });
    }
    return found;
  }

  text(literal) {
    if (!this.texts.has(literal)) {
      this.texts.set(literal, joined(this.transcript, literal));
    }
    return this.texts.get(literal);
  }
}

/** Return the text without case and accents. */
export function fold(text) {
  return text.normalize("NFD").replace(MARKS, "").toLowerCase();
}

function joined(transcript, literal) {
  const [parts, starts, places] = [[], [], []];
  let [length, speaker] = [0, undefined];
  transcript.segments.forEach((segment, index) => {
    segment.words.forEach((word, k) => {
      const text = foldedWord(word)[literal ? "exact" : "bare"];
      if (text === "") {
        return;
      }
      const turn = k === 0 && segment.speaker !== speaker;
      const part = (turn ? "\n" : word.space_before === false ? "" : " ") + text;
      speaker = segment.speaker;
      parts.push(part);
      starts.push(length + part.length - text.length);
      places.push({ segment: index, word: k });
      length += part.length;
    });
  });
  return { text: parts.join(""), starts: Uint32Array.from(starts), places };
}

function foldedWord(word) {
  if (!folded.has(word)) {
    const exact = fold(word.word).replace(SPACES, " ").trim();
    folded.set(word, { exact, bare: exact.replace(PUNCTUATION, "") });
  }
  return folded.get(word);
}

/** Return the number of the last word that starts at or before the character `at`. */
function wordAt(starts, at) {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return Math.max(0, low - 1);
}
