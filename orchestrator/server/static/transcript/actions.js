/** What clicks and keys on the transcript do. */

import { segmentStart } from "./document.js";
import { openHelp } from "./help.js";
import { STEP_S } from "./player.js";
import { wordAt } from "./selecting.js";
import { openSegmentMenu } from "./speakers.js";

export class Actions {
  /** @param {import("./page.js").TranscriptPage} page */
  constructor(page) {
    this.page = page;
  }

  get segments() {
    return this.page.session.transcript.segments;
  }

  /** The segment that the tab key goes to. */
  get tabStop() {
    return Math.max(0, this.page.session.activeIndex);
  }

  listen(list) {
    list.addEventListener("click", (event) => this.onClick(event));
    list.addEventListener("dblclick", (event) => this.onDoubleClick(event));
    list.addEventListener("focusin", (event) => this.onFocus(event));
  }

  onFocus({ target }) {
    const { session, list } = this.page;
    const row = list.rowOf(target);
    if (row && row.key !== session.active && !row.element.classList.contains("editing")) {
      session.activate(row.index);
    }
  }

  onClick(event) {
    const { list, player } = this.page;
    const row = list.rowOf(event.target);
    if (!row || event.target.closest(".transcript-popover, .words-field")) {
      return;
    }
    if (event.target.closest(".speaker-name")) {
      this.openMenu(row);
    } else if (event.target.closest(".time")) {
      this.playFrom(segmentStart(this.segments[row.index]));
    } else if (event.target.closest(".word") && document.getSelection().isCollapsed) {
      this.wasPlaying = event.detail > 1 ? this.wasPlaying : player.playing;
      this.clickWord(wordAt(list, event.target), event);
    }
  }

  clickWord(position, { shiftKey, ctrlKey, metaKey, altKey }) {
    const { session, player } = this.page;
    const anchor = session.range?.first ?? session.cursorPosition;
    if (shiftKey && anchor) {
      session.select(anchor, position);
      return;
    }
    session.activate(position.segment, position.word);
    if (ctrlKey || metaKey || altKey || !player.available) {
      session.select(position);
    } else {
      session.select(null);
      this.playFrom(this.segments[position.segment].words[position.word].start);
    }
  }

  playFrom(time) {
    const { player } = this.page;
    player.seek(time);
    player.play();
  }

  onDoubleClick(event) {
    const { list, player, editing } = this.page;
    const row = list.rowOf(event.target);
    if (row && event.target.closest(".words")) {
      document.getSelection().removeAllRanges();
      if (!this.wasPlaying) {
        player.pause();
      }
      editing.open(row.index);
    }
  }

  openMenu(row) {
    const { session, commands, editing } = this.page;
    const onNew = (target) => commands.addSpeaker("", target);
    openSegmentMenu(row.name, row.index, { session, commands, edit: (index) => editing.open(index), onNew });
  }

  /** Bring a segment into sight and give it the focus. */
  focus(index) {
    const { session, list } = this.page;
    if (index < 0 || index >= this.segments.length) {
      return;
    }
    session.activate(index, session.cursorPosition?.segment === index ? session.cursorPosition.word : null);
    list.reveal(index);
    list.rowAt(index)?.element.focus({ preventScroll: true });
  }

  leaveSearch() {
    const { search, list } = this.page;
    const seen = list.visible();
    search.field.blur();
    if (seen) {
      this.focus(Math.max(seen.first, Math.min(seen.last, this.tabStop)));
    }
  }

  /** Go `step` segments on, and play from there if it plays. */
  goSegment(step) {
    const { session, sync, player } = this.page;
    const from = session.activeIndex >= 0 ? session.activeIndex : (sync.place()?.segment ?? 0) - (step > 0 ? 1 : 0);
    const index = Math.min(this.segments.length - 1, Math.max(0, from + step));
    if (this.segments.length) {
      player.seek(segmentStart(this.segments[index]));
      this.focus(index);
    }
  }

  /** Move the cursor by a word; with `extend` the words between are selected. */
  goWord(step, extend) {
    const { session, list } = this.page;
    const here = session.cursorPosition ?? { segment: this.tabStop, word: step > 0 ? -1 : 0 };
    const next = this.wordBeside(here, step);
    if (!next) {
      return;
    }
    const anchor = extend && session.selection ? this.anchor : next;
    session.activate(next.segment, next.word);
    session.select(anchor, next);
    list.reveal(next.segment);
    list.rowAt(next.segment)?.element.focus({ preventScroll: true });
  }

  get anchor() {
    const { range, cursorPosition: cursor } = this.page.session;
    const atFirst = cursor && range.first.segment === cursor.segment && range.first.word === cursor.word;
    return atFirst ? range.last : range.first;
  }

  wordBeside({ segment, word }, step) {
    const next = word + step;
    if (next >= 0 && next < this.segments[segment]?.words.length) {
      return { segment, word: next };
    }
    const beside = this.segments[segment + step];
    return beside ? { segment: segment + step, word: step > 0 ? 0 : beside.words.length - 1 } : null;
  }

  undo() {
    this.stepped(() => this.page.session.undo());
  }

  redo() {
    this.stepped(() => this.page.session.redo());
  }

  /** Undo or redo, and show where something changed. */
  stepped(step) {
    const { segments } = this;
    if (step()) {
      const changed = this.segments.findIndex((segment, index) => segment !== segments[index]);
      if (changed >= 0) {
        this.page.list.reveal(changed);
      }
    }
  }

  edit() {
    const { session, editing } = this.page;
    return session.activeIndex >= 0 ? editing.open(session.activeIndex) : false;
  }

  split() {
    const { session, commands } = this.page;
    const position = session.range?.first ?? session.cursorPosition;
    return position !== null && commands.split(position);
  }

  join() {
    const { session, commands } = this.page;
    return session.activeIndex >= 0 && commands.join(session.activeIndex);
  }

  assign(place) {
    return this.page.commands.assignListed(place);
  }

  openSearch() {
    const { search } = this.page;
    return document.activeElement === search.field ? false : search.focus();
  }

  /** The commands of the keyboard. */
  byKey() {
    const { player, sync, selectionBar, session } = this.page;
    const withAudio = (action) => () => (player.available ? action() : false);
    return {
      toggle: withAudio(() => void player.toggle()),
      back: () => player.seek(player.time - STEP_S),
      forward: () => player.seek(player.time + STEP_S),
      slower: withAudio(() => player.stepRate(-1)),
      faster: withAudio(() => player.stepRate(1)),
      follow: () => sync.follow(),
      next: () => this.goSegment(1),
      previous: () => this.goSegment(-1),
      nextWord: () => this.goWord(1, false),
      previousWord: () => this.goWord(-1, false),
      extendForward: () => this.goWord(1, true),
      extendBack: () => this.goWord(-1, true),
      edit: () => this.edit(),
      assign: (place) => this.assign(place),
      split: () => this.split(),
      join: () => this.join(),
      undo: () => this.undo(),
      redo: () => this.redo(),
      search: () => this.openSearch(),
      help: () => void openHelp(),
      clear: () => (session.range ? selectionBar.clear() : session.activate(-1)),
    };
  }
}
