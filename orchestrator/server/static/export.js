// Downloads in every format, with the reader's edits.

import { api } from "./api.js";
import { menuButton } from "./menu.js";
import { notice, warn } from "./notices.js";

const FORMATS = [
  { value: "txt", label: "Text", detail: "speakers and paragraphs (.txt)" },
  { value: "srt", label: "SRT", detail: "subtitles (.srt)" },
  { value: "vtt", label: "WebVTT", detail: "subtitles for the web (.vtt)" },
  { value: "json", label: "JSON", detail: "the text alone" },
  { value: "verbose_json", label: "Verbose JSON", detail: "segments, words and their times" },
  { value: "diarized_json", label: "Diarized JSON", detail: "segments with speakers" },
  { value: "tsv", label: "TSV", detail: "table for spreadsheets" },
  { value: "rttm", label: "RTTM", detail: "who speaks when" },
  { value: "stm", label: "STM", detail: "for scoring" },
  { value: "ctm", label: "CTM", detail: "words and their times" },
];
const OF_TURNS = new Set(["json", "rttm"]);
const KEPT_MS = 60000;

/**
 * Make the menu that downloads a result.
 * @param {{job: import("./api.js").JobStatus, saved: () => Promise<void>}} how `saved` writes edits that are not yet
 * @returns {HTMLElement}
 */
export function exportMenu({ job, saved }) {
  const choices = job.kind === "diarization" ? FORMATS.filter((format) => OF_TURNS.has(format.value)) : FORMATS;
  const onChoose = async (/** @type {string} */ format) => {
    try {
      await saved();
      await download(await api.file(job.job_id, format, true), `${job.filename}.${format}`);
    } catch (error) {
      warn(error);
    }
  };
  return menuButton({ label: "Export", symbol: "download", choices, onChoose });
}

/** @param {Response} answer @param {string} otherwise the name where the server gives none */
async function download(answer, otherwise) {
  const name = nameIn(answer.headers.get("Content-Disposition") ?? "") ?? otherwise;
  const url = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
  notice(`Saved as ${name}.`);
}

/** @param {string} disposition @returns {string | null} */
function nameIn(disposition) {
  const encoded = /filename\*=(?:UTF-8|utf-8)''([^;]+)/.exec(disposition)?.[1];
  try {
    return encoded ? decodeURIComponent(encoded) : (/filename="?([^";]+)"?/.exec(disposition)?.[1] ?? null);
  } catch {
    return null;
  }
}
