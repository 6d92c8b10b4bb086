import { readdir } from "node:fs/promises";
import path from "node:path";

/** Every file below `folder` whose name matches `wanted`, sorted; nothing when the folder is not there. */
export async function filesBelow(folder, wanted) {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true, recursive: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && wanted.test(entry.name))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
