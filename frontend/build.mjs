// Bundles styles, icons, fonts and scripts into portal/web/static: content-hashed names, each with its .gz and .br,
// and manifest.json (logical name -> hashed name) that portal/web/assets.py reads. Run by `make setup`.
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import { iconSprite } from "./build/icons.mjs";
import { Output } from "./build/output.mjs";
import { purgedTabler } from "./build/tabler.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const target = path.join(root, "portal", "web", "static");
const modules = path.join(here, "node_modules");

// Written beside the final folder and renamed at the end, so that a portal which starts meanwhile sees all or nothing.
const staging = `${target}.new`;
await rm(staging, { recursive: true, force: true });
await mkdir(staging, { recursive: true });
const output = new Output(staging);

const shared = { bundle: true, minify: true, write: false, logLevel: "warning", legalComments: "none", charset: "utf8" };
const browsers = ["chrome123", "edge123", "firefox120", "safari17.5"]; // the first with light-dark() in CSS

const font = await output.add(
  "inter-latin.woff2",
  await readFile(path.join(modules, "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2")),
);

const styles = await bundle({
  ...shared,
  entryPoints: [path.join(here, "styles/main.css")],
  target: browsers,
  plugins: [purgedTabler({ root, modules }), fontName(font)],
});
await output.add("app.css", styles.outputFiles[0].contents);

for (const name of ["app", "upload", "label-picker", "viewer", "export"]) {
  const script = await bundle({
    ...shared,
    entryPoints: [path.join(here, `scripts/${name}.js`)],
    format: "iife",
    target: browsers,
  });
  await output.add(`${name}.js`, script.outputFiles[0].contents);
}

const sprite = await iconSprite({ root, here, modules });
await output.add("icons.svg", Buffer.from(sprite.svg));

await output.add("mark.svg", await readFile(path.join(here, "styles/mark.svg")));

const pdfjs = path.join(modules, "pdfjs-dist");
await output.add("pdf.worker.js", await readFile(path.join(pdfjs, "legacy/build/pdf.worker.min.mjs")));
// pdf.js asks for these by their own names: the folder carries the hash.
const parts = [];
for (const [folder, wanted] of [["cmaps", /\.bcmap$/], ["standard_fonts", /\.(pfb|ttf)$/], ["wasm", /\.wasm$/], ["iccs", /\.icc$/]]) {
  for (const file of (await readdir(path.join(pdfjs, folder))).filter((entry) => wanted.test(entry)).sort()) {
    parts.push([`${folder}/${file}`, await readFile(path.join(pdfjs, folder, file))]);
  }
}
await output.addFolder("pdfjs", parts);

await output.finish({ icons: sprite.names });
await rm(target, { recursive: true, force: true });
await rename(staging, target);
console.log(output.report());

// The style sheet names the font as "font:inter"; the bundle carries its hashed name, relative to the style sheet.
function fontName(hashed) {
  return {
    name: "font-name",
    setup(build) {
      build.onResolve({ filter: /^font:inter$/ }, () => ({ path: `./${hashed}`, external: true }));
    },
  };
}
