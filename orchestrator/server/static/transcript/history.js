/**
 * Undo and redo: all states of the transcript, immutable like the states themselves.
 *
 * @typedef {import("./document.js").Transcript} Transcript
 * @typedef {{transcript: Transcript, what: string}} Step `what` was done to come here
 * @typedef {{past: readonly Step[], present: Step, future: readonly Step[]}} History
 */

/** @param {Transcript} transcript @returns {History} */
export function openHistory(transcript) {
  return { past: [], present: { transcript, what: "" }, future: [] };
}

/** Add a state; what was undone before it cannot be redone any more. @returns {History} */
export function record(history, transcript, what) {
  if (transcript === history.present.transcript) {
    return history;
  }
  return { past: [...history.past, history.present], present: { transcript, what }, future: [] };
}

/** @param {History} history @returns {History} */
export function undo(history) {
  const { past, present, future } = history;
  return past.length ? { past: past.slice(0, -1), present: past.at(-1), future: [present, ...future] } : history;
}

/** @param {History} history @returns {History} */
export function redo(history) {
  const { past, present, future } = history;
  return future.length ? { past: [...past, present], present: future[0], future: future.slice(1) } : history;
}
