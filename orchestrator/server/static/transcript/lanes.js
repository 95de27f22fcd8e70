/**
 * Who speaks when, for the waveform's lanes: what diarization heard, corrected by what the words say by now.
 *
 * @typedef {[number, number]} Span start and end in s
 */

import { openTranscript, segmentEnd, segmentStart } from "./document.js";

const JOINED_GAP_S = 0.05;

/** What diarization heard, and where the result's own words are: the ground that edits are compared with. */
export class HeardTurns {
  constructor(result) {
    this.turns = spansBySpeaker((result.speaker_turns ?? []).filter((turn) => turn.end > turn.start));
    this.words = wordSpans(openTranscript(result));
  }

  /**
   * Return the spans of each speaker of the transcript, sorted and apart; those of several may overlap.
   *
   * @returns {Map<string|null, Span[]>}
   */
  lanes(transcript) {
    const now = wordSpans(transcript);
    const lanes = new Map(now);
    for (const [heard, turns] of this.turns) {
      const lost = difference(this.words.get(heard) ?? [], now.get(heard) ?? []);
      const speaker = transcript.names.has(heard) ? heard : mostHeard(this.words.get(heard) ?? [], now);
      if (speaker !== null) {
        lanes.set(speaker, union([...(lanes.get(speaker) ?? []), ...difference(turns, lost)]));
      }
    }
    return lanes;
  }
}

/** Return the spans as few as possible, sorted, those joined that overlap or nearly touch. @returns {Span[]} */
export function union(spans) {
  const joined = [];
  for (const [start, end] of [...spans].sort((one, other) => one[0] - other[0])) {
    const last = joined.at(-1);
    if (last && start - last[1] <= JOINED_GAP_S) {
      last[1] = Math.max(last[1], end);
    } else {
      joined.push([start, end]);
    }
  }
  return joined;
}

/** Return what of `spans` is in none of `others`; both sorted and apart. @returns {Span[]} */
export function difference(spans, others) {
  const left = [];
  let next = 0;
  for (const [start, end] of spans) {
    let from = start;
    while (next < others.length && others[next][1] <= start) {
      next += 1;
    }
    for (let k = next; k < others.length && others[k][0] < end; k += 1) {
      if (others[k][0] > from) {
        left.push([from, others[k][0]]);
      }
      from = Math.max(from, others[k][1]);
    }
    if (from < end) {
      left.push([from, end]);
    }
  }
  return left;
}

function wordSpans(transcript) {
  return spansBySpeaker(
    transcript.segments.map((segment) => ({
      start: segmentStart(segment),
      end: segmentEnd(segment),
      speaker: segment.speaker,
    })),
  );
}

function spansBySpeaker(turns) {
  const spans = new Map();
  for (const { start, end, speaker } of turns) {
    if (!spans.has(speaker)) {
      spans.set(speaker, []);
    }
    spans.get(speaker).push([start, end]);
  }
  return new Map([...spans].map(([speaker, found]) => [speaker, union(found)]));
}

/** Return who has most of the time in `spans` by now: whom a speaker was merged into. */
function mostHeard(spans, now) {
  const total = (found) => found.reduce((sum, [start, end]) => sum + end - start, 0);
  let [most, longest] = [null, 0];
  for (const [speaker, found] of now) {
    const shared = total(spans) - total(difference(spans, found));
    if (shared > longest) {
      [most, longest] = [speaker, shared];
    }
  }
  return most;
}
