import { AnnotationMode, TextLayer } from "pdfjs-dist/legacy/build/pdf.min.mjs";
import { element } from "../page.js";

const MOST_PIXELS = 16_777_216; // what every browser draws on one canvas
const CSS_UNITS = 96 / 72;

/** One page of a PDF: blank until it is near the window, given back when it is far. */
export class Page {
  #near = false;
  #drawn = 0; // the scale that the canvas was drawn for
  #task = null;
  #scale = 1;
  #layout = { room: 0, zoom: 1 };

  constructor(pdf, number, viewport) {
    this.pdf = pdf;
    this.number = number;
    this.viewport = viewport;
    this.node = element("div", { class: "viewer-page", "data-number": String(number), role: "region", "aria-label": `Page ${number} of ${pdf.numPages}` });
  }

  /** Take as much width as there is, at most 100 % of the paper, times the zoom. */
  fit(room, zoom) {
    this.#layout = { room, zoom };
    this.#scale = Math.min(room / (this.viewport.width * CSS_UNITS), 1) * CSS_UNITS * zoom;
    const { style } = this.node;
    style.width = `${Math.floor(this.viewport.width * this.#scale)}px`;
    style.height = `${Math.floor(this.viewport.height * this.#scale)}px`;
    style.setProperty("--total-scale-factor", String(this.#scale));
    if (this.#near) this.#draw();
  }

  near(is) {
    this.#near = is;
    if (is) this.#draw();
    else this.#clear();
  }

  async #draw() {
    if (this.#drawn === this.#scale) return;
    this.#task?.cancel();
    this.#drawn = this.#scale;
    const wanted = this.#scale;
    try {
      const page = await this.pdf.getPage(this.number);
      if (!this.#near || wanted !== this.#scale) return;
      const own = page.getViewport({ scale: 1 });
      if (own.width !== this.viewport.width || own.height !== this.viewport.height) {
        this.viewport = own;
        this.#drawn = 0;
        this.fit(this.#layout.room, this.#layout.zoom);
        return;
      }
      await this.#paint(page, page.getViewport({ scale: wanted }));
    } catch (error) {
      if (error.name === "RenderingCancelledException") return;
      this.node.replaceChildren(element("p", { class: "empty" }, `Page ${this.number} cannot be drawn.`));
    }
  }

  async #paint(page, viewport) {
    const most = Math.sqrt(MOST_PIXELS / (viewport.width * viewport.height));
    const density = Math.min(window.devicePixelRatio || 1, 2, most);
    const canvas = element("canvas", { width: String(Math.floor(viewport.width * density)), height: String(Math.floor(viewport.height * density)), "aria-hidden": "true" });
    const task = page.render({
      canvas,
      viewport,
      transform: density === 1 ? null : [density, 0, 0, density, 0, 0],
      annotationMode: AnnotationMode.ENABLE,
    });
    this.#task = task;
    await task.promise;
    const words = element("div", { class: "text-layer" });
    const layer = new TextLayer({ textContentSource: page.streamTextContent(), container: words, viewport });
    await layer.render();
    if (this.#task !== task) return;
    this.node.replaceChildren(canvas, words);
    page.cleanup();
  }

  #clear() {
    this.#task?.cancel();
    this.#task = null;
    this.#drawn = 0;
    this.node.replaceChildren();
  }
}
