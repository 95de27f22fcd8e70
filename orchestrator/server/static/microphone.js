// The microphone itself: what it hears as a file, and how loud it is.

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus", "audio/webm"];
const PART_MS = 1000;

/** A recording from the microphone; it is held in memory until it is sent. */
export class Microphone {
  /** @param {MediaStream} stream */
  constructor(stream) {
    this.stream = stream;
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    /** @type {Blob[]} */
    this.parts = [];
    this.recorder.addEventListener("dataavailable", (event) => event.data.size && this.parts.push(event.data));
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.heardMs = 0;
    this.since = 0;
  }

  /** Ask the reader's browser for the microphone; rejects with what `refusal` explains. @returns {Promise<Microphone>} */
  static async open() {
    if (!navigator.mediaDevices?.getUserMedia || typeof MediaRecorder === "undefined") {
      throw new DOMException("no microphone for this page", "NotSupportedError");
    }
    return new Microphone(await navigator.mediaDevices.getUserMedia({ audio: true }));
  }

  start() {
    this.recorder.start(PART_MS);
    this.since = performance.now();
  }

  pause() {
    this.recorder.pause();
    this.heardMs = this.elapsedMs;
    this.since = 0;
  }

  resume() {
    this.recorder.resume();
    this.since = performance.now();
  }

  /** @returns {number} recorded so far, pauses left out */
  get elapsedMs() {
    return this.heardMs + (this.since ? performance.now() - this.since : 0);
  }

  /** @returns {number} from 0 to 1, as loud as it is heard: -60 dB is 0 */
  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-9)) / 60));
  }

  /** End the recording and let the microphone go. @returns {Promise<File>} */
  async stop() {
    this.heardMs = this.elapsedMs;
    this.since = 0;
    await new Promise((resolve) => {
      this.recorder.addEventListener("stop", resolve, { once: true });
      this.recorder.stop();
    });
    this.release();
    const type = this.recorder.mimeType || "audio/webm";
    return new File(this.parts, `${title(new Date())}.${suffix(type)}`, { type });
  }

  release() {
    this.stream.getTracks().forEach((track) => track.stop());
    this.context.close();
  }
}

/** @param {any} error @returns {string} why there is no microphone, and what to do */
export function refusal(error) {
  if (!window.isSecureContext) {
    return "Browsers give the microphone to secure pages only. Open Parley by https, or on its own machine as http://localhost.";
  }
  const reasons = /** @type {Record<string, string>} */ ({
    NotAllowedError:
      "The browser did not allow the microphone. Allow it for this page, in the settings beside its address, then try again.",
    NotFoundError: "No microphone was found. Connect one, then try again.",
    NotReadableError: "The microphone is used by another program. Close that, then try again.",
    NotSupportedError: "This browser cannot record. Record with another program, then drop the file here.",
  });
  return (
    reasons[error?.name] ?? "The microphone could not be opened. Check it in the system's settings, then try again."
  );
}

/** @param {Date} now @returns {string} */
function title(now) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `Recording ${day} ${two(now.getHours())}.${two(now.getMinutes())}`;
}

/** @param {string} type @returns {string} */
function suffix(type) {
  return type.includes("mp4") ? "m4a" : type.includes("ogg") ? "ogg" : "webm";
}
