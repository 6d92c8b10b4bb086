// Large files in pieces (tus 1.0): an upload goes on after a lost line, another sign-in or a reload of the page.
//
// Our own client over fetch and XMLHttpRequest, for the same reasons as the page (docs/architecture.md): it is what the
// rows need and no more. The tests drive the portal with tus-js-client as well.
import { csrfToken, problem } from "../page.js";

const BASE = "/api/v1/uploads";
const TUS = { "Tus-Resumable": "1.0.0" };
const TRIES = 8;
const PASSES = [0, 409, 423, 429, 500, 502, 503, 504];

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text.toWellFormed())));

/** What tells a file from others of its name, and its sending from other sendings: the upload's key. */
export const keyOf = (file, fresh) => `page-${file.size}-${file.lastModified}-${fresh}`;

/** The uploads of this person that wait for their next piece; none when that cannot be told. */
export async function underWay() {
  try {
    const answer = await fetch(BASE, { headers: { Accept: "application/json" }, redirect: "error" });
    return answer.ok ? (await answer.json()).items.filter((item) => item.state === "receiving") : [];
  } catch {
    return [];
  }
}

/** Whether an upload under way is of this file: by name, length and time of change. */
export const isOf = (item, file) => item.file_name === file.name && item.length === file.size && (item.key ?? "").startsWith(keyOf(file, ""));

/** Give an upload up; whether that worked. */
export async function giveUp(url) {
  try {
    return (await fetch(url, { method: "DELETE", headers: { ...TUS, "X-CSRFToken": csrfToken() } })).ok;
  } catch {
    return false;
  }
}

class Failed extends Error {
  constructor(status, text) {
    super();
    this.problem = { ...problem(status, text), status };
  }
}

/** Sends one file in as few pieces as the line allows; the same interface as Transfer. */
export class Pieces {
  #cancelled = false;
  #request = null;

  /** @param {string | null} url  an upload under way, to go on with */
  constructor(url = null) {
    this.url = url;
  }

  /**
   * @param {{file: File, metadata: Record<string, string>}} what
   * @param {(stored: number, anew: boolean) => void} progressed  `anew`: counted afresh from what is in store
   */
  async send({ file, metadata }, progressed) {
    for (let tries = 0, before = -1; ; ) {
      try {
        if (!this.url) await this.#begin(file, metadata);
        let found = await this.#standing();
        progressed(found.stored, true);
        if (found.stored > before) tries = 0;
        before = found.stored;
        if (found.state === "receiving") {
          await this.#piece(file, found.stored, progressed);
          found = await this.#standing();
        }
        while (found.state === "checking") {
          await pause(700);
          found = await this.#standing();
        }
        if (found.state === "filed") return { ok: true, answer: found.receipt };
        if (found.state === "refused") {
          this.url = null;
          return { ok: false, cancelled: false, problem: { title: "", ...found.refusal, status: 400 } };
        }
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        if (this.#cancelled) return { ok: false, cancelled: true, problem: error.problem };
        if ([404, 410].includes(error.problem.status) && this.url) this.url = null;
        tries += 1;
        if (tries > TRIES || !PASSES.includes(error.problem.status)) return { ok: false, cancelled: false, problem: error.problem };
        await pause(Math.min(250 * 2 ** tries, 15000));
      }
      if (this.#cancelled) return { ok: false, cancelled: true, problem: {} };
    }
  }

  cancel() {
    this.#cancelled = true;
    this.#request?.abort();
  }

  async #begin(file, metadata) {
    const pairs = Object.entries({ filename: file.name, ...metadata }).map(([name, value]) => `${name} ${base64(value)}`);
    const answer = await this.#ask(BASE, { method: "POST", headers: { ...TUS, "X-CSRFToken": csrfToken(), "Upload-Length": String(file.size), "Upload-Metadata": pairs.join(",") } });
    this.url = answer.headers.get("Location");
  }

  async #standing() {
    return (await this.#ask(this.url, { headers: { Accept: "application/json" } })).json();
  }

  async #ask(url, options) {
    let answer;
    try {
      answer = await fetch(url, { ...options, redirect: "error" });
    } catch {
      throw new Failed(0, "");
    }
    if (!answer.ok) throw new Failed(answer.status, await answer.text());
    return answer;
  }

  #piece(file, offset, progressed) {
    const request = (this.#request = new XMLHttpRequest());
    return new Promise((resolve, reject) => {
      const failed = (status, text) => reject(new Failed(status, text));
      request.upload.addEventListener("progress", (event) => progressed(offset + event.loaded, false));
      request.addEventListener("load", () => (request.status === 204 ? resolve() : failed(request.status, request.responseText)));
      for (const end of ["error", "timeout", "abort"]) request.addEventListener(end, () => failed(0, ""));
      request.open("PATCH", this.url);
      for (const [name, value] of Object.entries({ ...TUS, "X-CSRFToken": csrfToken(), "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" })) request.setRequestHeader(name, value);
      request.send(file.slice(offset));
    });
  }
}
