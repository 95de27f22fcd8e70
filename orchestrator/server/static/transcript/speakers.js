/** The panel of speakers: who there is, how much they speak; rename, merge, add. */

import { chosen } from "../dialogs.js";
import { h } from "../dom.js";
import { hasUnknown, presentLabels, shownName, talkTimes } from "./document.js";
import { choices, openPopover } from "./popover.js";
import { actionButton, colourClass, nameForm, speakerButtons } from "./speaker_choices.js";
import { symbol } from "./symbols.js";

export class SpeakerPanel {
  /** @param {import("./commands.js").Commands} commands */
  constructor(commands) {
    this.commands = commands;
    this.element = h("div", { class: "speakers", role: "group", "aria-label": "Speakers" });
  }

  /** Show the speakers of this state of the transcript. */
  update(transcript) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.label : undefined;
    const labels = [...presentLabels(transcript), ...(hasUnknown(transcript) ? [null] : [])];
    const times = talkTimes(transcript);
    const total = [...times.values()].reduce((sum, time) => sum + time, 0);
    const chips = labels.map((label, k) => this.chip(transcript, label, k, (times.get(label) ?? 0) / (total || 1)));
    this.element.replaceChildren(...chips, this.addButton());
    if (focused !== undefined) {
      chips.find((chip) => chip.dataset.label === focused)?.focus({ preventScroll: true });
    }
  }

  chip(transcript, label, place, share) {
    const percent = `${Math.round(share * 100)} %`;
    const chip = h(
      "button",
      {
        type: "button",
        class: `chip ${colourClass(transcript, label)}`,
        "aria-haspopup": "dialog",
        "data-label": label ?? "",
        title: "Rename or merge this speaker",
        onclick: () => this.openMenu(chip, label),
      },
      h("span", { class: "swatch", "aria-hidden": "true" }, label === null ? "?" : place + 1),
      h("span", { class: "name" }, shownName(transcript, label)),
      h("span", { class: "share" }, percent, h("span", { class: "visually-hidden" }, " of the talking")),
    );
    return chip;
  }

  addButton() {
    const label = "Add a speaker";
    const button = h("button", { type: "button", class: "chip add", "aria-haspopup": "dialog", "aria-label": label });
    button.append(symbol("plus"), h("span", { "aria-hidden": "true" }, "Speaker"));
    button.addEventListener("click", () => openPopover(button, label, (close) => [this.addForm(close)]));
    return button;
  }

  addForm(close) {
    const onName = (name) => {
      close();
      this.commands.addSpeaker(name);
    };
    return nameForm({ label: "Name of the new speaker", value: "", button: "Add", onName });
  }

  openMenu(chip, label) {
    openPopover(chip, this.commands.name(label), (close) => [
      renameForm(this.commands, label, close),
      this.mergeChoices(label, close),
    ]);
  }

  mergeChoices(label, close) {
    const onChoose = (into) => {
      close();
      this.commands.merge(label, into);
    };
    const buttons = speakerButtons(this.commands.transcript, { except: label, onChoose });
    return buttons.length ? choices("Merge into", buttons) : h("p", { class: "hint" }, "There is nobody to merge with.");
  }
}

/** The menu of a segment: whom it or its words belong to, split, join, edit, rename. */
export function openSegmentMenu(opener, index, { session, commands, edit, onNew }) {
  const { speaker, words } = session.transcript.segments[index];
  const cursor = session.cursorPosition?.segment === index ? session.cursorPosition : null;
  openPopover(opener, "This segment", (close) => {
    const then = (action) => (...given) => {
      close();
      action(...given);
    };
    const move = (target) => [
      ...speakerButtons(session.transcript, {
        except: speaker,
        onChoose: then((label) => commands.assign(target, label)),
      }),
      actionButton("New speaker", then(() => onNew(target)), { drawing: "plus" }),
    ];
    const word = cursor && words.length > 1 && { range: { first: cursor, last: cursor } };
    const text = cursor && words[cursor.word].word;
    const last = index + 1 === session.transcript.segments.length;
    return [
      renameForm(commands, speaker, close),
      choices("Move the segment to", move({ segment: index })),
      word && choices(`Move “${text}” to`, move(word)),
      choices("Segment", [
        actionButton("Edit the text", then(() => edit(index)), { key: "E" }),
        cursor?.word > 0 && actionButton(`Split before “${text}”`, then(() => commands.split(cursor)), { key: "S" }),
        !last && actionButton("Join with the next", then(() => commands.join(index)), { key: "M" }),
      ].filter(Boolean)),
    ].filter(Boolean);
  });
}

function renameForm(commands, label, close) {
  const onName = (name) => {
    close();
    renameOrMerge(commands, label, name);
  };
  const name = commands.name(label);
  return nameForm({ label: `Rename ${name} everywhere`, value: label === null ? "" : name, button: "Rename", onName });
}

/** Rename a speaker; where another one is called the same already, ask whether they are one. */
async function renameOrMerge(commands, label, name) {
  const other = commands.namesake(label, name);
  const called = other && commands.name(other);
  const choice = other && (await chosen({
    title: `Merge with “${called}”?`,
    text: `Another speaker is called “${called}” already. Are the two one person?`,
    choices: [
      { value: "rename", label: "Two with this name" },
      { value: "merge", label: "Merge the two", style: "primary" },
    ],
  }));
  if (choice === "merge") {
    commands.merge(label, other);
  } else if (choice !== null) {
    commands.rename(label, name);
  }
}
