import { csrfToken, problem } from "../page.js";

/** Sends one file as a raw body with progress (XMLHttpRequest: fetch has no upload progress). */
export class Transfer {
  #request = new XMLHttpRequest();

  /**
   * @param {{url: string, method: string, file: File, headers: Record<string, string>}} what
   * @param {(sent: number) => void} progressed
   * @returns {Promise<{ok: true, answer: object} | {ok: false, cancelled: boolean, problem: object}>} never rejects
   */
  send({ url, method, file, headers }, progressed) {
    const request = this.#request;
    return new Promise((resolve) => {
      const failed = (status, text, cancelled = false) => resolve({ ok: false, cancelled, problem: { ...problem(status, text), status } });
      request.upload.addEventListener("progress", (event) => progressed(event.loaded));
      request.addEventListener("load", () => {
        if (request.status < 200 || request.status > 299) return failed(request.status, request.responseText);
        try {
          resolve({ ok: true, answer: JSON.parse(request.responseText) });
        } catch {
          failed(-1, "");
        }
      });
      request.addEventListener("error", () => failed(0, ""));
      request.addEventListener("timeout", () => failed(0, ""));
      request.addEventListener("abort", () => failed(0, "", true));
      request.open(method, url);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.setRequestHeader("X-CSRFToken", csrfToken());
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.send(file);
    });
  }

  cancel() {
    this.#request.abort();
  }
}
