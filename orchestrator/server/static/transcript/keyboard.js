/** The keyboard: one key, one command; never while somebody writes, nor on top of a dialog. */

/** @typedef {{keys: string, does: string}} Help */

/** What the help dialog shows. @type {{title: string, rows: Help[]}[]} */
export const KEYS = [
  {
    title: "Playing",
    rows: [
      { keys: "Space or K", does: "Play, pause" },
      { keys: "J or ←, L or →", does: "Back, forward 5 seconds" },
      { keys: "[ , ]", does: "Slower, faster" },
      { keys: "P, N", does: "Previous, next segment" },
      { keys: "F", does: "Follow what is heard" },
    ],
  },
  {
    title: "Editing",
    rows: [
      { keys: "E or Enter", does: "Edit the segment's text" },
      { keys: "1 – 9", does: "Give the segment, or the selected words, to a speaker" },
      { keys: ", and .", does: "Select the previous, next word; with Shift several" },
      { keys: "S", does: "Split the segment before the selected word" },
      { keys: "M", does: "Join the segment with the next one" },
      { keys: "Ctrl+Z", does: "Undo" },
      { keys: "Ctrl+Shift+Z", does: "Redo" },
    ],
  },
  {
    title: "Finding",
    rows: [
      { keys: "Ctrl+F or /", does: "Search" },
      { keys: "Enter, Shift+Enter", does: "Next, previous match, while in the search box" },
      { keys: "Esc", does: "Select nothing; close what is open" },
      { keys: "?", does: "This help" },
    ],
  },
];

const FIELDS = "input, textarea, select, [contenteditable]";
const PRESSED = { " ": "button, a, summary, [role=button]", Enter: "button, a, summary, [role=button]" };
const COMMANDS = {
  " ": "toggle", k: "toggle", j: "back", ArrowLeft: "back", l: "forward", ArrowRight: "forward",
  "[": "slower", "]": "faster", n: "next", p: "previous", f: "follow", e: "edit", Enter: "edit",
  ",": "previousWord", ".": "nextWord", "<": "extendBack", ">": "extendForward",
  s: "split", m: "join", "/": "search", "?": "help", Escape: "clear",
};

/**
 * Listen to the keyboard.
 *
 * @param {Record<string, (number?: number) => unknown>} commands by the names in COMMANDS, and `assign`, `undo`, `redo`;
 *   one that returns false leaves the key to the browser
 * @returns {() => void} to listen no more
 */
export function listenToKeys(commands) {
  const onKey = (event) => {
    const command = commandFor(event);
    if (command !== null && commands[command.name]?.(command.number) !== false) {
      event.preventDefault();
    }
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

/** Return what a key event asks for, null if it is not for the transcript. */
export function commandFor(event) {
  const target = event.target instanceof Element ? event.target : null;
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open], [popover]:popover-open")) {
    return null;
  }
  const types = event.getModifierState?.("AltGraph"); // it comes with Ctrl and Alt where it makes brackets
  if (!types && (event.ctrlKey || event.metaKey)) {
    return withControl(event, target);
  }
  if ((event.altKey && !types) || target?.closest(FIELDS) || target?.closest(PRESSED[event.key] ?? "nothing")) {
    return null;
  }
  if (/^[1-9]$/.test(event.key)) {
    return { name: "assign", number: Number(event.key) - 1 };
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return key in COMMANDS ? { name: COMMANDS[key] } : null;
}

function withControl(event, target) {
  const key = event.key.toLowerCase();
  if (key === "f" && !event.shiftKey && !event.altKey) {
    return { name: "search" };
  }
  if (target?.closest(FIELDS)) {
    return null;
  }
  if (key === "z") {
    return { name: event.shiftKey ? "redo" : "undo" };
  }
  return key === "y" ? { name: "redo" } : null;
}
