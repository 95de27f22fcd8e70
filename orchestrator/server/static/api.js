// The server's HTTP interface: one function for each thing that the page asks.

import { errorFrom, noAnswer } from "./errors.js";

/**
 * @typedef {"queued" | "running" | "completed" | "failed" | "cancelled"} State
 * @typedef {{code: string, message: string, param?: string | null, retryable?: boolean, request_id?: string}} Envelope
 * @typedef {{
 *   job_id: string, kind: string, status: State, progress: number, step: string, position: number | null,
 *   eta_s: number | null, error: Envelope | null, filename: string, created_at: string, started_at: string | null,
 *   finished_at: string | null, duration: number | null, cached: boolean, edits_version: number, has_audio: boolean,
 * }} JobStatus
 * @typedef {{
 *   key_required: boolean, signed_in: boolean, name: string | null, max_upload_bytes: number | null,
 *   version: string | null, models: Record<string, string> | null, own_workers?: boolean | null,
 * }} Session
 * @typedef {{jobs: JobStatus[], next_cursor: string | null}} JobPage
 * @typedef {{job_id: string, status: State, filename: string, position: number | null}} Accepted
 */

const GET_ATTEMPTS = 4;
const PAUSE_MS = 400;
const MAX_PAUSE_S = 5;
const AWAY = new Set([0, 502, 503, 504]);

/** Told `lost` when the server does not answer and `back` when it does again; asked to sign in. */
export const connection = {
  isLost: false,
  /** @param {boolean} lost */
  changed(lost) {
    if (lost !== this.isLost) {
      this.isLost = lost;
      this.onChange(lost);
    }
  },
  /** @param {boolean} _lost */
  onChange(_lost) {}, // set by the page
  /** @returns {Promise<void>} resolved once the reader has signed in */
  signIn: () => Promise.reject(new Error("nobody can sign in yet")),
};

/** @param {string} path @returns {string} the address, wherever the page is mounted */
export const address = (path) => new URL(path, document.baseURI).href;

const job = (/** @type {string} */ id) => `api/jobs/${encodeURIComponent(id)}`;
const query = (/** @type {Record<string, any>} */ values) =>
  new URLSearchParams(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );

export const api = {
  /** @returns {Promise<Session>} */
  session: () => getJson("api/session"),
  /** Find out whether the server answers. */
  ping: () => getJson("api/session", { attempts: 1 }),
  /** @param {string} key */
  signIn: (key) => sendJson("POST", "api/session", { key }, { mayAsk: false }),
  signOut: () => sendJson("DELETE", "api/session"),
  /** @param {{limit?: number, cursor?: string | null, status?: string | null}} asked @returns {Promise<JobPage>} */
  jobs: (asked) => getJson(`api/jobs?${query(asked)}`),
  /** @param {string} id @param {{attempts?: number}} [how] @returns {Promise<JobStatus>} */
  status: (id, how) => getJson(`api/status/${encodeURIComponent(id)}`, how),
  /** @param {string} id @returns {Promise<any>} */
  result: (id) => getJson(`api/results/${encodeURIComponent(id)}`),
  /** @param {string} id @returns {Promise<any>} */
  peaks: (id) => getJson(`${job(id)}/peaks`),
  /** @param {string} id @returns {Promise<{version: number, document: any}>} */
  edits: (id) => getJson(`${job(id)}/edits`),
  /** @param {string} id @param {any} document @param {number} version @returns {Promise<number>} the new version */
  saveEdits: async (id, document, version) =>
    (await sendJson("PUT", `${job(id)}/edits`, { version, document })).version,
  /** @param {string} url @param {Record<string, any>} fields @returns {Promise<Accepted>} */
  submitUrl: (url, fields) => sendJson("POST", "api/upload", { url, ...fields }),
  /** @param {string} id @param {Record<string, any>} fields @returns {Promise<Accepted>} */
  rediarize: (id, fields) => sendJson("POST", `${job(id)}/rediarize`, fields),
  /** @param {string} id @returns {Promise<JobStatus>} */
  cancel: (id) => sendJson("POST", `${job(id)}/cancel`),
  /** @param {string} id */
  erase: (id) => sendJson("DELETE", job(id)),
  /** @param {string} id @param {string} format @param {boolean} edited @returns {Promise<Response>} */
  file: (id, format, edited) =>
    get(`api/results/${encodeURIComponent(id)}?${query({ format, edited: edited ? null : "0" })}`),
  /** @param {string} id @returns {string} */
  audioUrl: (id) => address(`${job(id)}/audio`),
  /** @param {string} id @returns {string} */
  eventsUrl: (id) => address(`api/events/${encodeURIComponent(id)}`),
};

/** @param {string} path @param {{attempts?: number}} [how] @returns {Promise<any>} */
async function getJson(path, how) {
  return (await get(path, how)).json();
}

/** Ask again, a few times, while the server is away: to read something twice does no harm.
 * @param {string} path @param {{attempts?: number}} [how] @returns {Promise<Response>} */
async function get(path, { attempts = GET_ATTEMPTS } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(path, { headers: { Accept: "application/json, */*;q=0.5" } });
    } catch (error) {
      const seconds = pauseAfter(error, attempt, attempts);
      if (seconds === null) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }
}

/** @param {any} error @param {number} attempt @param {number} attempts @returns {number | null} seconds, null: give up */
function pauseAfter(error, attempt, attempts) {
  if (attempt >= attempts) {
    return null;
  }
  if (AWAY.has(error.status)) {
    return (PAUSE_MS / 1000) * 2 ** (attempt - 1);
  }
  return error.status === 429 && error.retryAfterS <= MAX_PAUSE_S ? (error.retryAfterS ?? 1) : null;
}

/** @param {string} method @param {string} path @param {any} [body] @param {{mayAsk?: boolean}} [how] @returns {Promise<any>} */
async function sendJson(method, path, body, how) {
  const content =
    body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await call(path, { method, ...content }, how);
  return answer.status === 204 ? null : answer.json();
}

/**
 * Call the server once, or once more after the reader has signed in.
 * @param {string} path @param {RequestInit} request @param {{mayAsk?: boolean}} [how]
 * @returns {Promise<Response>} an answer that is no error
 */
async function call(path, request, { mayAsk = true } = {}) {
  let answer;
  try {
    answer = await fetch(address(path), { credentials: "same-origin", cache: "no-store", ...request });
  } catch {
    connection.changed(true);
    throw noAnswer();
  }
  connection.changed(false);
  if (answer.status === 401 && mayAsk) {
    await connection.signIn();
    return call(path, request, { mayAsk: false });
  }
  if (!answer.ok) {
    throw errorFrom(await answer.text(), answer.status, answer.headers.get("Retry-After"));
  }
  return answer;
}
