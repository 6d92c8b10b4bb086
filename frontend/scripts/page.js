// What the layout tells scripts about the page, and how scripts build elements (never from a string: Trusted Types).
const SVG = "http://www.w3.org/2000/svg";

export const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

export const csrfToken = () => meta("csrf-token");

/**
 * Ask whether the session is in force, and take its token: a page that stood open while one signed in anew has the old one.
 * Returns 200 when it is, 401 when it has ended, 0 when there is no answer, else the answer's status.
 */
export async function renewSession(url) {
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return 401;
    if (!answer.ok) return answer.status;
    const { token } = await answer.json();
    document.querySelector('meta[name="csrf-token"]').content = token;
    for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = token;
    return 200;
  } catch {
    return 0;
  }
}

export const renewToken = async (url) => (await renewSession(url)) === 200;

/** Post a form's fields and return the answer's status and text; a token that no longer holds is renewed, once. */
export async function post(url, body, { tokenUrl, signal } = {}) {
  const send = () => fetch(url, { method: "POST", body, signal, redirect: "error", headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" } });
  let response = await send();
  if ([400, 401].includes(response.status) && tokenUrl && (await renewToken(tokenUrl))) response = await send();
  return { ok: response.ok, status: response.status, text: await response.text() };
}

/** An element with attributes and children; a null child or attribute is left out, `class` and `data-*` as they are written. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** An icon of the sprite, hidden from assistive technology. */
export function icon(name, more = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${more}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${meta("icon-sprite")}#${name}`);
  svg.append(use);
  return svg;
}

/** What a refused request says (RFC 9457), or a plain sentence for its status: {title, detail, mend}. */
export function problem(status, text) {
  // What the API says of a missing sign-in is for programs.
  if (status === 401) return { detail: "", ...PLAIN[401] };
  try {
    const said = JSON.parse(text);
    if (said.title || said.detail) return { title: said.title ?? "", detail: said.detail ?? "", mend: said.mend ?? "" };
  } catch {
    // Not JSON: a proxy answered, or nobody did.
  }
  return { detail: "", ...(PLAIN[status] ?? PLAIN.other) };
}

const PLAIN = {
  0: { title: "The connection was lost.", mend: "Try again when the network is back; what has arrived whole is not stored twice." },
  401: { title: "Your session has ended.", mend: "Sign in again in another tab, then try again here. What you chose and typed stays." },
  403: { title: "This is not allowed.", mend: "Reload the page and try again." },
  413: { title: "It is larger than this portal takes.", mend: "Send it in smaller parts." },
  429: { title: "Too many requests.", mend: "Wait a minute, then try again." },
  503: { title: "The portal cannot take it now.", mend: "Nothing was lost. Try again in a few minutes." },
  other: { title: "The portal did not take it.", mend: "Try again; if it happens again, tell your administrator." },
};
