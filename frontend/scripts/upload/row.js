import { fileIcon, share, size, Speed, timeLeft, titleFrom } from "../format.js";
import { element, icon } from "../page.js";
import { Transfer } from "./transfer.js";

let count = 0;

/** One file of the list: its state, and the row that shows it. States: refused, waiting, queued, sending, failed, done. */
export class Row {
  state = "waiting";
  sent = 0;
  speed = new Speed();
  #transfer = null;
  #changed;

  /** @param {File} file  @param {{title: string, wantsTitle: boolean, refusal: object | null}} start  @param {(row: Row, news: string) => void} changed */
  constructor(file, { title, wantsTitle, refusal }, changed) {
    this.file = file;
    this.#changed = changed;
    this.id = `upload-${++count}`;
    this.title = element("input", { class: "form-control", id: `${this.id}-title`, maxlength: "300", required: true, autocomplete: "off" });
    this.title.value = title || titleFrom(file.name);
    this.titleField = wantsTitle
      ? element("div", { class: "file-title" }, element("label", { class: "form-label", for: this.title.id }, "Title", this.#hidden(` of ${file.name}`)), this.title)
      : null;
    this.body = element("div");
    this.actions = element("span", { class: "inline" });
    this.node = element("li", { class: "file", "data-upload-row": "" }, icon(refusal ? "file-alert" : fileIcon(file.name)), this.body, this.actions);
    if (refusal) this.#set("refused", refusal);
    else this.#set("waiting");
  }

  queue() {
    this.#set("queued");
  }

  /** Send it; resolves when it has arrived, failed or was cancelled. */
  async run(request) {
    this.sent = 0;
    this.speed = new Speed();
    this.speed.add(performance.now(), 0);
    this.#transfer = new Transfer();
    this.#set("sending");
    const result = await this.#transfer.send({ ...request, file: this.file }, (bytes) => this.#progressed(bytes));
    this.#transfer = null;
    if (result.ok) this.#set("done", { ...result.answer, receipt: request.receipt(result.answer) });
    else if (result.cancelled) this.#set("waiting");
    else this.#set("failed", result.problem);
  }

  cancel() {
    if (this.#transfer) this.#transfer.cancel();
    else if (this.state === "queued") this.#set("waiting");
  }

  remove() {
    this.state = "removed";
    this.node.remove();
    this.#changed(this, `${this.file.name} removed.`);
  }

  #progressed(bytes) {
    this.sent = Math.min(bytes, this.file.size);
    this.speed.add(performance.now(), this.sent);
    this.bar.value = share(this.sent, this.file.size);
    const rate = this.speed.value;
    const left = this.sent >= this.file.size ? "checking and sealing" : timeLeft((this.file.size - this.sent) / rate);
    const parts = [`${this.bar.value}% of ${size(this.file.size)}`, rate > 0 && left !== "checking and sealing" ? `${size(Math.round(rate))}/s` : "", left];
    this.figures.textContent = parts.filter(Boolean).join(" · ");
    this.#changed(this, "");
  }

  #set(state, facts = {}) {
    this.state = state;
    const name = element("span", { class: "file-name" }, this.file.name);
    this.body.replaceChildren(name, ...this.#content(state, facts));
    this.actions.replaceChildren(...this.#buttons(state, facts));
    this.#changed(this, { done: `${this.file.name} was received whole.`, failed: `${this.file.name} was not taken. ${facts.title ?? ""}` }[state] ?? "");
  }

  #content(state, facts) {
    const whole = size(this.file.size);
    switch (state) {
      case "refused":
      case "failed":
        return [
          this.#line(this.#mark("bad", "circle-x", `Not taken: ${facts.title || facts.detail}`), ` ${[facts.title ? facts.detail : "", facts.mend].filter(Boolean).join(" ")}`),
          ...(state === "failed" && this.titleField ? [this.titleField] : []),
        ];
      case "queued":
        return [this.#line(`${whole} · waits for its turn`)];
      case "sending":
        this.bar = element("progress", { max: "100", value: "0", "aria-label": this.file.name });
        this.figures = element("span", { class: "sub num" }, `0% of ${whole}`);
        return [this.bar, this.figures];
      case "done":
        return [this.#line(this.#mark("good", "circle-check", "Received whole."), ` ${whole} · entry ${Number(facts.log_entry).toLocaleString("en-GB")}`)];
      default:
        return [this.#line(`${whole} · ready to send`), ...(this.titleField ? [this.titleField] : [])];
    }
  }

  #buttons(state, facts) {
    const button = (words, look, act) => element("button", { type: "button", class: `btn ${look}`.trim(), click: act }, words, this.#hidden(` ${this.file.name}`));
    if (state === "sending" || state === "queued") return [button("Cancel", "", () => this.cancel())];
    if (state === "failed") return [button("Try again", "", () => this.node.dispatchEvent(new CustomEvent("upload-again", { bubbles: true, detail: this }))), button("Remove", "btn-quiet", () => this.remove())];
    if (state === "done") return facts.receipt ? [element("a", { class: "btn", href: facts.receipt }, icon("receipt"), " Receipt", this.#hidden(` of ${this.file.name}`))] : [];
    return [button(state === "refused" ? "Dismiss" : "Remove", "btn-quiet", () => this.remove())];
  }

  #line(...children) {
    return element("p", { class: "sub" }, ...children);
  }

  #mark(tone, name, words) {
    return element("span", { class: tone }, icon(name, "icon-sm"), ` ${words}`);
  }

  #hidden(words) {
    return element("span", { class: "visually-hidden" }, words);
  }
}
