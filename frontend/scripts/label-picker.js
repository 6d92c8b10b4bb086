// Shows the marking that a label picker's choices make, as they are made: the server composes it, never the browser.
//
// <… data-label-picker data-marking-url> within a form; its inputs are sent as they are; the answer is JSON
// {"marking", "lacv", "problems": [sentence, …]}. Without script the server composes the label when the form arrives.
import { csrfToken, problem } from "./page.js";

class LabelPicker {
  #latest = null;
  #abort = null;

  constructor(node) {
    this.node = node;
    this.form = node.closest("form");
    this.output = node.querySelector("[data-marking]");
    this.words = node.querySelector("[data-marking-words]");
    this.trouble = node.querySelector("[data-marking-trouble]");
    this.show();
    node.querySelector("[data-without-script]")?.remove();
    node.querySelector("[data-marking-box]").hidden = false;
    node.addEventListener("change", () => this.update());
    this.form.addEventListener("label-needed", (event) => {
      event.detail.answer = this.#latest ?? this.update();
    });
    if (node.querySelector("input[type=radio]:checked")) this.update();
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
    for (const input of this.node.querySelectorAll("input:checked, select")) body.append(input.name, input.value);
    const programme = this.form.elements.programme?.value;
    if (programme) body.append("programme", programme);
    try {
      const response = await fetch(this.node.dataset.markingUrl, {
        method: "POST",
        body,
        signal,
        headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" },
      });
      const text = await response.text();
      if (!response.ok) return this.#failed(problem(response.status, text));
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
  }
}

document.querySelectorAll("[data-label-picker]").forEach((node) => new LabelPicker(node));
