/** Which word is heard when: found by binary search, whatever order the segments have. */

/** @typedef {import("./operations.js").Position} Position */

const OVERLAPPING = 8; // words before the last begun one that are looked at for one still heard

export class WordTimes {
  /** @param {import("./document.js").Transcript} transcript */
  constructor(transcript) {
    const places = [];
    transcript.segments.forEach((segment, index) => {
      segment.words.forEach((word, k) => places.push({ segment: index, word: k, start: word.start, end: word.end }));
    });
    this.places = places.sort((one, other) => one.start - other.start);
    this.starts = Float64Array.from(this.places, (place) => place.start);
  }

  /** Return the word heard at `time` (s), the latest begun of several, null in a pause. */
  heardAt(time) {
    const last = this.lastBegun(time);
    for (let k = last; k >= 0 && k > last - OVERLAPPING; k -= 1) {
      if (this.places[k].end > time) {
        return this.places[k];
      }
    }
    return null;
  }

  /** Return the word that began last at `time` (s), or the first word before any; null if there are none. */
  nearest(time) {
    return this.places[Math.max(0, this.lastBegun(time))] ?? null;
  }

  lastBegun(time) {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= time) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }
}
