// Comforts on top of pages that work without them: menus close, digests copy, forms are sent once.
import { element, icon, meta, problem, renewSession } from "./page.js";

export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(true);
  });
  document.addEventListener("click", (event) => {
    closeMenus(false, event.target.closest?.("details.menu"));
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
    if (event.target.closest?.("[data-print]")) window.print();
  });
  document.addEventListener("submit", sendOnce);
  // A page that comes back from the back/forward cache may be sent again.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
  if (navigator.clipboard) document.querySelectorAll("[data-copy][hidden]").forEach((button) => (button.hidden = false));
  document.querySelectorAll("[data-print][hidden]").forEach((button) => (button.hidden = false));
  document.querySelectorAll("form[data-send-on-change]").forEach((form) => {
    form.addEventListener("change", () => form.requestSubmit());
    form.querySelectorAll("[data-without-script]").forEach((button) => (button.hidden = true));
  });
}

function closeMenus(returnFocus, except = null) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu === except) continue;
    if (returnFocus && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
}

async function copy(button) {
  const words = button.querySelector("[data-copy-words]") ?? button;
  const before = words.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    words.textContent = "Copied";
  } catch {
    words.textContent = "Not copied";
  }
  setTimeout(() => (words.textContent = before), 2000);
}

const passing = new WeakSet();

/** Send a form once, however often it is clicked, and only while the session is in force: what was typed is not lost with it. */
async function sendOnce(event) {
  const form = event.target;
  if (!("once" in form.dataset) || event.defaultPrevented || passing.delete(form)) return;
  const asked = meta("session-check");
  if ("sent" in form.dataset || asked) event.preventDefault();
  if ("sent" in form.dataset) return;
  form.dataset.sent = "";
  if (!asked) return;
  const { submitter } = event;
  const status = await renewSession(asked);
  form.querySelector("[data-not-sent]")?.remove();
  if ([0, 401, 429, 503].includes(status)) {
    delete form.dataset.sent;
    sayNotSent(form, submitter, status);
  } else {
    passing.add(form);
    form.requestSubmit(submitter);
  }
}

function sayNotSent(form, submitter, status) {
  const { title, mend } = problem(status, "");
  const link = status === 401 ? element("a", { href: "/sign-in", target: "_blank" }, "Sign in") : null;
  const words = element("div", {}, element("b", {}, title), ` ${mend} `, link);
  const note = element("div", { class: "note note-warn", role: "alert", "data-not-sent": true }, icon("alert-triangle"), words);
  const row = submitter?.parentElement;
  if (row && row !== form) row.before(note);
  else form.append(note);
}
