/** The page or the box in which the transcript is scrolled, and how much of it bars leave free. */

const SMOOTH_MS = 220;

export class Scrolling {
  /**
   * @param {HTMLElement} list
   * @param {() => {top: number, bottom: number}} covered px that bars cover at the top and at the bottom
   */
  constructor(list, covered) {
    this.list = list;
    this.covered = covered;
    this.box = scrollerOf(list);
    this.events = this.box === document.scrollingElement ? document : this.box;
    this.frame = 0;
    this.expected = this.box.scrollTop;
  }

  /** Tell whether the window is elsewhere than where it was scrolled to from here; it is known there from then on. */
  get byUser() {
    const moved = Math.abs(this.box.scrollTop - this.expected) > 2;
    this.expected = this.box.scrollTop;
    return moved;
  }

  /** Where in the list the window's upper edge is, and how high the window is, in px. */
  get view() {
    const { top } = this.list.getBoundingClientRect();
    const edge = this.events === document ? 0 : this.box.getBoundingClientRect().top;
    return { top: edge - top, height: this.box.clientHeight };
  }

  /** The part of the list that no bar covers: from, to, in px. */
  get free() {
    const { top, height } = this.view;
    const covered = this.covered();
    return { from: top + covered.top, to: top + height - covered.bottom };
  }

  by(distance) {
    if (Math.abs(distance) >= 0.5) {
      this.box.scrollTop += distance;
      this.expected = this.box.scrollTop;
    }
  }

  /** Scroll until `distance` returns 0, in some frames if it is near and motion is welcome. */
  towards(distance) {
    this.stop();
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (calm || Math.abs(distance()) > 1.5 * this.box.clientHeight) {
      this.by(distance());
      return;
    }
    const begun = performance.now();
    const step = (now) => {
      const left = Math.max(0, SMOOTH_MS - (now - begun));
      this.by(left > 16 ? (distance() * 40) / (left + 24) : distance());
      this.frame = left > 16 ? requestAnimationFrame(step) : 0;
    };
    this.frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }
}

function scrollerOf(element) {
  for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(box).overflowY)) {
      return box;
    }
  }
  return document.scrollingElement;
}
