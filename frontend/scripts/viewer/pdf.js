import { getDocument, GlobalWorkerOptions, PDFDataRangeTransport, VerbosityLevel } from "pdfjs-dist/legacy/build/pdf.min.mjs";
import { readRange } from "./content.js";
import { Page } from "./page.js";
import { pdfWorker } from "./worker.js";

const STEP = 1048576; // one encrypted segment of the stored document
const WHOLE_UP_TO = 2 * STEP;
const ZOOMS = [0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/** A PDF, page under page: what is near the window is drawn, the rest is blank paper of the right size. */
export class PdfView {
  #pages = [];
  #zoom = 1;
  #current = 1;
  #near;

  constructor(node, holder, report) {
    this.node = node;
    this.holder = holder;
    this.report = report;
    this.abort = new AbortController();
  }

  async open() {
    const { workerUrl, assetsUrl } = this.node.dataset;
    GlobalWorkerOptions.workerPort = pdfWorker(workerUrl);
    const assets = new URL(assetsUrl, location.href).href;
    const task = getDocument({
      ...(await this.#source()),
      cMapUrl: `${assets}cmaps/`,
      standardFontDataUrl: `${assets}standard_fonts/`,
      wasmUrl: `${assets}wasm/`,
      iccUrl: `${assets}iccs/`,
      rangeChunkSize: STEP,
      disableAutoFetch: true,
      disableStream: true,
      enableXfa: false,
      isEvalSupported: false,
      verbosity: VerbosityLevel.ERRORS,
    });
    let refused = null;
    this.refuse = (error) => {
      refused = error;
      task.destroy();
      this.report(error.problem);
    };
    try {
      this.document = await task.promise;
    } catch (error) {
      throw refused ?? describe(error);
    }
    await this.#layOut();
    this.#controls();
  }

  /** Small documents whole in one request; of larger ones, only what the pages shown need. */
  async #source() {
    const url = this.node.dataset.contentUrl;
    const length = Number(this.node.dataset.size);
    if (length <= WHOLE_UP_TO) return { data: await readRange(url, 0, length, this.abort.signal) };
    const range = new PDFDataRangeTransport(length, null);
    range.requestDataRange = async (begin, end) => {
      try {
        range.onDataRange(begin, await readRange(url, begin, Math.min(end, length), this.abort.signal));
      } catch (error) {
        if (error.name !== "AbortError") this.refuse(error);
      }
    };
    range.abort = () => this.abort.abort();
    return { range };
  }

  async #layOut() {
    const first = (await this.document.getPage(1)).getViewport({ scale: 1 });
    this.#pages = Array.from({ length: this.document.numPages }, (_, index) => new Page(this.document, index + 1, first));
    this.holder.replaceChildren(...this.#pages.map((page) => page.node));
    this.#near = new IntersectionObserver((entries) => entries.forEach((entry) => this.#pages[entry.target.dataset.number - 1].near(entry.isIntersecting)), {
      rootMargin: "800px 0px",
    });
    const inView = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "-45% 0px -45% 0px" });
    this.#resize();
    for (const page of this.#pages) {
      this.#near.observe(page.node);
      inView.observe(page.node);
    }
    let width = this.holder.clientWidth;
    new ResizeObserver(() => {
      if (this.holder.clientWidth !== width) this.#resize();
      width = this.holder.clientWidth;
    }).observe(this.holder);
  }

  #resize() {
    const style = getComputedStyle(this.holder);
    const room = this.holder.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    for (const page of this.#pages) page.fit(room, this.#zoom);
  }

  #seen(entries) {
    const entry = entries.find(({ isIntersecting }) => isIntersecting);
    if (!entry) return;
    this.#current = Number(entry.target.dataset.number);
    if (document.activeElement !== this.field) this.field.value = this.#current;
  }

  #controls() {
    const find = (name) => this.node.querySelector(`[data-${name}]`);
    this.field = find("page-number");
    find("page-count").textContent = `of ${this.document.numPages}`;
    this.field.value = 1;
    this.field.addEventListener("change", () => this.#go(Number(this.field.value)));
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#go(Number(this.field.value));
    });
    find("page-previous").addEventListener("click", () => this.#go(this.#current - 1));
    find("page-next").addEventListener("click", () => this.#go(this.#current + 1));
    find("zoom-out").addEventListener("click", () => this.#zoomTo(ZOOMS.findLast((zoom) => zoom < this.#zoom)));
    find("zoom-in").addEventListener("click", () => this.#zoomTo(ZOOMS.find((zoom) => zoom > this.#zoom)));
    find("pdf-controls").hidden = false;
  }

  #go(number) {
    const wanted = Math.min(Math.max(Math.round(number) || this.#current, 1), this.#pages.length);
    this.#current = wanted;
    this.field.value = wanted;
    this.#pages[wanted - 1].node.scrollIntoView({ block: "start" });
  }

  #zoomTo(zoom) {
    if (!zoom) return;
    this.#zoom = zoom;
    this.node.querySelector("[data-zoom]").textContent = `${Math.round(zoom * 100)}%`;
    this.#resize();
    this.#go(this.#current);
  }
}

function describe(error) {
  const said = {
    PasswordException: { title: "This document is locked with a password.", detail: "It cannot be shown here.", mend: "Download it and open it with its password." },
    InvalidPDFException: { title: "This file cannot be shown here.", detail: "It does not read as a PDF.", mend: "Download it to open it on your device." },
  }[error.name];
  return Object.assign(error, { problem: error.problem ?? said ?? { title: "This document cannot be shown here.", detail: "", mend: "Download it to open it on your device." } });
}

