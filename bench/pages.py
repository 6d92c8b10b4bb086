"""Pages of a large portal, timed in the WSGI application, with their queries and their size as it is sent.

`python -m bench.pages` builds the world of `web.md` on SQLite, measures its pages, copies it into a PostgreSQL server
and measures them again; `--small` takes a small world, `--in FOLDER` one that `bench.world` left. What counts is the
processor's time, of this thread and of the database's processes, which a busy machine does not stretch as it does
the clock's; both are shown.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event, text
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.copies import to_postgresql
from bench.crowd import held_nations
from bench.figures import Figure, machine, median, quantile, show
from bench.postgresql import program, served
from bench.world import COMMON, FULL, RARE, Person, Size, World, build, open_world
from portal.app import create_app
from portal.http.identify import SESSION_KEY

MEDIAN_MS, P99_MS, QUERIES, KILOBYTES = 50.0, 150.0, 12, 30.0
BROAD_MS = 200.0
"""The limit for somebody with 10,000 programmes."""
WARM = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A request that is measured."""

    name: str
    path: str
    person: Person
    body: Any = None
    limit: float = MEDIAN_MS


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: milliseconds on the clock and of the processor, the body, and its size as it was sent."""

    wall: float
    busy: float
    text: str
    sent: int


class Backends:
    """What the processes of a PostgreSQL server on this machine take of the processor, in seconds."""

    def __init__(self, engine: Engine | None) -> None:
        self._pids: Sequence[int] = ()
        if engine is not None and engine.dialect.name == "postgresql":
            # As many as a request can need at once are connected now, and stay.
            with ExitStack() as held:
                connections = [held.enter_context(engine.connect()) for _ in range(3)]
                asked = text("SELECT pg_backend_pid()")
                self._pids = [int(connection.scalar(asked) or 0) for connection in connections]

    def busy(self) -> float:
        """Return their time so far; nothing without any, or where Linux does not tell."""
        return sum(_on_processor(pid) for pid in self._pids)


def _on_processor(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


class Client:
    """Calls the application as a server would, without one."""

    def __init__(self, app: Flask, backends: Backends | None = None) -> None:
        self._app = app
        self._backends = backends or Backends(None)
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
        start, busy = time.perf_counter(), time.thread_time() + self._backends.busy()
        chunks, status, answered = run_wsgi_app(self._app.wsgi_app, environ, buffered=True)
        sent = b"".join(chunks)
        wall, busy = time.perf_counter() - start, time.thread_time() + self._backends.busy() - busy
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
    broad = world.people["broad"]
    label = world.policy.marking(world.labels[1]).replace(" ", "+")
    held = set(held_nations(world.policy))
    rarest = next(item for item in reversed(world.labels) if held.intersection(item.values("Releasable To")))
    rare = world.policy.marking(rarest)

    def words(text: str, person: Person = official) -> str:
        return world.runtime.documents._cursors.write("query", person.id, text)

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
        Page("search, two words", f"/documents?q={words('radar sonar')}", official),
        Page("search, a number", f"/documents?q={words('report 4711')}", official),
        Page("search, oldest first", f"/documents?q={words(COMMON)}&sort=created", official),
        Page("search, by size", f"/documents?q={words(COMMON)}&sort=-size", official),
        Page("search, in a programme", f"/documents?q={words(COMMON)}&programme={programme}", official),
        Page("search, typical official", f"/documents?q={words(COMMON, typical)}", typical),
        Page("search, partner", f"/documents?q={words(COMMON, world.partner)}", world.partner),
        Page("search, API", "/api/v1/documents/search", official, {"q": COMMON}),
        *(
            Page(f"{name}, 10,000 programmes", path, broad, limit=BROAD_MS)
            for name, path in (
                ("list", "/documents"),
                ("list by programme", "/documents?sort=programme"),
                ("search", f"/documents?q={words(COMMON, broad)}"),
            )
        ),
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
    """Return each page's processor time at the median, with its p99, the clock's, queries and size beside it."""
    client = Client(create_app(world.runtime), Backends(world.runtime.database.engine))
    start, busy = time.perf_counter(), time.thread_time()
    world.runtime.titles.warm(world.runtime.database, threading.Event())
    read, clock = time.thread_time() - busy, time.perf_counter() - start
    figures = [
        Figure("reading every title, at the start of a server", read, "s", note=f"clock {clock:.1f} s")
    ]
    p99, queries, sizes = [], [], []
    for page in pages_of(world, lambda page: client.call(page).text):
        for _ in range(WARM):
            client.call(page)
        with counted(world.runtime.database.engine) as statements:
            answer = client.call(page)
        answers = [client.call(page) for _ in range(rounds)]
        p99.append(quantile([one.busy for one in answers], 0.99))
        clocked = [one.wall for one in answers]
        queries.append(len(statements))
        sizes.append(0.0 if page.path.startswith("/api/") else answer.sent / 1000)
        note = f"p99 {p99[-1]:6.1f}, clock {median(clocked):6.1f} and {quantile(clocked, 0.99):6.1f} ms, "
        note += f"{queries[-1]:2} queries, {sizes[-1]:5.1f} kB"
        figures.append(Figure(page.name, median([one.busy for one in answers]), "ms", page.limit, note=note))
        if page.limit != MEDIAN_MS:
            p99.pop()
    figures.append(Figure("p99 of the slowest page", max(p99), "ms", P99_MS))
    figures.append(Figure("most queries of a page", max(queries), "", QUERIES))
    figures.append(Figure("largest page as sent", max(sizes), "kB", KILOBYTES))
    return figures


def run(
    folder: Path, size: Size, rounds: int, *, source: Path | None = None, database_url: str = ""
) -> list[Figure]:
    """Make a world of this size in `folder` (on PostgreSQL: a copy of that in `source`) and measure its pages."""
    start = time.perf_counter()
    if source is None:
        world = build(folder, size)
    else:
        to_postgresql(source, folder, database_url)
        world = open_world(folder)
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
    parser.add_argument("--rounds", type=int, default=40)
    chosen = parser.parse_args()
    if chosen.folder:
        world = open_world(chosen.folder)
        print(f"{chosen.folder}; {machine()}")
        show(measure(world, chosen.rounds))
        world.runtime.close()
        return
    begun = time.perf_counter()
    size = Size(people=1_000, records=10_000, idle=200) if chosen.small else FULL
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        print("SQLite: ", end="")
        show(run(Path(name) / "sqlite", size, chosen.rounds))
        if program("initdb") is None:
            print("PostgreSQL is not installed, so it was not measured.")
            return
        with served() as url:
            print("PostgreSQL: ", end="")
            source = Path(name) / "sqlite"
            show(run(Path(name) / "postgresql", size, chosen.rounds, source=source, database_url=url))
    print(f"All of it took {(time.perf_counter() - begun) / 60:.0f} minutes.")


if __name__ == "__main__":
    main()
