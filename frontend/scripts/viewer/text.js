import { size } from "../format.js";
import { element } from "../page.js";
import { readRange } from "./content.js";

const STEP = 262144;

/** Show text from its beginning, a quarter of a megabyte at a time. */
export async function showText(node, pages) {
  const whole = Number(node.dataset.size);
  const text = element("pre", { class: "viewer-text", tabindex: "0", role: "region", "aria-label": node.dataset.title });
  const more = element("button", { type: "button", class: "btn", click: () => next() });
  const foot = element("p", { class: "row-between small", hidden: true }, more);
  pages.replaceChildren(text, foot);
  let at = 0;
  let decoder = null;

  const next = async () => {
    const end = Math.min(at + STEP, whole);
    const bytes = end > at ? await readRange(node.dataset.contentUrl, at, end) : new Uint8Array();
    decoder ??= new TextDecoder(encodingOf(bytes));
    at = end;
    text.append(decoder.decode(bytes, { stream: at < whole }));
    foot.hidden = at >= whole;
    more.textContent = `Show more: ${size(whole - at)} left`;
  };
  await next();
}

/** UTF-16 by its byte order mark, UTF-8 when the bytes are, else the encoding that old Windows files have. */
function encodingOf(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return "utf-8";
  } catch {
    return "windows-1252";
  }
}
