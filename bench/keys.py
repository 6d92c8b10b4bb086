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
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek
from portal.audit import Event

LEAST_DEKS = 50_000
"""DEKs a second at least (crypto.md)."""
_ALONE = 20_000


def wrapping(ring: KeyRing) -> float:
    """Return how many DEKs a second go from one version of a KEK to the next, both opened."""
    domain = Domain("SECRET", "bench")
    contexts = [DekContext(f"{number:036x}", 1, bytes(32), bytes(32)) for number in range(_ALONE)]
    wrapped = [ring.wrap_dek(Dek.generate(), domain, context) for context in contexts]
    ring.rotate("kek", domain.id)
    begun = time.perf_counter()
    for blob, context in zip(wrapped, contexts, strict=True):
        ring.rewrap_dek(blob, context)
    return _ALONE / (time.perf_counter() - begun)


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        world = build(Path(folder) / "data", Size(documents=documents, programmes=1, records=0))
        runtime = world.runtime
        alone = wrapping(runtime.ring)
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
    print(
        f"DEKs rewrapped: {deks:,.0f} a second (limit {LEAST_DEKS:,}), {documents:,} in {len(domains)} domains"
    )
    print(f"  wrapping alone, in memory: {alone:,.0f} a second; the rest reads, seals and writes rows")
    print(f"rows resealed: {rows:,.0f} a second")
    return 0 if deks >= LEAST_DEKS else 1


if __name__ == "__main__":
    sys.exit(main())
