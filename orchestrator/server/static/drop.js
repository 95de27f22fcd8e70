// Files from outside: dropped anywhere on the page, pasted, or chosen.

import { h } from "./dom.js";
import { icon } from "./icons.js";

export const TAKES = "audio/*,video/*,.mp3,.wav,.flac,.m4a,.ogg,.opus,.webm,.mp4,.mkv,.mov,.aac,.wma,.aiff";

/**
 * Take files that are dropped or pasted anywhere; a veil shows that they may be let go.
 * @param {(files: File[]) => void} onFiles
 */
export function takeDrops(onFiles) {
  const veil = h(
    "div",
    { class: "veil", hidden: true, "aria-hidden": "true" },
    h("div", { class: "veil-box" }, icon("upload"), "Drop to transcribe"),
  );
  document.body.append(veil);
  let depth = 0;
  const shown = (/** @type {number} */ now) => {
    depth = Math.max(0, now);
    veil.hidden = depth === 0;
  };
  on("dragenter", (event) => hasFiles(event) && shown(depth + 1));
  on("dragleave", (event) => hasFiles(event) && shown(depth - 1));
  on("dragover", (event) => hasFiles(event) && event.preventDefault());
  on("drop", (event) => {
    shown(0);
    if (hasFiles(event)) {
      event.preventDefault();
      give(event.dataTransfer?.files, onFiles);
    }
  });
  document.addEventListener("paste", (event) => give(event.clipboardData?.files, onFiles));
}

/** @param {"dragenter" | "dragleave" | "dragover" | "drop"} name @param {(event: DragEvent) => void} act */
function on(name, act) {
  document.addEventListener(name, (event) => {
    if (!document.querySelector("dialog[open]")) {
      act(event);
    }
  });
}

/** @param {DragEvent} event @returns {boolean} */
function hasFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

/** @param {FileList | undefined} files @param {(files: File[]) => void} onFiles */
function give(files, onFiles) {
  if (files?.length) {
    onFiles([...files]);
  }
}

/**
 * Make the area that invites to drop or choose files.
 * @param {(files: File[]) => void} onFiles
 * @returns {HTMLElement}
 */
export function dropArea(onFiles) {
  const input = h("input", {
    type: "file",
    multiple: true,
    accept: TAKES,
    class: "visually-hidden",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  input.addEventListener("change", () => {
    give(input.files, onFiles);
    input.value = "";
  });
  const choose = h("button", { type: "button", class: "button primary", onclick: () => input.click() }, "Choose files");
  return h(
    "div",
    { class: "drop-area" },
    h("span", { class: "drop-symbol" }, icon("upload")),
    h("p", { class: "drop-title" }, "Drop a recording here"),
    h("p", { class: "hint" }, "Audio or video in any common format, several at once if you like"),
    choose,
    input,
  );
}
