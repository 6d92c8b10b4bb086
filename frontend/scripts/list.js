// Comforts of lists: how many rows are chosen, all at once, names found while one types. All work on what a search brings in later.
import { size } from "./format.js";
import { csrfToken, element, icon } from "./page.js";

export function start() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-choosing]");
    if (!form) return;
    if ("chooseAll" in event.target.dataset) for (const box of boxes(form)) box.checked = event.target.checked;
    show(form);
  });
  document.addEventListener("reset", (event) => {
    // The boxes are empty only after the event.
    if ("choosing" in event.target.dataset) setTimeout(() => show(event.target));
  });
  document.addEventListener("htmx:after:swap", () => {
    sayLost(false);
    showAll();
  });
  // No answer at all: the portal cannot be reached. What was refused is for app.js.
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) sayLost(true);
  });
  // Browsers bring back what was ticked when one comes back to the page.
  window.addEventListener("pageshow", showAll);
  showAll();
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.find) find(event.target);
  });
}

const boxes = (form) => [...form.querySelectorAll("tbody input[type=checkbox]")];

const showAll = () => document.querySelectorAll("form[data-choosing]").forEach(show);

function show(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked);
  const every = form.querySelector("[data-choose-all]");
  every.hidden = false;
  every.checked = all.length > 0 && chosen.length === all.length;
  every.indeterminate = chosen.length > 0 && chosen.length < all.length;
  form.querySelector("[data-chosen]").textContent = chosen.length > 0 ? `${chosen.length} chosen` : "";
  const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.bytes ?? 0), 0);
  form.querySelector("[data-chosen-size]").textContent = chosen.length > 0 ? size(bytes) : "";
}

let lost = null;

function sayLost(now) {
  lost?.remove();
  lost = null;
  const list = document.querySelector("#list");
  if (!now || !list) return;
  const words = element("div", {}, element("b", {}, "The connection was lost."), " The list below is as it was. Type again when you are connected.");
  lost = element("div", { class: "note note-warn", role: "alert" }, icon("alert-triangle"), words);
  list.before(lost);
}

let waiting = 0;

/** Fill a field's datalist with the names that hold what was typed; the words are posted, never in an address. */
function find(field) {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const body = new URLSearchParams({ words: field.value });
    try {
      const answer = await fetch(field.dataset.find, { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } });
      if (!answer.ok) return;
      const { names } = await answer.json();
      field.list.replaceChildren(...names.map((name) => element("option", { value: name })));
    } catch {
      // Without the network nothing is offered; the name can be typed whole.
    }
  }, 200);
}
