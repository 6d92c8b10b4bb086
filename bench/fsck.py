"""`strongroom fsck` over an installation with real blobs: its rate, with one process and with one for each processor.

`python -m bench.fsck [DOCUMENTS [BYTES]]`; by default 100,000 documents of 4 KiB. It has no goal but the figure.
"""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure, machine, show
from bench.world import Size, World, _Builder, settings_in
from crypto.keyring import DekContext, Domain
from crypto.keys import Dek
from crypto.manifest import Manifest, seal_manifest
from crypto.parts import PartWriter, parts_digest
from policies import Label
from portal.jobs.checking import check

DOCUMENTS, OCTETS = 100_000, 4096


class _Stored(_Builder):
    """Writes each document's part and manifest too, as a deposit does, but not synced one by one."""

    octets = OCTETS

    def title(self, number: int) -> str:
        self._title = super().title(number)
        return self._title

    def head(self, created: Any) -> dict[str, Any]:
        return {**super().head(created), "size": self.octets}

    def version(self, head: dict[str, Any], label: Label) -> dict[str, Any]:
        row = super().version(head, label)
        sink, dek = io.BytesIO(), Dek.generate()
        writer = PartWriter(sink, dek, head["id"], 1, 1)
        writer.write(self.chance.randbytes(self.octets))
        part = writer.close()
        domain = Domain(label.classification, head["programme_id"])
        context = DekContext(head["id"], 1, head["label_digest"], parts_digest([part]))
        wrapped = self.ring.wrap_dek(dek, domain, context)
        kek = self.ring.domain_key(label.classification, head["programme_id"])
        manifest = Manifest(
            document_id=head["id"],
            version=1,
            programme_id=head["programme_id"],
            originator_id=head["originator_id"],
            addressee_id=head["addressee_id"],
            title=self._title,
            file_name="deliverable.pdf",
            media_type=row["media_type"],
            label=label.canonical(),
            parts=(part,),
            sha256=row["sha256"],
            wrapped_dek=wrapped,
            kek_id=kek.id,
            kek_version=kek.version,
            created=row["created"],
        )
        folder = self.settings.blob_folder / row["blob"]
        folder.mkdir(parents=True)
        (folder / "part-1").write_bytes(sink.getbuffer())
        (folder / "manifest").write_bytes(seal_manifest(self.ring, manifest))
        parts = f'[[{part.plaintext_length},{part.ciphertext_length},"{part.sha256.hex()}"]]'
        return {**row, "parts": parts, "wrapped_dek": wrapped}


def measure(world: World, jobs: int) -> Figure:
    """Check everything once; everything holds."""
    begun = time.perf_counter()
    run = check(world.runtime, jobs=jobs)
    seconds = time.perf_counter() - begun
    assert not run.findings, run.findings[:3]
    rate = run.counts["documents"] / seconds
    mib = run.counts["size"] / seconds / (1 << 20)
    name = f"fsck, {jobs} {'process' if jobs == 1 else 'processes'}"
    return Figure(name, rate, "docs/s", note=f"{seconds:,.1f} s, {mib:,.0f} MiB/s")


def main() -> None:
    """Build an installation and check it."""
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    _Stored.octets = int(sys.argv[2]) if len(sys.argv) > 2 else OCTETS
    print(f"{machine()}; {documents:,} documents of {_Stored.octets:,} bytes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        size = Size(documents)
        world = _Stored(settings_in(Path(folder) / "data"), size, random.Random(3)).build()
        try:
            processors = len(os.sched_getaffinity(0))
            show([measure(world, jobs) for jobs in sorted({1, processors})])
        finally:
            world.runtime.close()


if __name__ == "__main__":
    main()
