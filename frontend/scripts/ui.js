// Comforts on top of pages that work without them: menus close, digests copy, forms are sent once.

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

function sendOnce(event) {
  const form = event.target;
  if (!("once" in form.dataset) || event.defaultPrevented) return;
  if ("sent" in form.dataset) event.preventDefault();
  else form.dataset.sent = "";
}
