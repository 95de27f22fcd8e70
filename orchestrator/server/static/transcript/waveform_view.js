/** Which part of the recording the waveform shows: from where, how much; pure. */

const SHORTEST_S = 2;

/** @typedef {{from: number, span: number, duration: number}} Extent s */

/** @returns {Extent} all of it */
export function whole(duration) {
  return { from: 0, span: Math.max(duration, SHORTEST_S / 10), duration };
}

/** Show `factor` times as much, and `around` (s) where it is. @param {Extent} extent @returns {Extent} */
export function zoomed(extent, factor, around) {
  const span = Math.min(extent.duration, Math.max(Math.min(SHORTEST_S, extent.duration), extent.span * factor));
  const share = (around - extent.from) / extent.span;
  return within({ ...extent, span, from: around - share * span });
}

/** Move it by `seconds`. @returns {Extent} */
export function panned(extent, seconds) {
  return within({ ...extent, from: extent.from + seconds });
}

/** Show the page that `time` is on, where it is out of sight. @returns {Extent} */
export function turnedTo(extent, time) {
  const seen = time >= extent.from && time <= extent.from + extent.span;
  return seen ? extent : within({ ...extent, from: time - 0.1 * extent.span });
}

export function isWhole(extent) {
  return extent.span >= extent.duration * 0.999;
}

/**
 * Return the loudest peak of each column.
 *
 * @param {{per_second: number, peaks: ArrayLike<number>}} peaks 0 to 255
 * @param {Extent} extent
 * @param {number} columns
 * @returns {Uint8Array}
 */
export function columnPeaks({ per_second, peaks }, extent, columns) {
  const loudest = new Uint8Array(columns);
  const perColumn = (extent.span * per_second) / columns;
  for (let column = 0; column < columns; column += 1) {
    const first = Math.floor(extent.from * per_second + column * perColumn);
    const last = Math.max(first + 1, Math.floor(extent.from * per_second + (column + 1) * perColumn));
    for (let k = Math.max(0, first); k < last && k < peaks.length; k += 1) {
      loudest[column] = Math.max(loudest[column], peaks[k]);
    }
  }
  return loudest;
}

function within(extent) {
  return { ...extent, from: Math.max(0, Math.min(extent.from, extent.duration - extent.span)) };
}
