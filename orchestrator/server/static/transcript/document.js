/**
 * The transcript that is shown and edited: immutable, without any page around it.
 *
 * @typedef {{word: string, start: number, end: number, space_before?: false, confidence?: number}} Word times in s
 * @typedef {{key: number, speaker: string|null, words: readonly Word[]}} Segment `key` stays when others come and go
 * @typedef {object} Transcript
 * @property {readonly Segment[]} segments none is without words
 * @property {ReadonlyMap<string, string>} names shown names of the speakers there are, by label
 * @property {readonly string[]} labels every label there ever was, sorted: the place of one is its colour
 * @property {number} nextKey the key of the next segment that is made
 *
 * @typedef {{speaker: string|null, words: Word[]}} SavedSegment
 * @typedef {{segments: SavedSegment[], speakers: Record<string, string>}} SavedDocument what the server keeps
 */

import { spread } from "./alignment.js";

export const COLOURS = 10;
export const UNKNOWN_SPEAKER = "Unknown speaker";

/**
 * Return the transcript of a job's `result`, with the edits where some were saved.
 *
 * @param {any} result the server's result
 * @param {SavedDocument|null} edited
 * @returns {Transcript}
 */
export function openTranscript(result, edited = null) {
  const found = (edited ?? result).segments ?? [];
  const segments = found
    .map((segment, key) => ({ key, speaker: segment.speaker ?? null, words: wordsOf(segment) }))
    .filter((segment) => segment.words.length > 0);
  const spoken = segments.map((segment) => segment.speaker).filter((label) => label !== null);
  const heard = [...(result.speakers ?? []), ...(result.speaker_turns ?? []).map((turn) => turn.speaker)];
  const saved = Object.entries(edited?.speakers ?? {});
  const labels = sortedLabels([...heard, ...saved.map(([label]) => label), ...spoken]);
  const shown = sortedLabels(edited ? [...saved.map(([label]) => label), ...spoken] : labels);
  const named = saved.map(([label, name]) => [label, name === label ? defaultName(label) : name]);
  const names = new Map([...shown.map((label) => [label, defaultName(label)]), ...named]);
  return { segments, names, labels, nextKey: found.length };
}

/**
 * Return what the server keeps: whoever has no name of their own is called by the label, as in files without edits.
 *
 * @param {Transcript} transcript
 * @returns {SavedDocument}
 */
export function savedDocument(transcript) {
  const segments = transcript.segments.map(({ speaker, words }) => ({ speaker, words: [...words] }));
  const names = [...transcript.names].map(([label, name]) => [label, name === defaultName(label) ? label : name]);
  return { segments, speakers: Object.fromEntries(names) };
}

/** Tell whether two documents say the same, whatever is left out of them because it goes without saying. */
export function sameDocument(one, other) {
  return one === other || (Boolean(one && other) && canonical(one) === canonical(other));
}

function canonical({ segments, speakers }) {
  const said = segments
    .filter(({ words }) => words.length > 0)
    .map(({ speaker, words }) => [speaker ?? null, words.map(plainWord)]);
  return JSON.stringify([said, Object.entries(speakers ?? {}).sort()]);
}

/** Return "Speaker 1" for a diarization engine's "SPEAKER_00", any other label as it is. */
export function defaultName(label) {
  const number = /^speaker_(\d+)$/i.exec(label);
  return number ? `Speaker ${Number(number[1]) + 1}` : label;
}

/** @param {Transcript} transcript @param {string|null} label */
export function shownName(transcript, label) {
  return label === null ? UNKNOWN_SPEAKER : (transcript.names.get(label) ?? defaultName(label));
}

/** Return the number of the colour of a speaker, null for the unknown one. */
export function colourOf(transcript, label) {
  return label === null ? null : transcript.labels.indexOf(label) % COLOURS;
}

/** Return all labels, each once, in the order that gives them their colours. */
export function sortedLabels(labels) {
  return [...new Set(labels)].sort();
}

/** Return the labels of the speakers there are, in the order in which they are listed. */
export function presentLabels(transcript) {
  return transcript.labels.filter((label) => transcript.names.has(label));
}

/** Tell whether some words have no known speaker. */
export function hasUnknown(transcript) {
  return transcript.segments.some((segment) => segment.speaker === null);
}

/** @param {readonly Word[]} words */
export function joinWords(words) {
  return words.map((word) => (word.space_before === false ? "" : " ") + word.word).join("").trim();
}

/** @param {Segment} segment @returns {number} s */
export function segmentStart(segment) {
  return segment.words[0].start;
}

/** @param {Segment} segment @returns {number} s */
export function segmentEnd(segment) {
  return segment.words.reduce((latest, word) => Math.max(latest, word.end), 0);
}

/** Return the place of the segment with this key, -1 if it is gone. Keys are not ordered after edits. */
export function indexOfKey(transcript, key) {
  return transcript.segments.findIndex((segment) => segment.key === key);
}

/** Return how long each speaker speaks, in s, by label. @returns {Map<string|null, number>} */
export function talkTimes(transcript) {
  const times = new Map();
  for (const segment of transcript.segments) {
    const duration = Math.max(0, segmentEnd(segment) - segmentStart(segment));
    times.set(segment.speaker, (times.get(segment.speaker) ?? 0) + duration);
  }
  return times;
}

function wordsOf(segment) {
  if (segment.words?.length) {
    return segment.words.map(plainWord);
  }
  const texts = (segment.text ?? "").split(/\s+/).filter(Boolean);
  return spread(texts.map((text) => ({ text, apart: true })), segment.start ?? 0, segment.end ?? 0);
}

/** @returns {Word} */
function plainWord({ word, start, end, space_before, confidence }) {
  const apart = space_before === false ? { space_before } : {};
  return { word, start, end, ...apart, ...(typeof confidence === "number" ? { confidence } : {}) };
}
