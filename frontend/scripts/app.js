// Loaded on every page: htmx with its Content Security Policy extension, and the small helpers of ui.js.
import "./htmx-global.js";
import "htmx.org/dist/ext/hx-csp.min.js";
import { start as startLists } from "./list.js";
import { csrfToken } from "./page.js";
import { start } from "./ui.js";

document.addEventListener("htmx:config:request", (event) => {
  const { request } = event.detail.ctx;
  if (!["GET", "HEAD"].includes(request.method.toUpperCase())) request.headers["X-CSRFToken"] = csrfToken();
});

// A search that is refused (the session ended, the portal was restarted) goes the long way, which says what is so.
document.addEventListener("htmx:response:error", () => location.reload());

start();
startLists();
