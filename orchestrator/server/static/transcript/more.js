/** The menu of what is seldom needed: the help, and back to what the engine found. */

import { h } from "../dom.js";
import { openHelp } from "./help.js";
import { openPopover } from "./popover.js";
import { actionButton } from "./speaker_choices.js";
import { iconButton } from "./transport.js";

/** @param {import("./commands.js").Commands} commands */
export function moreButton(commands) {
  const button = iconButton("more", "More", () => open(button, commands), "more");
  button.setAttribute("aria-haspopup", "dialog");
  return button;
}

function open(button, commands) {
  openPopover(button, "More", (close) => {
    const then = (action) => () => {
      close();
      action();
    };
    const discard = actionButton("Discard all edits", then(() => commands.discard()));
    discard.disabled = !commands.isEdited;
    const help = actionButton("Keyboard help", then(openHelp), { key: "?" });
    const hint = commands.isEdited ? "Discarding can be undone." : "Nothing is edited.";
    return [help, h("div", {}, discard, h("p", { class: "hint" }, hint))];
  });
}
