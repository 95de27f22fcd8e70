/** Line drawings of the transcript's buttons, on a field of 24 by 24. */

import { drawing } from "../icons.js";

const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M8.500 5v14M15.500 5v14",
  back: "M11 7l-5 5 5 5M18 7l-5 5 5 5",
  forward: "M6 7l5 5-5 5M13 7l5 5-5 5",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M16 5l4 4-4 4M20 9H10a6 6 0 0 0 0 12h3",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.500 4.500",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 8v8M20 8v8M7 12h10M9.500 9.500L7 12l2.500 2.500M14.500 9.500L17 12l-2.500 2.500",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6L6 18",
  follow: "M12 4v13M6 12l6 6 6-6",
  keyboard: "M3 7h18v10H3zM7 10.500h.01M10.500 10.500h.01M14 10.500h.01M17.500 10.500h.01M8 14h8",
};

/**
 * Draw a symbol.
 * @param {keyof typeof PATHS} name
 */
export function symbol(name) {
  return drawing(PATHS[name], "symbol");
}

/** Let a symbol's button show another one. */
export function drawInstead(button, name) {
  button.querySelector("path").setAttribute("d", PATHS[name]);
}
