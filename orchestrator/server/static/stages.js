// The stages that a job goes through, in the order in which it does.

/** @typedef {{steps: string[], name: string}} Stage */

/** @type {Stage[]} */
export const STAGES = [
  { steps: ["preprocessing"], name: "Preparing the audio" },
  { steps: ["diarizing/transcribing", "diarizing", "transcribing"], name: "Finding words and speakers" },
  { steps: ["aligning"], name: "Giving each word its speaker" },
  { steps: ["complete"], name: "Done" },
];

/** @param {{status: string, step: string}} job @returns {Stage} */
export function stageOf(job) {
  return STAGES[stageIndex(job)] ?? { steps: [], name: "Waiting" };
}

/** @param {{status: string, step: string}} job @returns {number} -1 while it waits */
export function stageIndex(job) {
  return job.status === "queued" ? -1 : STAGES.findIndex((stage) => stage.steps.includes(job.step));
}
