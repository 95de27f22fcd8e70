/**
 * The page's transcript: `mountTranscript` puts it into an element. What it needs of the page around it: the colours of
 * app.css; the height of a bar that stays at the window's top, if there is one, as `--transcript-top` (default 0px).
 *
 * @typedef {object} Options
 * @property {string} jobId
 * @property {string} filename
 * @property {any} result the server's result
 * @property {{version: number, document: import("./document.js").SavedDocument|null}} edits
 * @property {string|null} audioUrl null: nothing is played, clicks select
 * @property {{duration: number, per_second: number, peaks: number[]}|null} peaks null: lanes without a waveform
 * @property {(document: object, version: number) => Promise<number>} onSave gives the new version; an error with
 *   `status` 409 or `code` "edit_conflict" says that somebody else saved meanwhile
 * @property {() => Promise<{version: number, document: object|null}>} onLatest gives what is saved by now
 * @property {() => void} [onConflict] asked, by a button, to show what somebody else saved; default: load the page anew
 *
 * @typedef {object} Mounted
 * @property {() => void} destroy
 * @property {() => import("./document.js").SavedDocument} document the transcript with the edits of now
 * @property {() => void} retry loads the recording again and saves what is unsaved, where either failed
 * @property {() => Promise<void>} flush saves what is unsaved, rejects if it cannot be
 */

import { TranscriptPage } from "./page.js";

const STYLES = ["transcript.css", "tools.css", "segments.css", "player.css", "boxes.css"];

/**
 * @param {HTMLElement} root
 * @param {Options} options
 * @returns {Mounted}
 */
export function mountTranscript(root, options) {
  const page = new TranscriptPage(options);
  root.append(page.element);
  page.start();
  return {
    destroy: () => page.destroy(),
    document: () => page.document(),
    flush: () => page.flush(),
    retry: () => page.retry(),
  };
}

/** Load those of the transcript's styles that the page does not: early, so that nothing is shown without them. */
function needStyles() {
  const linked = new Set([...document.querySelectorAll("link[rel=stylesheet]")].map((link) => link.href));
  for (const name of STYLES) {
    const { href } = new URL(name, import.meta.url);
    if (!linked.has(href)) {
      const link = document.createElement("link");
      document.head.append(Object.assign(link, { rel: "stylesheet", href }));
    }
  }
}

needStyles();
