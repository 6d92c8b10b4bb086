// Shows a document in the page (templates/parts/viewer.html): PDF by pdf.js, text by itself. Images need no script.
import { element } from "./page.js";
import { PdfView } from "./viewer/pdf.js";
import { showText } from "./viewer/text.js";

async function start(node) {
  const pages = node.querySelector("[data-pages]");
  const report = ({ title, detail, mend }) => {
    node.querySelector(".viewer-bar [data-pdf-controls]")?.remove();
    pages.replaceChildren(element("div", { class: "empty", role: "alert" }, element("h2", {}, title), element("p", {}, [detail, mend].filter(Boolean).join(" "))));
  };
  try {
    if (node.dataset.viewer === "pdf") await new PdfView(node, pages, report).open();
    else if (node.dataset.viewer === "text") await showText(node, pages, report);
  } catch (error) {
    report(error.problem ?? { title: "This document cannot be shown here.", detail: "", mend: "Download it to open it on your device." });
  }
}

document.querySelectorAll("[data-viewer]").forEach(start);
