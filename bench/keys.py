"""How fast a rotation goes: DEKs rewrapped a second with their KEKs in memory, manifests that follow, rows resealed.

Run as `python -m bench.keys [--documents N]`: it makes an installation in a temporary folder and prints each rate
against its limit; the exit status is 1 when one is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.world import Size, build
from portal.audit import Event

LEAST_DEKS = 50_000
"""DEKs a second at least (crypto.md)."""


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        world = build(Path(folder) / "data", Size(documents=documents, programmes=1, records=0))
        runtime = world.runtime
        domains = runtime.keys.domains()
        for domain in domains:
            runtime.rotations.order("kek", domain, Event(action="keys.rotate"))
        begun = time.perf_counter()
        runtime.rotations.work()
        deks = sum(view.done for view in runtime.rotations.all() if view.kind == "kek") / (
            time.perf_counter() - begun
        )
        rotation = runtime.rotations.order("row", "", Event(action="keys.rotate"))
        begun = time.perf_counter()
        runtime.rotations.work()
        rows = runtime.rotations.one(rotation).done / (time.perf_counter() - begun)
        runtime.close()
    print(f"DEKs rewrapped: {deks:,.0f} a second (limit {LEAST_DEKS:,}), {documents:,} in {len(domains)} domains")
    print(f"rows resealed: {rows:,.0f} a second")
    return 0 if deks >= LEAST_DEKS else 1


if __name__ == "__main__":
    sys.exit(main())
