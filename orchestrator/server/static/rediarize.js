// The same recording and words with another number of speakers: a new job.

import { api } from "./api.js";
import { openDialog } from "./dialogs.js";
import { h, setText } from "./dom.js";
import { inWords } from "./errors.js";
import { SpeakersFields } from "./speakers_fields.js";

/**
 * Ask how many speak, and have them found again.
 * @param {import("./api.js").JobStatus} job
 * @param {(accepted: import("./api.js").Accepted) => void} onAccepted
 */
export function askToRediarize(job, onAccepted) {
  const speakers = new SpeakersFields();
  const fault = h("p", { class: "fault", role: "alert" });
  const begin = h("button", { class: "button primary" }, "Find speakers");
  const buttons = h(
    "div",
    { class: "dialog-buttons" },
    h("button", { type: "button", class: "button", onclick: () => opened.close() }, "Cancel"),
    begin,
  );
  const text = h(
    "p",
    { class: "hint" },
    "The words stay as they were found. The new result is a recording of its own in your list; this one and its edits stay.",
  );
  const form = h("form", { class: "stack", novalidate: true }, text, speakers.root, fault, buttons);
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    setText(fault, speakers.wrong());
    if (speakers.wrong()) {
      return;
    }
    begin.disabled = true;
    try {
      const accepted = await api.rediarize(job.job_id, speakers.fields());
      opened.close();
      onAccepted(accepted);
    } catch (error) {
      setText(fault, inWords(error));
      begin.disabled = false;
    }
  });
  const opened = openDialog({ title: "Find the speakers again" }, form);
}
