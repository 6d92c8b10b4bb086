// hx-csp expects htmx as a global; a module of its own, because imports run before any statement of their importer.
import htmx from "htmx.org";

globalThis.htmx = htmx;
