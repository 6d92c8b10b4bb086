import { readFile } from "node:fs/promises";
import path from "node:path";
import { PurgeCSS } from "purgecss";
import { filesBelow } from "./sources.mjs";

/** esbuild plugin: `@import "tabler"` is Tabler's style sheet without the rules that no page of ours can use. */
export function purgedTabler({ root, modules }) {
  return {
    name: "purged-tabler",
    setup(build) {
      build.onResolve({ filter: /^tabler$/ }, () => ({ path: "tabler", namespace: "tabler" }));
      build.onLoad({ filter: /.*/, namespace: "tabler" }, async () => ({
        contents: await purge(root, await readFile(path.join(modules, "@tabler/core/dist/css/tabler.min.css"), "utf8")),
        loader: "css",
      }));
    },
  };
}

async function purge(root, css) {
  const content = [
    ...(await filesBelow(path.join(root, "templates"), /\.html$/)),
    ...(await filesBelow(path.join(root, "portal/web"), /\.py$/)),
    ...(await filesBelow(path.join(root, "frontend/scripts"), /\.js$/)),
  ];
  const [result] = await new PurgeCSS().purge({
    content,
    css: [{ raw: css }],
    defaultExtractor: (text) => text.match(/[A-Za-z0-9_-]+/g) ?? [],
    safelist: { standard: ["html", "body", ":root"], greedy: [/data-bs-theme/] },
    keyframes: true,
    variables: true,
  });
  return result.css;
}
