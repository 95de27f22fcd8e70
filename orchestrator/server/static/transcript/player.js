/** The recording, or only its time where there is none: what plays, where it is, how fast. */

import { h } from "../dom.js";

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
export const STEP_S = 5;

export class Player {
  /** @param {string|null} audioUrl @param {number} duration s, as the result tells */
  constructor(audioUrl, duration) {
    this.told = duration;
    this.still = 0;
    this.retries = 0;
    this.frame = 0;
    this.listeners = [];
    this.audio = audioUrl === null ? null : h("audio", { src: audioUrl, preload: "metadata" });
    const events = ["play", "pause", "ended", "seeking", "timeupdate", "durationchange", "ratechange", "error"];
    events.forEach((name) => this.audio?.addEventListener(name, () => this.changed(name)));
    this.back = () => this.retry();
    addEventListener("online", this.back);
  }

  get available() {
    return this.audio !== null && this.audio.error === null;
  }

  get duration() {
    const heard = this.audio?.duration;
    return Number.isFinite(heard) && heard > 0 ? heard : this.told;
  }

  get time() {
    return this.available ? this.audio.currentTime : this.still;
  }

  get playing() {
    return this.available && !this.audio.paused && !this.audio.ended;
  }

  get rate() {
    return this.audio?.playbackRate ?? 1;
  }

  /** @param {(what: string) => void} listener is told every frame while playing, and what else happens */
  subscribe(listener) {
    this.listeners.push(listener);
  }

  seek(time) {
    const within = Math.min(Math.max(0, time), this.duration || Infinity);
    this.still = within;
    if (this.available) {
      this.audio.currentTime = within;
    }
    this.tell("seek");
  }

  async play() {
    try {
      await this.audio?.play();
    } catch {
      this.tell("pause"); // it was paused meanwhile, may not be played, or cannot be: the error event tells which
    }
  }

  pause() {
    this.audio?.pause();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** Load the recording again if it could not be, and go on where it was. */
  retry() {
    if (this.audio?.error) {
      const address = new URL(this.audio.src);
      address.searchParams.set("again", String((this.retries += 1))); // browsers keep what they could not play
      this.audio.src = address.href;
      this.audio.currentTime = this.still;
      this.tell("retry");
    }
  }

  /** @param {number} rate */
  setRate(rate) {
    if (this.audio) {
      this.audio.defaultPlaybackRate = rate; // for when it is loaded again
      this.audio.playbackRate = rate;
      this.tell("ratechange");
    }
  }

  /** Play faster (+1) or slower (-1). */
  stepRate(step) {
    const apart = RATES.map((rate) => Math.abs(rate - this.rate));
    const next = apart.indexOf(Math.min(...apart)) + step;
    this.setRate(RATES[Math.min(RATES.length - 1, Math.max(0, next))]);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    removeEventListener("online", this.back);
    this.listeners = [];
    this.pause();
    this.audio?.removeAttribute("src");
    this.audio?.load();
  }

  changed(name) {
    cancelAnimationFrame(this.frame);
    this.still = name === "timeupdate" ? this.audio.currentTime : this.still;
    this.tell(name);
    if (this.playing) {
      this.frame = requestAnimationFrame(() => this.everyFrame());
    }
  }

  everyFrame() {
    this.tell("time");
    this.frame = this.playing ? requestAnimationFrame(() => this.everyFrame()) : 0;
  }

  tell(what) {
    this.listeners.forEach((listener) => listener(what));
  }
}
