// The label picker: the marking that the choices make, as they are made (the server composes it, never the browser); long
// lists found by a filter with the chosen ones above; and only what may stand with the chosen classification.
//
// <… data-label-picker data-marking-url> within a form; its inputs are sent as they are; the answer is JSON
// {"marking", "lacv", "problems": [sentence, …]}. Without script the server composes the label when the form arrives.
import { element, icon, post, problem } from "./page.js";

class LabelPicker {
  #latest = null;
  #abort = null;

  constructor(node) {
    this.node = node;
    this.form = node.closest("form");
    this.output = node.querySelector("[data-marking]");
    this.words = node.querySelector("[data-marking-words]");
    this.trouble = node.querySelector("[data-marking-trouble]");
    this.lists = [...node.querySelectorAll("[data-choices]")].map((list) => new Choices(list, () => this.#fit()));
    this.show();
    node.querySelector("[data-marking-box]").hidden = false;
    node.addEventListener("change", () => {
      this.#fit();
      this.update();
    });
    this.form.addEventListener("label-needed", (event) => {
      event.detail.answer = this.#latest ?? this.update();
    });
    this.#fit();
    if (this.#classification()) this.update();
  }

  #classification() {
    return this.node.querySelector("input[name=classification]:checked")?.value ?? "";
  }

  /** Offer what may stand with the chosen classification; what may not is let go. */
  #fit() {
    const chosen = this.#classification();
    for (const input of this.node.querySelectorAll("[data-stands-with]")) {
      const fits = !chosen || input.dataset.standsWith.split(" ").includes(chosen);
      input.disabled = !fits;
      if (!fits) input.checked = false;
      input.closest("label").classList.toggle("is-out", !fits);
    }
    for (const group of this.node.querySelectorAll("fieldset")) {
      const inputs = [...group.querySelectorAll("input[type=checkbox], input[type=radio]")];
      group.hidden = inputs.length > 0 && inputs.every((input) => input.disabled || input.value === "");
    }
    this.lists.forEach((list) => list.show());
  }

  /** Ask for the marking of the present choice; resolves with it, or null when there is none. */
  update() {
    this.#abort?.abort();
    this.#abort = new AbortController();
    const asked = this.#ask(this.#abort.signal);
    this.#latest = asked;
    return asked;
  }

  async #ask(signal) {
    const body = new URLSearchParams();
    for (const input of this.node.querySelectorAll("input:checked:not(:disabled)")) body.append(input.name, input.value);
    try {
      const tokenUrl = this.form.dataset.base ? `${this.form.dataset.base}/token` : null;
      const { ok, status, text } = await post(this.node.dataset.markingUrl, body, { tokenUrl, signal });
      if (!ok) return this.#failed(problem(status, text));
      const { marking, lacv, problems = [] } = JSON.parse(text);
      this.show(problems.length === 0 ? marking : "", lacv, problems);
      return problems.length === 0 ? marking : null;
    } catch (error) {
      if (error.name === "AbortError") return this.#latest;
      return this.#failed(problem(0, ""));
    }
  }

  #failed({ title, detail, mend }) {
    this.show("", null, [[title, detail, mend].filter(Boolean).join(" ")]);
    // Asked again at the next try.
    this.#latest = null;
    return null;
  }

  show(marking = "", lacv = null, problems = []) {
    if (lacv === null) this.output.removeAttribute("data-cls");
    else this.output.dataset.cls = lacv;
    this.words.textContent = marking || "Choose how sensitive it is";
    this.trouble.textContent = problems.join(" ");
    this.trouble.hidden = problems.length === 0;
    this.form.dispatchEvent(new CustomEvent("label-shown", { detail: { marking } }));
  }
}

const plain = (words) => words.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** A long list of choices: a filter, and the chosen ones above it, each with a button that lets it go. */
class Choices {
  constructor(node, changed) {
    this.changed = changed;
    this.chosen = node.querySelector("[data-choices-chosen]");
    this.filter = node.querySelector("[data-choices-filter]");
    this.none = node.querySelector("[data-choices-none]");
    this.labels = [...node.querySelectorAll(".choices-list label")].map((label) => ({ label, input: label.querySelector("input"), words: label.textContent.trim() }));
    this.filter.hidden = false;
    this.filter.addEventListener("input", () => this.#narrow());
    this.filter.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      // Enter takes the one that is left, and never sends the form.
      event.preventDefault();
      const left = this.labels.filter(({ label, input }) => !label.hidden && !input.disabled);
      if (left.length !== 1) return;
      this.filter.value = "";
      this.#narrow();
      this.#turn(left[0].input, !left[0].input.checked);
    });
  }

  #narrow() {
    const wanted = plain(this.filter.value.trim());
    for (const { label, words } of this.labels) label.hidden = !plain(words).includes(wanted);
    this.none.hidden = this.labels.some(({ label }) => !label.hidden);
  }

  #turn(input, checked) {
    input.checked = checked;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  show() {
    const chosen = this.labels.filter(({ input }) => input.checked && input.value);
    const drop = ({ input, words }) =>
      element("span", { class: "chip" }, words, element("button", { type: "button", "aria-label": `Leave out ${words}`, click: () => (this.#turn(input, false), this.filter.focus()) }, icon("x", "icon-sm")));
    this.chosen.replaceChildren(...chosen.map(drop));
    this.chosen.hidden = chosen.length === 0;
  }
}

document.querySelectorAll("[data-label-picker]").forEach((node) => new LabelPicker(node));
