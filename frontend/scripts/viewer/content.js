import { problem } from "../page.js";

/** A refused or broken read of the content; `problem` is what to tell the reader. */
export class ContentRefused extends Error {
  constructor(said) {
    super(said.title);
    this.problem = said;
  }
}

/** Bytes [begin, end) of the content, by a range request; the whole answer counts or none of it. */
export async function readRange(url, begin, end, signal) {
  let response;
  try {
    response = await fetch(url, { headers: { Range: `bytes=${begin}-${end - 1}` }, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ContentRefused({ title: "The connection was lost.", detail: "", mend: "Reload the page when the network is back." });
  }
  if (!response.ok) throw new ContentRefused(problem(response.status, await response.text()));
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status === 206 && bytes.length === end - begin) return bytes;
  if (response.status === 200 && bytes.length >= end) return bytes.slice(begin, end);
  throw new ContentRefused({ title: "The document did not arrive whole.", detail: "", mend: "Reload the page." });
}
