import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const squeeze = { gz: promisify(gzip), br: promisify(brotliCompress) };
const compressible = /\.(css|js|svg)$/;

const shortHash = (data) => createHash("sha256").update(data).digest("hex").slice(0, 12);

/** Files of the bundle: written once under a content-hashed name, listed in the manifest. */
export class Output {
  #folder;
  #files = {};
  #folders = {};
  #sizes = [];

  constructor(folder) {
    this.#folder = folder;
  }

  /** Write `data` and return its hashed name. */
  async add(logical, data) {
    const extension = path.extname(logical);
    const name = `${logical.slice(0, -extension.length)}-${shortHash(data)}${extension}`;
    await writeFile(path.join(this.#folder, name), data);
    let compressed = data.length;
    if (compressible.test(name)) {
      const packed = {
        gz: await squeeze.gz(data, { level: 9 }),
        br: await squeeze.br(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
      };
      for (const [suffix, bytes] of Object.entries(packed)) await writeFile(path.join(this.#folder, `${name}.${suffix}`), bytes);
      compressed = packed.gz.length;
    }
    this.#files[logical] = name;
    this.#sizes.push([logical, data.length, compressed]);
    return name;
  }

  /** Write files that are found by their own names, in a folder whose name carries the hash of them all. */
  async addFolder(logical, files) {
    const name = `${logical}-${shortHash(Buffer.concat(files.flatMap(([file, data]) => [Buffer.from(`${file}\0${data.length}\0`), data])))}`;
    for (const [file, data] of files) {
      const place = path.join(this.#folder, name, file);
      await mkdir(path.dirname(place), { recursive: true });
      await writeFile(place, data);
    }
    this.#folders[`${logical}/`] = `${name}/`;
  }

  /** Write the manifest, last of all. */
  async finish(extra) {
    const manifest = { files: this.#files, folders: this.#folders, ...extra };
    await writeFile(path.join(this.#folder, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  }

  report() {
    const line = ([name, raw, packed]) => `${name.padEnd(20)} ${String(raw).padStart(9)} ${String(packed).padStart(9)}`;
    return ["file                     bytes   gzipped", ...this.#sizes.map(line)].join("\n");
  }
}
