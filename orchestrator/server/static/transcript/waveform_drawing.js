/** Draw the waveform and a lane for each speaker on a canvas, sharp on any screen. */

import { columnPeaks } from "./waveform_view.js";

const LEAST_WIDTH_PX = 1.5; // of a turn, so that none is lost
const BAR_ALPHA = 0.6;
const QUIETEST_PEAK = 12; // that is drawn at full height: silence stays flat
const BAR_PX = 2;
const BAR_GAP_PX = 1;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {object} what
 * @param {import("./waveform_view.js").Extent} what.extent
 * @param {any} what.peaks null for none
 * @param {{colour: string, spans: import("./lanes.js").Span[]}[]} what.lanes
 * @param {{peaks: number, lane: number, gap: number}} what.heights px
 * @param {{bar: string, track: string}} what.colours
 */
export function drawWaveform(canvas, { extent, peaks, lanes, heights, colours }) {
  const width = canvas.clientWidth;
  const context = sized(canvas, width, heights.peaks + lanes.length * (heights.lane + heights.gap));
  if (peaks && heights.peaks > 0) {
    drawPeaks(context, { extent, peaks, width, height: heights.peaks, colour: colours.bar });
  }
  lanes.forEach((lane, k) => {
    const top = heights.peaks + heights.gap + k * (heights.lane + heights.gap);
    context.fillStyle = colours.track;
    context.fillRect(0, top, width, heights.lane);
    drawSpans(context, lane, { extent, width, top, height: heights.lane });
  });
}

function sized(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function drawPeaks(context, { extent, peaks, width, height, colour }) {
  const pitch = BAR_PX + BAR_GAP_PX;
  const columns = Math.max(1, Math.floor(width / pitch));
  const middle = height / 2;
  context.fillStyle = colour;
  context.globalAlpha = BAR_ALPHA;
  const loudest = loudestOf(peaks);
  columnPeaks(peaks, extent, columns).forEach((peak, column) => {
    const half = Math.max(0.5, (peak / loudest) * (middle - 1));
    context.fillRect(column * pitch, middle - half, BAR_PX, 2 * half);
  });
  context.globalAlpha = 1;
}

function loudestOf(peaks) {
  peaks.loudest ??= peaks.peaks.reduce((loudest, peak) => Math.max(loudest, peak), QUIETEST_PEAK);
  return peaks.loudest;
}

function drawSpans(context, { colour, spans }, { extent, width, top, height }) {
  const scale = width / extent.span;
  context.fillStyle = colour;
  for (const [start, end] of spans) {
    const left = (start - extent.from) * scale;
    const right = (end - extent.from) * scale;
    if (right >= 0 && left <= width) {
      context.fillRect(left, top, Math.max(LEAST_WIDTH_PX, right - left), height);
    }
  }
}
