import { fileIcon, share, size, Speed, timeLeft, titleFrom } from "../format.js";
import { element, icon } from "../page.js";
import { Pieces, giveUp, keyOf } from "./pieces.js";
import { Transfer } from "./transfer.js";

let count = 0;

/** One file of the list: its state, and the row that shows it. States: refused, waiting, queued, sending, failed, done. */
export class Row {
  state = "waiting";
  sent = 0;
  speed = new Speed();
  #transfer = null;
  #cancelled = false;
  #changed;

  /** @param {File} file  @param {{title: string, wantsTitle: boolean, labels: string[], refusal: object | null}} start  @param {(row: Row, news: string) => void} changed */
  constructor(file, { title, wantsTitle, labels = [], refusal }, changed) {
    this.file = file;
    this.#changed = changed;
    this.id = `upload-${++count}`;
    this.key = freshKey();
    this.pieceKey = keyOf(file, this.key);
    this.tried = false;
    this.title = element("input", { class: "form-control", id: `${this.id}-title`, maxlength: "300", required: true, autocomplete: "off" });
    this.title.value = title || titleFrom(file.name);
    this.label = element("select", { class: "form-select", id: `${this.id}-label` }, element("option", { value: "" }, "As chosen"));
    labels.forEach((marking) => this.offer(marking));
    const named = (control, words) => element("div", {}, element("label", { class: "form-label", for: control.id }, words, this.#hidden(` of ${file.name}`)), control);
    this.titleField = wantsTitle ? element("div", { class: "file-title" }, named(this.title, "Title"), labels.length > 0 ? named(this.label, "Label") : null) : null;
    this.body = element("div");
    this.actions = element("span", { class: "inline" });
    this.node = element("li", { class: "file", "data-upload-row": "" }, icon(refusal ? "file-alert" : fileIcon(file.name)), this.body, this.actions);
    if (refusal) this.#set("refused", refusal);
    else this.#set("waiting");
  }

  /** The label chosen for this file alone, "" when it follows the picker. */
  get ownLabel() {
    return this.label.value;
  }

  /** Offer a marking for this file alone. */
  offer(marking) {
    this.label.append(element("option", { value: marking }, marking));
  }

  /** Say which label the file has as long as it has none of its own. */
  follows(marking) {
    this.label.options[0].textContent = marking ? `As chosen: ${marking}` : "As chosen for all";
  }

  /** Go on with an upload that is under way. */
  goesOn(item) {
    this.url = item.url;
    this.sent = item.stored;
    this.title.value = item.title;
    this.known = item;
    this.#set("waiting");
  }

  queue() {
    this.#set("queued");
  }

  /** Send it; resolves when it has arrived, failed or was cancelled. */
  async run(request) {
    this.sent = 0;
    this.#cancelled = false;
    this.speed = new Speed();
    this.speed.add(performance.now(), 0);
    const pieces = "metadata" in request;
    this.#transfer = pieces ? new Pieces(this.url ?? null) : new Transfer();
    this.#set("sending");
    // After a lost connection nobody knows whether the file arrived: asked first, so that it is not sent for nothing.
    const known = this.tried && !pieces ? await request.arrived() : null;
    if (known) return this.#set("done", { ...known, receipt: request.receipt(known) });
    if (this.#cancelled) return this.#set("waiting");
    this.tried = true;
    const result = await this.#transfer.send({ ...request, file: this.file }, (bytes, anew) => this.#progressed(bytes, anew));
    if (pieces) this.url = this.#transfer.url;
    this.#transfer = null;
    if (result.ok) this.#set("done", { ...result.answer, receipt: request.receipt(result.answer) });
    else if (result.cancelled) this.#set("waiting");
    else this.#set("failed", result.problem);
  }

  cancel() {
    this.#cancelled = true;
    if (this.#transfer) this.#transfer.cancel();
    else if (this.state === "queued") this.#set("waiting");
  }

  remove() {
    if (this.url) giveUp(this.url);
    this.state = "removed";
    this.node.remove();
    this.#changed(this, `${this.file.name} removed.`);
  }

  #progressed(bytes, anew = false) {
    if (anew) this.speed = new Speed();
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
    const name = element("span", { class: "file-name" }, element("bdi", {}, this.file.name));
    this.body.replaceChildren(name, ...this.#content(state, facts));
    this.actions.replaceChildren(...this.#buttons(state, facts));
    this.#changed(this, { done: `${this.file.name} was received whole.`, failed: `${this.file.name} was not taken. ${facts.detail || facts.title || ""}` }[state] ?? "");
  }

  #content(state, facts) {
    const whole = size(this.file.size);
    switch (state) {
      case "refused":
      case "failed":
        return [
          this.#line(this.#mark("bad", "circle-x", `Not taken: ${facts.detail || facts.title}`), ` ${facts.mend}`),
          ...(state === "failed" && this.titleField && !this.known ? [this.titleField] : []),
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
        return [this.#line(this.known ? `${size(this.sent)} of ${whole} are in store · ready to go on as “${this.known.title}”, ${this.known.marking}` : `${whole} · ready to send`), ...(this.titleField && !this.known ? [this.titleField] : [])];
    }
  }

  #buttons(state, facts) {
    const button = (words, look, act) => element("button", { type: "button", class: `btn ${look}`.trim(), click: act }, words, this.#hidden(` ${this.file.name}`));
    if (state === "sending" || state === "queued") return [button("Cancel", "", () => this.cancel())];
    const anew = facts.status === 401 ? [element("a", { class: "btn", href: "/sign-in", target: "_blank", rel: "noopener" }, "Sign in")] : [];
    if (state === "failed") return [...anew, button("Try again", "", () => this.node.dispatchEvent(new CustomEvent("upload-again", { bubbles: true, detail: this }))), button("Remove", "btn-quiet", () => this.remove())];
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

/** What tells this file's sendings from all others. */
function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
