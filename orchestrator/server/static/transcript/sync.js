/** The word that is heard is marked, and kept in sight until the user scrolls elsewhere. */

import { h } from "../dom.js";
import { WordTimes } from "./word_times.js";
import { symbol } from "./symbols.js";

const PLACE = 0.3; // of the free height: where the word that is heard is brought to
const LOWEST = 0.8; // further down it is brought back

export class Sync {
  /** @param {{list: import("./view.js").SegmentList, player: import("./player.js").Player}} parts */
  constructor({ list, player }) {
    Object.assign(this, { list, player });
    this.following = true;
    this.heard = null;
    this.button = h("button", { type: "button", class: "follow", hidden: true, onclick: () => this.follow() });
    this.button.append(symbol("follow"), "Follow");
    player.subscribe((what) => this.update(what));
  }

  setTranscript(transcript) {
    this.times = new WordTimes(transcript);
    this.show(this.times.heardAt(this.player.time), { scroll: false });
  }

  /** Mark what is heard now; called every frame, it does nothing until that is another word. */
  update(what) {
    if (!this.times) {
      return;
    }
    if (what === "seek" || what === "play") {
      this.following = what === "seek" || this.inSight();
    }
    this.button.hidden = this.following || !this.player.playing;
    const heard = this.times.heardAt(this.player.time);
    if (heard !== this.heard || what === "seek") {
      this.show(heard, { scroll: this.following });
    }
  }

  /** The user reads elsewhere: leave the window there. */
  stop() {
    if (this.following && this.player.playing) {
      this.following = false;
      this.button.hidden = false;
    }
  }

  follow() {
    this.following = true;
    this.button.hidden = true;
    this.bringIntoSight(this.place());
  }

  /** Mark in a row that was put on the page what is heard now. */
  decorate(row) {
    const heard = this.heard?.segment === row.index ? this.heard : null;
    row.element.classList.toggle("current", heard !== null);
    row.mark("heard", heard && ((word) => word === heard.word));
  }

  show(heard, { scroll }) {
    const before = this.heard && this.list.rowAt(this.heard.segment);
    this.heard = heard;
    const row = heard && this.list.rowAt(heard.segment);
    if (before && before !== row) {
      this.decorate(before);
    }
    if (row) {
      this.decorate(row);
    }
    if (scroll && (heard || !this.player.playing)) {
      this.bringIntoSight(this.place());
    }
  }

  place() {
    return this.heard ?? this.times.nearest(this.player.time);
  }

  bringIntoSight(place) {
    if (!place) {
      return;
    }
    const box = this.boxOf(place);
    const { from, to } = this.list.scrolling.free;
    if (box && box.top >= from && box.bottom <= from + LOWEST * (to - from)) {
      return;
    }
    if (box && box.height > (1 - PLACE) * (to - from)) {
      this.list.scrolling.by(box.top - from - PLACE * (to - from));
    } else {
      this.list.reveal(place.segment, { place: PLACE, always: true, smooth: true });
    }
  }

  /** Where the word's line is in the list, and how high its segment, in px, if it is on the page. */
  boxOf({ segment, word }) {
    const row = this.list.rowAt(segment);
    if (!row) {
      return null;
    }
    const edge = this.list.element.getBoundingClientRect().top;
    const line = row.spans[word].getBoundingClientRect();
    return { top: line.top - edge, bottom: line.bottom - edge, height: row.element.offsetHeight };
  }

  inSight() {
    const place = this.place();
    const seen = this.list.visible();
    return place !== null && seen !== null && place.segment >= seen.first && place.segment <= seen.last;
  }
}
