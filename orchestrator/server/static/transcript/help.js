/** The help dialog: all keys. */

import { openDialog } from "../dialogs.js";
import { h } from "../dom.js";
import { KEYS } from "./keyboard.js";

/** Open the help dialog. */
export function openHelp() {
  const parts = KEYS.flatMap(({ title, rows }) => [
    h("h3", {}, title),
    h("dl", { class: "keys" }, rows.map(({ keys, does }) => h("div", {}, h("dt", {}, keys), h("dd", {}, does)))),
  ]);
  const hint = "Double-click a segment to edit it. Select words to move them to another speaker.";
  const content = h("div", { class: "transcript-help" }, h("p", { class: "hint" }, hint), parts);
  return openDialog({ title: "Keyboard" }, content);
}
