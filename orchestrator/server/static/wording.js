// Numbers, times and states as people read them.

/** @type {Record<string, string>} */
export const STATE_NAMES = {
  queued: "Waiting",
  running: "Running",
  completed: "Finished",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** @param {number} seconds @returns {string} such as `0:30` or `3:05:09` */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** @param {number} seconds @returns {string} such as `about 2 min left` */
export function timeLeft(seconds) {
  if (seconds < 5) {
    return "a few seconds left";
  }
  if (seconds < 55) {
    return `about ${Math.ceil(seconds / 5) * 5} s left`;
  }
  if (seconds < 3570) {
    return `about ${Math.round(seconds / 60)} min left`;
  }
  const minutes = Math.round(seconds / 60);
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/** @param {number} count @returns {string} such as `1.2 MB` */
export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1000 ** power;
  return `${value.toLocaleString("en", { maximumFractionDigits: power && value < 100 ? 1 : 0 })} ${units[power]}`;
}

/** @param {string} iso @returns {string} such as `today, 14:03` or `3 Nov, 14:03` */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) {
    return "";
  }
  const today = new Date();
  const hour = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === today.toDateString()) {
    return `today, ${hour}`;
  }
  /** @type {Intl.DateTimeFormatOptions} */
  const parts = { day: "numeric", month: "short" };
  if (date.getFullYear() !== today.getFullYear()) {
    parts.year = "numeric";
  }
  return `${date.toLocaleDateString([], parts)}, ${hour}`;
}

/** @param {number} count @param {string} one @returns {string} such as `2 speakers` */
export function counted(count, one) {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}
