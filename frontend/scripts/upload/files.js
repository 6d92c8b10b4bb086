/** Every file of a drop, folders opened (depth first, in the order that the browser gives). */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

async function collect(entry, found) {
  if (!entry) return;
  if (entry instanceof File) found.push(entry);
  else if (entry.isFile) found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
  else {
    const reader = entry.createReader();
    // A reader hands out at most a hundred entries at a time, and none when it is at the end.
    for (let batch = await read(reader); batch.length > 0; batch = await read(reader)) {
      for (const child of batch) await collect(child, found);
    }
  }
}

const read = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
