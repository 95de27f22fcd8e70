/**
 * Everything that can be done to a transcript; each takes one and returns another, the same one if nothing changes.
 *
 * @typedef {import("./document.js").Transcript} Transcript
 * @typedef {{segment: number, word: number}} Position places in the transcript, not keys
 * @typedef {{first: Position, last: Position}} WordRange both ends belong to it
 */

import { alignWords } from "./alignment.js";
import { defaultName, indexOfKey, segmentEnd, segmentStart, sortedLabels } from "./document.js";

export const LONGEST_NAME = 100; // characters
const INVISIBLE = /(?![\u200c\u200d])\p{C}/gu; // the two joiners belong to some scripts' words
const TOO_LONG = /\S{500}/gu; // no word is that long, and the server takes none of twice that
const JOINED_PAUSE_S = 1.0; // moved words join a neighbour of their new speaker across no longer pause

/** Give a speaker another name everywhere; an empty one gives the first name back. */
export function renameSpeaker(transcript, label, name) {
  const shown = cleanName(name) || (label === null ? "" : defaultName(label));
  if (label === null) {
    return shown ? namedUnknown(transcript, shown) : transcript;
  }
  if (!transcript.names.has(label) || transcript.names.get(label) === shown) {
    return transcript;
  }
  return { ...transcript, names: new Map([...transcript.names, [label, shown]]) };
}

/** Give all words of speaker `from` (null: the unknown one) to `into`; `from` is gone then. */
export function mergeSpeakers(transcript, from, into) {
  if (from === into || into === null) {
    return transcript;
  }
  const segments = transcript.segments.map((segment) =>
    segment.speaker === from ? { ...segment, speaker: into } : segment,
  );
  return { ...transcript, segments, names: new Map([...transcript.names].filter(([label]) => label !== from)) };
}

/** Add a speaker without words. @returns {{transcript: Transcript, label: string}} */
export function addSpeaker(transcript, name = "") {
  const label = freeLabel(transcript.labels);
  const labels = sortedLabels([...transcript.labels, label]);
  const names = new Map([...transcript.names, [label, cleanName(name) || defaultName(label)]]);
  return { transcript: { ...transcript, labels, names }, label };
}

/**
 * Give the words in `range` to a speaker. Segments are split where the range cuts them, and a piece that is cut off
 * joins the segment on its other side when that is of the same speaker, too.
 *
 * @param {Transcript} transcript
 * @param {WordRange} range
 * @param {string|null} speaker
 * @returns {Transcript}
 */
export function assignWords(transcript, range, speaker) {
  const cut = cutOut(transcript, range, speaker);
  const segments = cut.transcript.segments.map((segment, index) =>
    index >= cut.from && index <= cut.to && segment.speaker !== speaker ? { ...segment, speaker } : segment,
  );
  if (segments.every((segment, index) => segment === transcript.segments[index])) {
    return transcript;
  }
  const assigned = { ...cut.transcript, segments };
  const joined = cut.opensSegment ? joinedPiece(assigned, cut.to - 1) : assigned;
  return cut.endsSegment ? joinedPiece(joined, cut.from) : joined;
}

/** Split the segments that `range` cuts, unless they are the speaker's; tell which pieces have a segment's one end. */
function cutOut(transcript, { first, last }, speaker) {
  const foreign = (index) => transcript.segments[index].speaker !== speaker;
  const cutsEnd = last.word + 1 < transcript.segments[last.segment].words.length && foreign(last.segment);
  const cutsStart = first.word > 0 && foreign(first.segment);
  const withEnd = cutsEnd ? splitSegment(transcript, last.segment, last.word + 1) : transcript;
  const split = cutsStart ? splitSegment(withEnd, first.segment, first.word) : withEnd;
  const several = first.segment < last.segment;
  const shift = cutsStart ? 1 : 0;
  return {
    transcript: split,
    from: first.segment + shift,
    to: last.segment + shift,
    opensSegment: cutsEnd && (several || !cutsStart),
    endsSegment: cutsStart && (several || !cutsEnd),
  };
}

/** Give a whole segment to a speaker. */
export function assignSegment(transcript, index, speaker) {
  const last = { segment: index, word: transcript.segments[index].words.length - 1 };
  return assignWords(transcript, { first: { segment: index, word: 0 }, last }, speaker);
}

/** Split a segment before its word number `word`; nothing to split before the first and after the last. */
export function splitSegment(transcript, index, word) {
  const segment = transcript.segments[index];
  if (word <= 0 || word >= segment.words.length) {
    return transcript;
  }
  const head = { ...segment, words: segment.words.slice(0, word) };
  const tail = { ...segment, key: transcript.nextKey, words: segment.words.slice(word) };
  return { ...replacedSegments(transcript, index, 1, [head, tail]), nextKey: transcript.nextKey + 1 };
}

/** Join a segment with the one after it; the speaker is the first one's. */
export function joinSegments(transcript, index) {
  const [segment, following] = transcript.segments.slice(index, index + 2);
  if (following === undefined) {
    return transcript;
  }
  const joined = { ...segment, words: [...segment.words, ...following.words] };
  return replacedSegments(transcript, index, 2, [joined]);
}

/** Write another text into a segment; words that stay keep their times, an empty text deletes the segment. */
export function editText(transcript, index, text) {
  const [before, segment, after] = [-1, 0, 1].map((step) => transcript.segments[index + step]);
  const room = { notBefore: before ? segmentEnd(before) : 0, notAfter: after ? segmentStart(after) : Infinity };
  const words = alignWords(segment.words, wellFormed(text).replace(TOO_LONG, "$& "), room);
  const unchanged = words.length === segment.words.length && words.every((word, k) => sameWord(word, segment.words[k]));
  if (unchanged) {
    return transcript;
  }
  return replacedSegments(transcript, index, 1, words.length ? [{ ...segment, words }] : []);
}

/** Return two positions as a range, in order. @returns {WordRange} */
export function rangeBetween(one, other) {
  const ordered = one.segment < other.segment || (one.segment === other.segment && one.word <= other.word);
  return ordered ? { first: one, last: other } : { first: other, last: one };
}

/** Return where a word with its segment's key is now, null if it is gone. @returns {Position|null} */
export function positionOf(transcript, place) {
  const segment = place === null ? -1 : indexOfKey(transcript, place.key);
  return segment >= 0 && place.word < transcript.segments[segment].words.length ? { segment, word: place.word } : null;
}

function namedUnknown(transcript, name) {
  const { transcript: added, label } = addSpeaker(transcript, name);
  return mergeSpeakers(added, null, label);
}

/** Join the segments at `index` and after it where they are of one speaker and close; else leave them. */
function joinedPiece(transcript, index) {
  const [segment, following] = transcript.segments.slice(Math.max(index, 0), index + 2);
  const fits = index >= 0 && following !== undefined && segment.speaker === following.speaker;
  return fits && segmentStart(following) - segmentEnd(segment) <= JOINED_PAUSE_S
    ? joinSegments(transcript, index)
    : transcript;
}

function replacedSegments(transcript, index, count, segments) {
  const { segments: old } = transcript;
  return { ...transcript, segments: [...old.slice(0, index), ...segments, ...old.slice(index + count)] };
}

function freeLabel(labels) {
  const numbers = labels.map((label) => Number(/^speaker_(\d+)$/i.exec(label)?.[1] ?? -1));
  return `SPEAKER_${String(Math.max(-1, ...numbers) + 1).padStart(2, "0")}`;
}

/** Return a name as the server takes it, "" if nothing is left: no invisible characters, no label of an engine. */
export function cleanName(name) {
  const seen = wellFormed(name).replace(/\s+/gu, " ").replace(INVISIBLE, "").trim();
  const short = [...seen].slice(0, LONGEST_NAME).join("").trim();
  const visible = short.normalize("NFKC").replace(/[\u200c\u200d]/gu, "").trim();
  const label = /^speaker_\d+$/i.exec(visible);
  return label ? defaultName(label[0]) : visible && short;
}

/** Put a mark in the place of half characters, which cannot be sent. */
function wellFormed(text) {
  return text.toWellFormed?.() ?? text;
}

function sameWord(one, other) {
  return one.word === other.word && one.start === other.start && one.end === other.end
    && one.space_before === other.space_before;
}
