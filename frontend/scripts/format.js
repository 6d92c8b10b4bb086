// Sizes, speeds and times as people read them: decimal units, three digits at most.
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  if (unit === 0) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  return `${value.toFixed(value < 99.95 ? 1 : 0)} ${UNITS[unit]}`;
}

export function share(done, whole) {
  return whole > 0 ? Math.min(100, Math.floor((100 * done) / whole)) : 100;
}

export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return seconds < 2 ? "1 second left" : `${Math.ceil(seconds)} seconds left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} minutes left`;
  const hours = Math.round(minutes / 60);
  return `${hours} hours left`;
}

/** Bytes a second over the last few seconds, from samples of (milliseconds, bytes so far). */
export class Speed {
  #samples = [];

  add(now, bytes) {
    this.#samples.push([now, bytes]);
    while (this.#samples.length > 2 && now - this.#samples[0][0] > 5000) this.#samples.shift();
  }

  /** Bytes a second; NaN before there is half a second to judge by. */
  get value() {
    const first = this.#samples.at(0);
    const last = this.#samples.at(-1);
    const elapsed = last ? (last[0] - first[0]) / 1000 : 0;
    return elapsed >= 0.5 ? (last[1] - first[1]) / elapsed : NaN;
  }
}

/** The RFC 8187 form of a file name for Content-Disposition. */
export function extendedName(name) {
  const encoded = encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename*=UTF-8''${encoded}`;
}

const KINDS = [
  [/\.pdf$/i, "file-type-pdf"],
  [/\.(zip|7z|gz|tar|tgz|rar)$/i, "file-zip"],
  [/\.(png|jpe?g|gif|tiff?|webp|bmp|svg)$/i, "photo"],
  [/\.(mp4|mov|mkv|avi|webm)$/i, "movie"],
  [/\.(xlsx?|xlsm|ods|csv)$/i, "file-spreadsheet"],
  [/\.(pptx?|pptm|odp)$/i, "presentation"],
  [/\.(docx?|docm|odt|rtf|txt|md)$/i, "file-text"],
];

export const fileIcon = (name) => KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? "file";

/** A title to begin with: the file's name without its extension and underscores. */
export const titleFrom = (name) => name.replace(/\.[^.]{1,8}$/, "").replace(/_+/g, " ").trim() || name;
