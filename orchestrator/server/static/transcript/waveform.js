/** The waveform with a lane for each speaker: where it plays, who speaks when; click, drag or keys go elsewhere. */

import { h } from "../dom.js";
import { spokenTime } from "./clock.js";
import { hasUnknown, presentLabels, shownName } from "./document.js";
import { colourClass } from "./speaker_choices.js";
import { disable, iconButton } from "./transport.js";
import { drawWaveform } from "./waveform_drawing.js";
import { isWhole, panned, turnedTo, whole, zoomed } from "./waveform_view.js";

const ZOOM = 1.6;
const HEIGHTS = { wide: { peaks: 44, lane: 12, gap: 5 }, narrow: { peaks: 28, lane: 10, gap: 4 } };
const NARROW_PX = 640;
const KEY_STEPS_S = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30 };

export class Waveform {
  /**
   * @param {object} parts
   * @param {import("./player.js").Player} parts.player
   * @param {import("./lanes.js").HeardTurns} parts.heard
   * @param {any} parts.peaks
   */
  constructor({ player, heard, peaks }) {
    Object.assign(this, { player, heard, peaks: peaks?.peaks?.length ? peaks : null });
    this.extent = whole(player.duration);
    this.build();
    this.listen();
    player.subscribe((what) => this.follow(what));
    this.observer = new ResizeObserver(() => this.drawSoon());
    this.observer.observe(this.field);
    this.themes = new MutationObserver(() => this.drawSoon());
    this.themes.observe(document.documentElement, { attributes: true });
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => this.drawSoon();
    this.scheme.addEventListener("change", this.onScheme);
  }

  build() {
    this.names = h("div", { class: "lane-names", "aria-hidden": "true" });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.head = h("div", { class: "playhead", "aria-hidden": "true" });
    this.field = h(
      "div",
      {
        class: "waveform-field",
        role: "slider",
        tabindex: "0",
        "aria-label": "Position in the recording",
        "aria-valuemin": "0",
      },
      this.canvas,
      this.head,
    );
    this.whole = iconButton("fit", "Show all", () => this.show(whole(this.player.duration)));
    this.zoomButtons = h(
      "div",
      { class: "zoom", role: "group", "aria-label": "Zoom" },
      iconButton("minus", "Zoom out", () => this.zoom(ZOOM)),
      iconButton("plus", "Zoom in", () => this.zoom(1 / ZOOM)),
      this.whole,
    );
    this.element = h("div", { class: "waveform" }, h("div", { class: "waveform-scroll" }, this.names, this.field));
  }

  listen() {
    this.field.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.field.addEventListener("pointerdown", (event) => this.onDown(event));
    this.field.addEventListener("pointermove", (event) => {
      if (this.field.hasPointerCapture(event.pointerId)) {
        this.player.seek(this.timeAt(event));
      }
    });
  }

  /** Show who speaks when in this state of the transcript. */
  setTranscript(transcript) {
    const spans = this.heard.lanes(transcript);
    const listed = [...presentLabels(transcript), ...(hasUnknown(transcript) ? [null] : [])];
    const labels = listed.filter((label) => spans.get(label)?.length);
    this.lanes = labels.map((label) => ({ colour: colourClass(transcript, label), spans: spans.get(label) }));
    const name = (label, k) => h("span", { class: `lane-name ${this.lanes[k].colour}` }, shownName(transcript, label));
    this.names.replaceChildren(...labels.map(name));
    this.drawSoon();
    this.tellPlace();
  }

  destroy() {
    this.observer.disconnect();
    this.themes.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
    cancelAnimationFrame(this.frame);
  }

  show(extent) {
    this.extent = extent;
    this.drawSoon();
  }

  /** Show `factor` times as much around the playhead. */
  zoom(factor) {
    const middle = this.extent.from + this.extent.span / 2;
    const seen = turnedTo(this.extent, this.player.time) === this.extent;
    this.show(zoomed(this.extent, factor, seen ? this.player.time : middle));
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    if (!this.lanes || !this.field.clientWidth) {
      return;
    }
    const all = this.element.clientWidth < NARROW_PX ? HEIGHTS.narrow : HEIGHTS.wide;
    const heights = { ...all, peaks: this.peaks ? all.peaks : 0 };
    const style = getComputedStyle(this.element);
    const colours = { bar: style.getPropertyValue("--text-muted"), track: style.getPropertyValue("--surface-2") };
    const coloured = [...this.names.children].map((name) => getComputedStyle(name).getPropertyValue("--speaker"));
    const lanes = this.lanes.map(({ spans }, k) => ({ colour: coloured[k], spans }));
    drawWaveform(this.canvas, { extent: this.extent, peaks: this.peaks, lanes, heights, colours });
    this.names.style.paddingTop = `${heights.peaks + heights.gap / 2}px`;
    for (const name of this.names.children) {
      name.style.height = `${heights.lane + heights.gap}px`;
    }
    disable(this.whole, isWhole(this.extent));
    this.moveHead();
  }

  follow(what) {
    if (what === "durationchange" && isWhole(this.extent)) {
      this.show(whole(this.player.duration));
    }
    const turned = this.dragging ? this.extent : turnedTo(this.extent, this.player.time);
    if (turned !== this.extent && (this.player.playing || what === "seek")) {
      this.show(turned);
    }
    this.moveHead();
    this.tellPlace();
  }

  moveHead() {
    const share = (this.player.time - this.extent.from) / this.extent.span;
    this.head.hidden = share < 0 || share > 1;
    this.head.style.transform = `translateX(${(share * this.field.clientWidth).toFixed(1)}px)`;
  }

  /** Tell a screen reader where it plays, once a second. */
  tellPlace() {
    const second = Math.floor(this.player.time);
    if (second !== this.second) {
      this.second = second;
      this.field.setAttribute("aria-valuenow", String(second));
      this.field.setAttribute("aria-valuemax", String(Math.ceil(this.player.duration)));
      const [now, all] = [spokenTime(second), spokenTime(this.player.duration)];
      this.field.setAttribute("aria-valuetext", `${now} of ${all}`);
    }
  }

  timeAt(event) {
    const { left, width } = this.field.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    return this.extent.from + share * this.extent.span;
  }

  onDown(event) {
    if (event.button === 0) {
      this.dragging = true;
      this.field.setPointerCapture(event.pointerId);
      this.field.addEventListener("lostpointercapture", () => (this.dragging = false), { once: true });
      this.player.seek(this.timeAt(event));
    }
  }

  onWheel(event) {
    event.preventDefault();
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const moved = sideways ? event.deltaX || event.deltaY : event.deltaY;
    const next = sideways
      ? panned(this.extent, (moved / this.field.clientWidth) * this.extent.span)
      : zoomed(this.extent, ZOOM ** (Math.max(-100, Math.min(100, moved)) / 100), this.timeAt(event));
    this.show(next);
  }

  onKey(event) {
    const goals = { Home: 0, End: this.player.duration };
    const step = KEY_STEPS_S[event.key];
    const goal = step === undefined ? goals[event.key] : this.player.time + step;
    if (goal !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      this.player.seek(goal);
    } else if (event.key === "+" || event.key === "-") {
      event.preventDefault();
      this.zoom(event.key === "+" ? 1 / ZOOM : ZOOM);
    }
  }
}
