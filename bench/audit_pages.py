"""The auditor's pages on a long log, timed in the WSGI application: `python -m bench.audit_pages [RECORDS [FOLDER]]`.

With FOLDER the world is kept there and measured again the next time; without, it is made and removed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sqlalchemy import Table, select

from bench.figures import Figure, machine, median, quantile, show
from bench.log_world import fill
from bench.pages import KILOBYTES, QUERIES, WARM, Client, Page, counted
from bench.world import Size, World, build, open_world
from portal import models
from portal.app import create_app

MEDIAN_MS = 100.0
_DOCUMENTS = 20_000


def make(folder: Path, records: int) -> World:
    """Build a world of 500 programmes, 2,000 labels and 10,000 people, and a month of `records` about it."""
    world = build(folder, Size(_DOCUMENTS, 500, 2_000, companies=200, people=10_000))
    documents, people = (cast(Table, kind.__table__).c for kind in (models.Document, models.Person))
    with world.runtime.database.engine.connect() as connection:
        shown = [(row[0], row[1]) for row in connection.execute(select(documents.id, documents.programme_id))]
        readers = [(row[0], row[1]) for row in connection.execute(select(people.id, people.organisation_id))]
    labels = [world.policy.marking(label) for label in world.labels]
    fill(world.runtime, readers, shown, labels, records)
    world.runtime.log.checkpoint()
    return world


@dataclass(frozen=True, slots=True)
class Busy:
    """People and documents of the log, by how many records carry them, the most first; and how many there are."""

    people: list[str]
    documents: list[str]
    records: int


def busiest(world: World) -> Busy:
    """Return who and what stands in most records of the log."""
    traces = world.runtime.log.traces
    people, documents = (
        [one.value for one in sorted(traces.known(kind, limit=30_000), key=lambda one: -one.count)]
        for kind in ("actor", "document")
    )
    return Busy(people, documents, world.runtime.log.size())


def pages_of(world: World) -> list[Page]:
    """Return the pages, and for each kind of filter the one that leaves the most to look through."""
    auditor, log, programme = world.people["auditor"], busiest(world), world.programmes[3]
    label = world.policy.marking(world.labels[1]).replace(" ", "+")
    timeline = {
        "timeline": "",
        "timeline, 24 hours": "last=24h",
        "timeline, 31 days": "last=31d",
        "timeline, all time": "last=all",
        "timeline, routine too": "last=all&routine=1",
        "timeline, refusals": "last=all&decision=deny",
        "timeline, no recorded end": "last=all&decision=unsure",
        "timeline, permitted": "last=all&decision=permit",
        "timeline, busiest person": f"last=all&person={log.people[0]}",
        "timeline, refusals of that person": f"last=all&decision=deny&person={log.people[0]}",
        "timeline, most read document": f"last=all&document={log.documents[0]}",
        "timeline, both of these": f"last=all&person={log.people[0]}&document={log.documents[0]}",
        "timeline, a programme": f"last=all&programme={programme}",
        "timeline, refusals of a programme": f"last=all&decision=deny&programme={programme}",
        "timeline, downloads": "last=all&action=document.read",
        "timeline, downloads of a programme": f"last=31d&action=document.read&programme={programme}",
        "timeline, a label": f"last=all&label={label}",
        "timeline, an organisation": f"last=all&organisation={world.organisation}",
    }
    return [
        *(Page(name, f"/audit?{query}" if query else "/audit", auditor) for name, query in timeline.items()),
        Page("entry", f"/audit/entries/{log.records // 2}", auditor),
        Page("people", "/audit/people", auditor),
        Page("documents", "/audit/documents", auditor),
        Page("busiest person", f"/audit/people/{log.people[0]}", auditor),
        Page("most read document", f"/audit/documents/{log.documents[0]}", auditor),
        Page("least read document", f"/audit/documents/{log.documents[-1]}", auditor),
        Page("export, everything", "/audit/export", auditor),
        Page("export, downloads", "/audit/export?action=document.read", auditor),
        Page("log health", "/audit/health", auditor),
    ]


def measure(world: World, rounds: int = 20) -> list[Figure]:
    """Return each page's median; beside it p99, processor time (on a busy machine the better figure), queries of the
    business database, and the page's size compressed.
    """
    client = Client(create_app(world.runtime))
    figures: list[Figure] = []
    most, largest = 0, 0.0
    for page in pages_of(world):
        for _ in range(WARM):
            client.call(page)
        with counted(world.runtime.database.engine) as statements:
            size = client.call(page).sent / 1000
        answers = [client.call(page) for _ in range(rounds)]
        times, busy = [one.wall for one in answers], [one.busy for one in answers]
        note = f"p99 {quantile(times, 0.99):6.1f} ms, processor {median(busy):5.1f} ms, "
        note += f"{len(statements):2} queries, {size:4.1f} kB"
        figures.append(Figure(page.name, median(times), "ms", MEDIAN_MS, note=note))
        most, largest = max(most, len(statements)), max(largest, size)
    figures.append(Figure("most queries of a page", most, "", QUERIES))
    figures.append(Figure("largest page as sent", largest, "kB", KILOBYTES))
    return figures


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as made:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(made) / "data"
        start = time.perf_counter()
        world = open_world(folder) if folder.exists() else make(folder, records)
        print(
            f"{world.runtime.log.size():,} records ready in {time.perf_counter() - start:.0f} s; {machine()}",
            flush=True,
        )
        try:
            show(measure(world))
        finally:
            world.runtime.close()


if __name__ == "__main__":
    main()
