// Exports the log within the page: progress, a file that is checked by its footer, and the entry that recorded it.
// Without this script, and for what is too large to hold in memory, the form downloads as any link does.
import { element, problem } from "./page.js";
import { Speed, share, size, timeLeft } from "./format.js";

const MOST = 400_000; // records that are held in memory, about half a kilobyte each
const TAIL = 4096; // bytes at the end of which the footer is one line
const number = new Intl.NumberFormat("en-US");

const form = document.querySelector("form[data-export]");
if (form && window.ReadableStream) form.addEventListener("submit", start);

async function start(event) {
  const known = form.dataset.count === "" ? Infinity : Number(form.dataset.count);
  if (known > MOST) return;
  event.preventDefault();
  if ("running" in form.dataset) return;
  form.dataset.running = "";
  const panel = form.querySelector("[data-export-progress]");
  const news = form.querySelector("[data-export-news]");
  const stop = form.querySelector("[data-export-stop]");
  const leaving = new AbortController();
  stop.onclick = () => leaving.abort();
  news.replaceChildren();
  panel.hidden = false;
  try {
    const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    const response = await fetch(address, { signal: leaving.signal, headers: { Accept: "application/problem+json, */*" } });
    if (!response.ok) {
      const said = problem(response.status, await response.text());
      tell(news, "bad", [said.title, said.detail, said.mend].filter(Boolean).join(" "));
      return;
    }
    await receive(response, known, panel, news);
  } catch {
    tell(news, "warn", leaving.signal.aborted ? "Stopped. The log keeps that this export was given up." : "The connection was lost. The log keeps how far it came; export again when the network is back.");
  } finally {
    panel.hidden = true;
    delete form.dataset.running;
  }
}

async function receive(response, known, panel, news) {
  const bar = panel.querySelector("progress");
  const note = panel.querySelector("[data-export-note]");
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "access-log";
  const entry = response.headers.get("Strongroom-Log-Entry");
  panel.querySelector("[data-export-title]").textContent = name;
  const chunks = [];
  const speed = new Speed();
  let bytes = 0;
  let lines = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    bytes += value.length;
    for (const octet of value) if (octet === 10) lines += 1;
    speed.add(performance.now(), lines);
    bar.value = share(lines, known);
    const left = speed.value > 0 ? timeLeft((known - lines) / speed.value) : "";
    note.textContent = [`${number.format(Math.min(lines, known))} of ${number.format(known)} records`, size(bytes), left].filter(Boolean).join(" · ");
  }
  const blob = new Blob(chunks, { type: response.headers.get("Content-Type") ?? "" });
  const records = footer(await blob.slice(-TAIL).text());
  if (records === null) {
    tell(news, "bad", "The file came without its footer: it was cut off. Export again.");
    return;
  }
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  tell(
    news,
    "good",
    `${number.format(records)} ${records === 1 ? "record" : "records"}, ${size(bytes)}: the footer says that ${name} is whole. `,
    element("a", { href: `${form.dataset.entryUrl}${entry}` }, `The log keeps this export as entry ${number.format(Number(entry))}.`),
  );
}

/** How many records the last line says there are; null without a footer. */
function footer(tail) {
  const last = tail.trimEnd().split("\n").at(-1) ?? "";
  const said = /^\{"footer":\{"records":(\d+)/.exec(last) ?? /^"footer","records=(\d+)"/.exec(last);
  return said ? Number(said[1]) : null;
}

function tell(place, tone, words, more = null) {
  place.replaceChildren(element("div", { class: `note note-${tone}` }, element("div", {}, words, more)));
}
