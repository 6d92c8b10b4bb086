// Makes a plain multipart form (templates/parts/upload.html) send several files, each as a raw body, with progress.
//
// <form data-upload data-upload-url [data-upload-method] data-size-limit [data-receipt-url] [data-upload-single]>
//   select[name=programme], input[name=title] within [data-plain-title], a label picker or [name=label],
//   input[type=file][name=file], [data-upload-drop], [data-upload-list], [data-upload-status], [data-upload-heading]
import { extendedName, size, timeLeft } from "./format.js";
import { droppedFiles } from "./upload/files.js";
import { Row } from "./upload/row.js";

const AT_ONCE = 2;

class UploadForm {
  rows = [];

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
    this.form.addEventListener("upload-again", (event) => this.send([event.detail]));
    window.addEventListener("beforeunload", (event) => {
      if (this.rows.some((row) => ["queued", "sending"].includes(row.state))) event.preventDefault();
    });
    this.show();
  }

  add(files) {
    for (const file of this.single ? files.slice(0, 1) : files) {
      if (this.single) this.rows.filter((row) => ["waiting", "failed", "refused"].includes(row.state)).forEach((row) => row.remove());
      const first = this.rows.length === 0;
      const row = new Row(
        file,
        { title: first ? (this.plainTitle?.querySelector("input").value ?? "") : "", wantsTitle: this.plainTitle !== null, refusal: this.#refusal(file) },
        (changed, news) => this.show(changed, news),
      );
      this.rows.push(row);
      this.list.append(row.node);
    }
    this.show();
  }

  #refusal(file) {
    if (file.size === 0) return { title: "the file is empty.", detail: "", mend: "Check that it was saved, and add it again." };
    if (file.size > this.limit) return { title: `${size(file.size)} is more than the limit.`, detail: "", mend: `Send it in parts of at most ${size(this.limit)}.` };
    return null;
  }

  async send(rows) {
    if (rows.length === 0) return this.#say("Add at least one file.", this.input);
    const ask = new CustomEvent("label-needed", { detail: { answer: null } });
    this.form.dispatchEvent(ask);
    const label = ask.detail.answer ? await ask.detail.answer : (this.form.elements.label?.value ?? null);
    if (ask.detail.answer && !label) return this.#say("Choose a label first.", null);
    if (!this.form.reportValidity()) return;
    const programme = this.form.elements.programme?.value ?? null;
    const queue = rows.filter((row) => ["waiting", "failed"].includes(row.state));
    queue.forEach((row) => row.queue());
    const next = async () => {
      for (let row = queue.shift(); row; row = queue.shift()) {
        if (row.state === "queued") await row.run(this.#request(row, programme, label));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  #request(row, programme, label) {
    const url = new URL(this.form.dataset.uploadUrl, location.href);
    if (programme !== null) url.searchParams.set("programme", programme);
    if (label !== null) url.searchParams.set("label", label);
    const headers = { "Content-Disposition": extendedName(row.file.name) };
    if (row.titleField) headers["Strongroom-Title"] = encodeURIComponent(row.title.value.trim().toWellFormed());
    return {
      url: url.href,
      method: this.form.dataset.uploadMethod ?? "POST",
      headers,
      receipt: (answer) => this.form.dataset.receiptUrl?.replace("{id}", encodeURIComponent(answer.id)).replace("{version}", encodeURIComponent(answer.version)) ?? null,
    };
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
      this.status.textContent = done > 0 ? `${done} of ${counted.length} received whole` : "";
    }
  }
}

document.querySelectorAll("form[data-upload]").forEach((form) => new UploadForm(form));
