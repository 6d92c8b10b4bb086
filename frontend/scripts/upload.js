// Makes a plain multipart form (templates/parts/upload.html) send several files, each as a raw body, with progress.
//
// <form data-upload data-upload-url [data-upload-method] data-size-limit [data-receipt-url] [data-upload-single]>
//   select[name=programme], input[name=title] within [data-plain-title], a label picker or [name=label],
//   input[type=file][name=file], [data-upload-drop], [data-upload-list], [data-upload-status], [data-upload-heading]
import { extendedName, size, timeLeft } from "./format.js";
import { element, post, problem, renewToken } from "./page.js";
import { droppedFiles } from "./upload/files.js";
import { giveUp, isOf, underWay } from "./upload/pieces.js";
import { Row } from "./upload/row.js";

const AT_ONCE = 2;
const PIECES_FROM = 16_000_000; // larger files go in pieces
const LITTER = /^(\.DS_Store|Thumbs\.db|desktop\.ini)$/i; // what operating systems leave in folders

class UploadForm {
  rows = [];
  waiting = [];

  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[type=file]");
    this.single = "uploadSingle" in form.dataset;
    this.limit = Number(form.dataset.sizeLimit) || Infinity;
    this.list = form.querySelector("[data-upload-list]");
    this.status = form.querySelector("[data-upload-status]");
    this.heading = form.querySelector("[data-upload-heading]");
    this.news = form.querySelector("[data-upload-news]");
    this.plainTitle = form.querySelector("[data-plain-title]");
    this.drop = form.querySelector("[data-upload-drop]");
    this.labels = [...form.querySelectorAll("[data-marking-of]")].map((input) => input.dataset.markingOf);
    this.#enhance();
  }

  #enhance() {
    this.input.required = false;
    this.input.multiple = !this.single;
    this.input.addEventListener("change", () => {
      this.add([...this.input.files]);
      // Emptied, so that the same file can be chosen again after it was removed.
      this.input.value = "";
    });
    const folder = this.drop.querySelector("[data-upload-folder]");
    const folderInput = folder?.querySelector("input");
    if (folderInput && !this.single && "webkitdirectory" in folderInput) {
      folder.hidden = false;
      folderInput.addEventListener("change", () => {
        this.add([...folderInput.files]);
        folderInput.value = "";
      });
    }
    this.form.addEventListener("label-shown", (event) => this.#labelled(event.detail.marking));
    // Rows may have labels of their own: what is missing is said when sending, not by the browser.
    this.form.querySelectorAll("input[name=classification]").forEach((input) => (input.required = false));
    if (this.plainTitle) {
      this.plainTitle.hidden = true;
      this.plainTitle.querySelector("input").required = false;
    }
    this.drop.classList.add("is-live");
    this.drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.drop.classList.add("is-over");
    });
    for (const end of ["dragleave", "drop"]) this.drop.addEventListener(end, () => this.drop.classList.remove("is-over"));
    this.drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      this.add(await droppedFiles(event.dataTransfer));
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(this.rows.filter((row) => ["waiting", "failed"].includes(row.state)));
    });
    this.form.addEventListener("upload-again", async (event) => {
      await this.#renew();
      this.send([event.detail]);
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.rows.some((row) => ["queued", "sending"].includes(row.state))) event.preventDefault();
    });
    this.show();
    this.#offerUnderWay();
  }

  /** Say what waits for its next piece: the same file, chosen again, goes on. */
  async #offerUnderWay() {
    const { version } = this.form.elements;
    this.waiting = (await underWay()).filter((item) => (version ? this.form.dataset.uploadUrl.includes(item.document ?? " ") : item.document === null));
    const place = this.form.querySelector("[data-upload-under-way]");
    if (!place) return;
    place.hidden = this.waiting.length === 0;
    place.replaceChildren(...this.waiting.map((item) => {
      const line = element("p", { class: "small" }, element("bdi", {}, item.file_name), `: ${size(item.stored)} of ${size(item.length)} are in store. Choose the file again to go on. `);
      const give = element("button", { type: "button", class: "btn btn-quiet" }, "Give it up", element("span", { class: "visually-hidden" }, ` ${item.file_name}`));
      give.addEventListener("click", async () => {
        if (!(await giveUp(item.url))) return this.#say("It could not be given up. Try again.", null);
        this.waiting = this.waiting.filter((other) => other !== item);
        line.remove();
        place.hidden = this.waiting.length === 0;
      });
      line.append(give);
      return line;
    }));
  }

  add(files) {
    const known = new Set(this.rows.filter((row) => row.state !== "removed").map((row) => identity(row.file)));
    const fresh = files.filter((file) => !LITTER.test(file.name) && !known.has(identity(file)));
    if (fresh.length === 0 && files.length > 0) this.#say("This is in the list already.", null);
    for (const file of this.single ? fresh.slice(0, 1) : fresh) {
      if (this.single) this.rows.filter((row) => ["waiting", "failed", "refused"].includes(row.state)).forEach((row) => row.remove());
      const first = this.rows.length === 0;
      const row = new Row(
        file,
        { title: first ? (this.plainTitle?.querySelector("input").value ?? "") : "", wantsTitle: this.plainTitle !== null, labels: this.labels, refusal: this.#refusal(file) },
        (changed, news) => this.show(changed, news),
      );
      const known = this.waiting.find((item) => isOf(item, file));
      if (known && row.state === "waiting") {
        this.waiting = this.waiting.filter((item) => item !== known);
        row.goesOn(known);
      }
      this.rows.push(row);
      this.list.append(row.node);
      row.follows(this.marking ?? "");
    }
    this.show();
  }

  /** The picker's label changed: rows follow it unless they were given another; it is offered to every row from now on. */
  #labelled(marking) {
    this.marking = marking;
    if (marking && !this.labels.includes(marking)) {
      this.labels.push(marking);
      this.rows.forEach((row) => row.offer(marking));
    }
    this.rows.forEach((row) => row.follows(marking));
  }

  #refusal(file) {
    if (file.size === 0) return { title: "the file is empty.", detail: "", mend: "Check that it was saved, and add it again." };
    if (file.size > this.limit) return { title: `${size(file.size)} is more than the limit.`, detail: "", mend: `Send it in parts of at most ${size(this.limit)}.` };
    return null;
  }

  async send(rows) {
    if (rows.length === 0) {
      if (this.rows.some((row) => ["queued", "sending"].includes(row.state))) return;
      return this.#say("Add at least one file.", this.input);
    }
    if (!this.form.reportValidity()) return;
    let label = this.form.elements.label?.value ?? null;
    const ask = new CustomEvent("label-needed", { detail: { answer: null } });
    if (rows.some((row) => row.ownLabel === "" && !row.known)) {
      this.form.dispatchEvent(ask);
      if (ask.detail.answer) {
        label = await ask.detail.answer;
        if (!label) return this.#say("Choose a label first.", this.form.querySelector("input[name=classification]"));
      }
    }
    const programme = await this.#programme();
    if (programme === "") return;
    const queue = rows.filter((row) => ["waiting", "failed"].includes(row.state));
    queue.forEach((row) => row.queue());
    const next = async () => {
      for (let row = queue.shift(); row; row = queue.shift()) {
        if (row.state === "queued") await row.run(this.#request(row, programme, row.ownLabel || label));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  /** The programme's id; where it is typed by name, the server knows it. Null where the form has none, "" when it is not found. */
  async #programme() {
    const { programme, programme_name: name } = this.form.elements;
    if (programme || !name) return programme?.value ?? null;
    try {
      const { ok, status, text } = await post(`${this.form.dataset.base}/programme`, new URLSearchParams({ programme_name: name.value }), { tokenUrl: this.#tokenUrl });
      if (ok) return JSON.parse(text).programme;
      const { title, detail, mend } = problem(status, text);
      this.#say([title, detail, mend].filter(Boolean).join(" "), name);
    } catch {
      this.#say(problem(0, "").title, name);
    }
    return "";
  }

  get #tokenUrl() {
    return this.form.dataset.base ? `${this.form.dataset.base}/token` : null;
  }

  async #renew() {
    if (this.#tokenUrl) await renewToken(this.#tokenUrl);
  }

  #request(row, programme, label) {
    const url = new URL(this.form.dataset.uploadUrl, location.href);
    if (programme !== null) url.searchParams.set("programme", programme);
    if (label !== null) url.searchParams.set("label", label);
    const { version } = this.form.elements;
    if (version) url.searchParams.set("version", version.value);
    const headers = { "Content-Disposition": extendedName(row.file.name), "Idempotency-Key": row.key };
    if (row.titleField) headers["Strongroom-Title"] = encodeURIComponent(row.title.value.trim().toWellFormed());
    return {
      ...(row.url || row.file.size >= PIECES_FROM ? { metadata: this.#metadata(row, programme, label, version?.value) } : {}),
      url: url.href,
      method: this.form.dataset.uploadMethod ?? "POST",
      headers,
      arrived: () => this.#arrived(row),
      receipt: (answer) => this.form.dataset.receiptUrl?.replace("{id}", encodeURIComponent(answer.id)).replace("{version}", encodeURIComponent(answer.version)) ?? null,
    };
  }

  /** What an upload in pieces says of itself before its first byte. */
  #metadata(row, programme, label, version) {
    const [, document] = this.form.dataset.uploadUrl.match(/\/documents\/([^/]+)\//) ?? [];
    if (document) return { document: decodeURIComponent(document), key: row.pieceKey, ...(version ? { version } : {}) };
    return { programme, label, title: row.title.value.trim(), key: row.pieceKey };
  }

  /** After a lost answer: the receipt of what did arrive whole, or null. */
  async #arrived(row) {
    if (!this.form.dataset.base || this.form.elements.version) return null;
    try {
      const { ok, text } = await post(`${this.form.dataset.base}/arrived`, new URLSearchParams({ key: row.key }), { tokenUrl: this.#tokenUrl });
      const found = ok ? JSON.parse(text) : {};
      return found.id ? found : null;
    } catch {
      return null;
    }
  }

  #say(words, focus) {
    this.news.textContent = "";
    this.status.textContent = words;
    this.news.textContent = words;
    focus?.focus();
  }

  show(_row = null, news = "") {
    this.rows = this.rows.filter((row) => row.state !== "removed");
    const counted = this.rows.filter((row) => row.state !== "refused");
    const moving = counted.filter((row) => ["queued", "sending"].includes(row.state));
    this.heading.textContent = this.rows.length === 1 ? "1 file" : `${this.rows.length} files`;
    this.heading.closest("[data-upload-files]").hidden = this.rows.length === 0;
    if (news) this.news.textContent = news;
    if (moving.length > 0) {
      const whole = counted.reduce((sum, row) => sum + row.file.size, 0);
      const sent = counted.reduce((sum, row) => sum + (row.state === "done" ? row.file.size : row.sent), 0);
      const rate = moving.reduce((sum, row) => sum + (row.speed.value || 0), 0);
      const left = rate > 0 ? `, about ${timeLeft((whole - sent) / rate)}` : "";
      this.status.textContent = `${size(sent)} of ${size(whole)} sent${left}`;
    } else {
      const done = counted.filter((row) => row.state === "done").length;
      const after = this.form.querySelector("[data-upload-after]");
      if (after) after.hidden = done === 0 || done < counted.length;
      this.status.textContent = done > 0 ? `${done} of ${counted.length} received whole` : "";
    }
  }
}

const identity = (file) => [file.webkitRelativePath, file.name, file.size, file.lastModified].join("/");

document.querySelectorAll("form[data-upload]").forEach((form) => new UploadForm(form));
