/** The parts of the transcript's page and how they hear of each other. */

import { h, setText } from "../dom.js";
import { Actions } from "./actions.js";
import { Autosave } from "./autosave.js";
import { Commands } from "./commands.js";
import { openTranscript, savedDocument } from "./document.js";
import { Editing } from "./editing.js";
import { listenToKeys } from "./keyboard.js";
import { HeardTurns } from "./lanes.js";
import { moreButton } from "./more.js";
import { Player } from "./player.js";
import { SaveStatus } from "./save_state.js";
import { SearchBox } from "./search_box.js";
import { SelectionBar, watchSelection } from "./selecting.js";
import { Session } from "./session.js";
import { SpeakerPanel } from "./speakers.js";
import { Sync } from "./sync.js";
import { disable, iconButton, transport } from "./transport.js";
import { SegmentList } from "./view.js";
import { Waveform } from "./waveform.js";

const DRAFT_DELAY_MS = 3000; // that nobody types before what was typed is saved

export class TranscriptPage {
  /** @param {import("./mount.js").Options} options */
  constructor(options) {
    const { result, edits, audioUrl, peaks } = options;
    const original = openTranscript(result);
    this.session = new Session(edits?.document ? openTranscript(result, edits.document) : original);
    this.player = new Player(audioUrl, result.duration ?? 0);
    this.commands = new Commands(this.session, original);
    this.list = new SegmentList({
      decorate: (row) => this.decorate(row),
      covered: () => this.covered(),
      onUserScroll: () => this.sync.stop(),
    });
    this.sync = new Sync({ list: this.list, player: this.player });
    this.waveform = new Waveform({ player: this.player, heard: new HeardTurns(result), peaks });
    this.actions = new Actions(this);
    this.editing = new Editing({
      ...this.parts(),
      focusSegment: (index) => this.actions.focus(index),
      onDraft: () => this.autosave.changed(DRAFT_DELAY_MS),
    });
    this.panel = new SpeakerPanel(this.commands);
    const announce = (text) => this.announce(text);
    this.search = new SearchBox({ list: this.list, announce, onLeave: () => this.actions.leaveSearch() });
    this.selectionBar = new SelectionBar({ ...this.parts(), onNew: (target) => this.commands.addSpeaker("", target) });
    this.saving(options);
    this.build(options);
  }

  parts() {
    return { session: this.session, commands: this.commands, list: this.list };
  }

  saving({ edits, onSave, onLatest, onConflict }) {
    const onReload = () => (onConflict ? onConflict() : location.reload());
    const onKeep = () => this.autosave.overwrite().catch(() => {}); // the state says that it failed
    this.status = new SaveStatus({ announce: (text) => this.announce(text), onReload, onKeep });
    this.autosave = new Autosave({
      current: () => this.document(),
      save: onSave,
      latest: onLatest,
      version: edits?.version ?? 0,
      onState: (state, error) => this.status.show(state, error),
    });
  }

  build({ filename }) {
    this.undoButton = iconButton("undo", "Undo", () => this.actions.undo());
    this.redoButton = iconButton("redo", "Redo", () => this.actions.redo());
    const right = h(
      "div",
      { class: "tool-buttons" },
      this.status.element,
      this.search.element,
      this.undoButton,
      this.redoButton,
      moreButton(this.commands),
    );
    this.tools = h("div", { class: "tools" }, this.panel.element, right);
    const float = h("div", { class: "float" }, this.selectionBar.element, this.sync.button);
    const controls = h("div", { class: "controls" }, transport(this.player), this.waveform.zoomButtons);
    this.dock = h("div", { class: "dock" }, float, this.waveform.element, controls);
    this.live = h("div", { class: "visually-hidden", role: "status" });
    this.empty = h("p", { class: "no-words" }, "There are no words in this transcript.");
    this.element = h(
      "section",
      { class: "transcript", "aria-label": `Transcript of ${filename}` },
      this.tools,
      this.status.notice,
      this.empty,
      this.list.element,
      this.dock,
      this.live,
    );
  }

  /** Begin; the element is in the page by now. */
  start() {
    this.list.pinned = () => [this.actions.tabStop, this.editing.index];
    this.session.subscribe((change) => this.changed(change));
    const onSelect = ({ first, last }) => this.session.select(first, last);
    this.stops = [listenToKeys(this.actions.byKey()), watchSelection(this.list, onSelect)];
    this.actions.listen(this.list.element);
    this.leaving = (event) => this.onLeaving(event);
    addEventListener("beforeunload", this.leaving);
    document.addEventListener("visibilitychange", this.leaving);
    const { transcript } = this.session;
    this.list.attach(transcript);
    this.sync.setTranscript(transcript);
    this.search.setTranscript(transcript);
    this.showTranscript(transcript);
    this.showSelection();
  }

  destroy() {
    if (this.editing.index >= 0) {
      this.editing.commit();
    }
    this.stops.forEach((stop) => stop());
    removeEventListener("beforeunload", this.leaving);
    document.removeEventListener("visibilitychange", this.leaving);
    for (const part of [this.autosave, this.list, this.waveform, this.player]) {
      part.destroy();
    }
    this.element.remove();
  }

  document() {
    return savedDocument(this.editing.draft);
  }

  /** Load the recording again if it could not be, and save what could not be. */
  retry() {
    this.player.retry();
    this.autosave.back();
  }

  flush() {
    this.editing.commit();
    return this.autosave.flush();
  }

  changed({ edited, what }) {
    if (edited) {
      const { transcript } = this.session;
      this.sync.setTranscript(transcript);
      this.search.setTranscript(transcript);
      this.list.setTranscript(transcript);
      this.showTranscript(transcript);
      this.autosave.changed();
      this.announce(what);
    }
    this.showSelection();
  }

  showTranscript(transcript) {
    this.waveform.setTranscript(transcript);
    this.panel.update(transcript);
    this.empty.hidden = transcript.segments.length > 0;
    this.list.element.hidden = transcript.segments.length === 0;
    disable(this.undoButton, !this.session.canUndo);
    disable(this.redoButton, !this.session.canRedo);
  }

  showSelection() {
    this.range = this.session.range;
    this.cursor = this.session.cursorPosition;
    this.list.refresh();
    this.list.decorateAll();
    this.selectionBar.update();
  }

  decorate(row) {
    const { range, cursor } = this;
    row.setActive(row.index === this.session.activeIndex, row.index === this.actions.tabStop);
    row.mark("selected", range && row.index >= range.first.segment && row.index <= range.last.segment
      ? (word) => isWithin(range, row.index, word) : null);
    row.mark("cursor", cursor?.segment === row.index ? (word) => word === cursor.word : null);
    this.search.decorate(row);
    this.sync.decorate(row);
  }

  /** Return how much of the window the bars that stay in it cover, in px. */
  covered() {
    const stays = getComputedStyle(this.tools).position === "sticky";
    return { top: stays ? Math.max(0, this.tools.getBoundingClientRect().bottom) : 0, bottom: this.dock.offsetHeight };
  }

  announce(text) {
    setText(this.live, this.live.textContent === text ? `${text}\u00a0` : text);
  }

  onLeaving(event) {
    if (event.type === "beforeunload" && this.autosave.state !== "saved") {
      event.preventDefault();
    }
    if (this.autosave.state === "unsaved" && (document.hidden || event.type === "beforeunload")) {
      this.autosave.flush().catch(() => {}); // the state says that it failed
    }
  }
}

function isWithin({ first, last }, segment, word) {
  return (segment > first.segment || word >= first.word) && (segment < last.segment || word <= last.word);
}
