// Deleting a recording, once the reader has agreed to it.

import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { notice, warn } from "./notices.js";

/** @param {import("./api.js").JobStatus} job @returns {Promise<boolean>} whether it is gone */
export async function eraseAfterAsking(job) {
  const text = `“${job.filename}”: its recording, transcript and edits are erased from the server. This cannot be undone.`;
  if (!(await confirmed({ title: "Delete this recording?", text, yes: "Delete" }))) {
    return false;
  }
  try {
    await api.erase(job.job_id);
  } catch (error) {
    if (/** @type {any} */ (error).status !== 404) {
      warn(error);
      return false;
    }
  }
  notice("Deleted.");
  return true;
}
