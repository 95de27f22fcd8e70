// What went wrong, in words that help.

/** An answer of the server that is an error, or none at all (`code` is `network`). */
export class ApiError extends Error {
  /**
   * @param {{code: string, message: string, param?: string | null, retryable?: boolean, request_id?: string}} envelope
   * @param {number} status HTTP status, 0 when there was no answer
   * @param {number | null} [retryAfterS] when the server wants to be asked again
   */
  constructor(envelope, status, retryAfterS = null) {
    super(envelope.message);
    this.name = "ApiError";
    this.code = envelope.code;
    this.param = envelope.param ?? null;
    this.retryable = envelope.retryable ?? false;
    this.requestId = envelope.request_id ?? null;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** @returns {ApiError} that there was no answer */
export function noAnswer() {
  return new ApiError({ code: "network", message: "The Parley server did not answer", retryable: true }, 0);
}

/**
 * Read an error from an answer's text, whoever wrote it.
 * @param {string} text
 * @param {number} status
 * @param {string | null} retryAfter the header
 * @returns {ApiError}
 */
export function errorFrom(text, status, retryAfter) {
  const seconds = Number.parseFloat(retryAfter ?? "");
  return new ApiError(envelopeIn(text) ?? plain(status), status, Number.isFinite(seconds) ? seconds : null);
}

/** @type {Record<string, string>} */
const ADVICE = {
  network: "Check that the server is running and that this device is connected, then try again.",
  invalid_api_key: "Sign in with your API key.",
  job_not_found: "It may have been deleted, or it is another user's.",
  unreadable_audio: "Choose an audio or video file, such as MP3, WAV, M4A or MP4.",
  empty_audio: "Choose a recording that has sound.",
  worker_lost: "Start it again; if it fails again, look at the server's log.",
};

/**
 * Say what went wrong and what to do: the server's own words, then advice where there is any.
 * @param {unknown} error an ApiError, a job's error envelope, or anything else that was thrown
 * @returns {string}
 */
export function inWords(error) {
  const told = /** @type {{message?: string, code?: string, retryAfterS?: number | null}} */ (error ?? {});
  const message = sentence(told.message || "Something went wrong");
  if (told.retryAfterS) {
    return `${message} Try again in ${Math.ceil(told.retryAfterS)} s.`;
  }
  const advice = ADVICE[told.code ?? ""];
  return advice ? `${message} ${advice}` : message;
}

/** @param {string} text @returns {string} with a capital first and a stop last */
function sentence(text) {
  const first = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** @param {string} text @returns {any} */
function envelopeIn(text) {
  try {
    const { error } = JSON.parse(text);
    return error && typeof error.message === "string" ? error : null;
  } catch {
    return null;
  }
}

/** @param {number} status @returns {any} */
function plain(status) {
  const known = {
    413: "The recording is larger than the server takes",
    429: "The server has too much to do",
    502: "The Parley server is being started or stopped",
    503: "The Parley server is being started or stopped",
  };
  const message = /** @type {Record<number, string>} */ (known)[status] ?? `The server answered with status ${status}`;
  return { code: `http_${status}`, message, retryable: status === 429 || status >= 502 };
}
