import { readFile } from "node:fs/promises";
import path from "node:path";
import { filesBelow } from "./sources.mjs";

// Where a literal icon name stands: {{ icon("lock") }} in templates, icon="lock" or "icon": "lock" in Python, icon("lock") in scripts.
const literal = /\bicon(?:\(|["']?\s*[:=])\s*["']([a-z0-9-]+)["']/g;

/** One SVG sprite with a symbol for each icon that templates, views, scripts or icons.json name. */
export async function iconSprite({ root, here, modules }) {
  const names = new Map(JSON.parse(await readFile(path.join(here, "icons.json"), "utf8")).names.map((name) => [name, "frontend/icons.json"]));
  const sources = [
    ...(await filesBelow(path.join(root, "templates"), /\.html$/)),
    ...(await filesBelow(path.join(root, "portal/web"), /\.py$/)),
    ...(await filesBelow(path.join(here, "scripts"), /\.js$/)),
  ];
  for (const file of sources) {
    for (const [, name] of (await readFile(file, "utf8")).matchAll(literal)) {
      if (!names.has(name)) names.set(name, path.relative(root, file));
    }
  }
  const symbols = [];
  for (const name of [...names.keys()].sort()) {
    symbols.push(symbol(name, await outline(modules, name, names.get(name))));
  }
  return { names: [...names.keys()].sort(), svg: `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>` };
}

async function outline(modules, name, usedIn) {
  try {
    return await readFile(path.join(modules, "@tabler/icons/icons/outline", `${name}.svg`), "utf8");
  } catch {
    throw new Error(`${usedIn} names the icon "${name}", which Tabler does not have. Choose one of its outline icons.`);
  }
}

function symbol(name, svg) {
  const shapes = [...svg.matchAll(/<(path|circle|rect|line|polyline|ellipse)\b[^>]*\/>/g)]
    .map(([shape]) => shape.replace(/\s+/g, " ").replace(" />", "/>"))
    .filter((shape) => !shape.includes('d="M0 0h24v24H0z"'));
  // The stroke's width comes from the page (theme.css); everything else is the icon's own.
  return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round">${shapes.join("")}</symbol>`;
}
