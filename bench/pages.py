"""Pages of a large portal, timed in the WSGI application, with their queries and their size as it is sent.

`python -m bench.pages` builds the world of `web.md` twice, on SQLite and on PostgreSQL, and measures its pages;
`--small` takes a small one, `--in FOLDER` one that `bench.world` left.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.crowd import held_nations
from bench.figures import Figure, machine, median, quantile, show
from bench.postgresql import program, served
from bench.world import COMMON, FULL, RARE, Person, Size, World, build, open_world
from portal.app import create_app
from portal.http.identify import SESSION_KEY

MEDIAN_MS, P99_MS, QUERIES, KILOBYTES = 50.0, 150.0, 12, 30.0
WARM = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A request that is measured."""

    name: str
    path: str
    person: Person
    body: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: milliseconds on the clock and of this thread's processor, the body, and its size as it was sent."""

    wall: float
    busy: float
    text: str
    sent: int


class Client:
    """Calls the application as a server would, without one."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]

    def call(self, page: Page) -> Answer:
        """Return one answer; raises RuntimeError when it is no page."""
        headers = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
        if page.path.startswith("/api/"):
            headers["Authorization"] = f"Bearer {page.person.token}"
        else:
            cookie = self._serializer.dumps({SESSION_KEY: page.person.session})
            headers["Cookie"] = f"{self._app.config['SESSION_COOKIE_NAME']}={cookie}"
        builder = EnvironBuilder(
            page.path, method="POST" if page.body else "GET", headers=headers, json=page.body
        )
        environ = builder.get_environ()
        start, busy = time.perf_counter(), time.thread_time()
        chunks, status, answered = run_wsgi_app(self._app.wsgi_app, environ, buffered=True)
        sent = b"".join(chunks)
        wall, busy = time.perf_counter() - start, time.thread_time() - busy
        plain = gzip.decompress(sent) if answered.get("Content-Encoding") == "gzip" else sent
        if status.startswith("302"):
            return self.call(replace(page, path=answered["Location"]))
        if not status.startswith("200"):
            raise RuntimeError(f"{page.path}: {status} {plain.decode()[:300]}")
        return Answer(wall * 1000, busy * 1000, plain.decode(), len(sent))


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that this thread sends to the business database."""
    statements: list[str] = []
    here = threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == here and not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def pages_of(world: World, call: Callable[[Page], str]) -> list[Page]:
    """Return the pages: each as people see it, the same over the API where it differs, and for other readers."""
    official, typical, programme = world.official, world.people["typical"], world.programmes[3]
    label = world.policy.marking(world.labels[1]).replace(" ", "+")
    held = set(held_nations(world.policy))
    rarest = next(item for item in reversed(world.labels) if held.intersection(item.values("Releasable To")))
    rare = world.policy.marking(rarest)

    def words(text: str) -> str:
        return world.runtime.documents._cursors.write("query", official.id, text)

    pages = [
        Page("home, typical official", "/", typical),
        Page("home, official of everything", "/", official),
        Page("home, partner", "/", world.partner),
        Page("list", "/documents", official),
        Page("list, typical official", "/documents", typical),
        Page("list, one programme", f"/documents?programme={programme}", official),
        Page("list, one label", f"/documents?label={label}", official),
        Page("list, a rare label", f"/documents?label={rare.replace(' ', '+')}", official),
        Page(
            "list, programme and label, by size",
            f"/documents?programme={programme}&label={label}&sort=-size",
            official,
        ),
        *(
            Page(f"list by {sort}", f"/documents?sort={sort}", official)
            for sort in ("size", "label", "due", "programme")
        ),
        Page("list, largest first", "/documents?sort=-size", official),
        Page("list, API, 200 items", "/api/v1/documents?limit=200", official),
        Page("list, reader of one programme", "/documents", world.people["narrow"]),
        Page("list by size, reader of one programme", "/documents?sort=size", world.people["narrow"]),
        Page("list, partner", "/documents", world.partner),
        Page("search, common word", f"/documents?q={words(COMMON)}", official),
        Page("search, rare word", f"/documents?q={words(RARE)}", official),
        Page("search, no such word", f"/documents?q={words('xyzzy')}", official),
        Page("search, API", "/api/v1/documents/search", official, {"q": COMMON}),
        Page("sending, partner", "/send", world.partner),
        Page("people, officer", "/officer/people", world.people["officer"]),
        Page("person of 500 programmes, officer", f"/officer/people/{official.id}", world.people["officer"]),
        Page("accounts, administrator", "/administration/people", world.people["administrator"]),
        Page("organisations, administrator", "/administration/organisations", world.people["administrator"]),
        Page("programmes, administrator", "/administration/programmes", world.people["administrator"]),
        Page("timeline, auditor", "/audit", world.people["auditor"]),
        Page("timeline of a person, auditor", f"/audit?person={official.id}", world.people["auditor"]),
        Page("timeline, denials, auditor", "/audit?decision=deny", world.people["auditor"]),
    ]
    following = json.loads(call(Page("", "/api/v1/documents", official)))
    pages.append(Page("next page", f"/documents?cursor={following['next']}", official))
    deep = following
    for _ in range(20):
        deep = json.loads(call(Page("", f"/api/v1/documents?limit=200&cursor={deep['next']}", official)))
    pages.append(Page("page 80", f"/documents?cursor={deep['next']}", official))
    pages.append(Page("document", f"/documents/{following['items'][0]['id']}", official))
    return pages


def measure(world: World, rounds: int) -> list[Figure]:
    """Return each page's median, with p99, the thread's own time, queries and size beside it."""
    client = Client(create_app(world.runtime))
    figures: list[Figure] = []
    p99, queries, sizes = [], [], []
    for page in pages_of(world, lambda page: client.call(page).text):
        for _ in range(WARM):
            client.call(page)
        with counted(world.runtime.database.engine) as statements:
            answer = client.call(page)
        answers = [client.call(page) for _ in range(rounds)]
        p99.append(quantile([one.wall for one in answers], 0.99))
        queries.append(len(statements))
        sizes.append(0.0 if page.path.startswith("/api/") else answer.sent / 1000)
        busy = median([one.busy for one in answers])
        note = f"p99 {p99[-1]:6.1f}, own {busy:5.1f} ms, {queries[-1]:2} queries, {sizes[-1]:5.1f} kB"
        figures.append(Figure(page.name, median([one.wall for one in answers]), "ms", MEDIAN_MS, note=note))
    figures.append(Figure("p99 of the slowest page", max(p99), "ms", P99_MS))
    figures.append(Figure("most queries of a page", max(queries), "", QUERIES))
    figures.append(Figure("largest page as sent", max(sizes), "kB", KILOBYTES))
    return figures


def run(folder: Path, size: Size, rounds: int, *, database_url: str = "") -> list[Figure]:
    """Build a world of this size in `folder` and measure its pages."""
    start = time.perf_counter()
    world = build(folder, size, database_url=database_url)
    print(f"{size.documents:,} documents, {size.programmes} programmes, {size.labels:,} labels, ", end="")
    print(f"{size.people:,} people, {size.records:,} records of the log: ", end="")
    print(f"made in {time.perf_counter() - start:.0f} s; {machine()}", flush=True)
    try:
        return measure(world, rounds)
    finally:
        world.runtime.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a world of 100,000 documents")
    parser.add_argument("--in", dest="folder", type=Path, help="a world that bench.world left")
    parser.add_argument("--rounds", type=int, default=100)
    chosen = parser.parse_args()
    if chosen.folder:
        world = open_world(chosen.folder)
        print(f"{chosen.folder}; {machine()}")
        show(measure(world, chosen.rounds))
        world.runtime.close()
        return
    size = Size(people=1_000, records=10_000) if chosen.small else FULL
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        print("SQLite: ", end="")
        show(run(Path(name) / "sqlite", size, chosen.rounds))
        if program("initdb") is None:
            print("PostgreSQL is not installed, so it was not measured.")
            return
        with served() as url:
            print("PostgreSQL: ", end="")
            show(run(Path(name) / "postgresql", size, chosen.rounds, database_url=url))


if __name__ == "__main__":
    main()
