"""Pages of a large portal, timed in the WSGI application: `python -m bench.pages [DOCUMENTS [PROGRAMMES [LABELS]]]`."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.crowd import held_nations
from bench.figures import Figure, machine, median, quantile, show
from bench.world import COMMON, RARE, Person, Size, World, build
from portal.app import create_app
from portal.http.identify import SESSION_KEY

MEDIAN_MS, P99_MS, QUERIES = 50.0, 150.0, 12
WARM = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A request that is measured."""

    name: str
    path: str
    person: Person
    body: Any = None


class Client:
    """Calls the application as a server would, without one."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]

    def call(self, page: Page) -> tuple[float, str]:
        """Return how many milliseconds one answer took, and the answer."""
        if page.path.startswith("/api/"):
            headers = {"Authorization": f"Bearer {page.person.token}"}
        else:
            cookie = self._serializer.dumps({SESSION_KEY: page.person.session})
            headers = {"Cookie": f"{self._app.config['SESSION_COOKIE_NAME']}={cookie}"}
        builder = EnvironBuilder(
            page.path, method="POST" if page.body else "GET", headers=headers, json=page.body
        )
        environ = builder.get_environ()
        start = time.perf_counter()
        chunks, status, _ = run_wsgi_app(self._app.wsgi_app, environ, buffered=True)
        answer = b"".join(chunks).decode()
        took = (time.perf_counter() - start) * 1000
        if not status.startswith("200"):
            raise RuntimeError(f"{page.path}: {status} {answer[:300]}")
        return took, answer


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
    official, programme = world.official, world.programmes[3]
    label = world.policy.marking(world.labels[1]).replace(" ", "+")
    held = set(held_nations(world.policy))
    rarest = next(item for item in reversed(world.labels) if held.intersection(item.values("Releasable To")))
    rare = world.policy.marking(rarest)
    pages = [
        Page("list", "/documents", official),
        Page("list, one programme", f"/documents?programme={programme}", official),
        Page("list, one label", f"/documents?label={label}", official),
        Page("list, a rare label", f"/documents?label={rare.replace(' ', '+')}", official),
        *(
            Page(f"list by {sort}", f"/documents?sort={sort}", official)
            for sort in ("size", "label", "due", "programme")
        ),
        Page("list, largest first", "/documents?sort=-size", official),
        Page("list, API, 200 items", "/api/v1/documents?limit=200", official),
        Page("list, reader of one programme", "/documents", world.people["narrow"]),
        Page("list by size, reader of one programme", "/documents?sort=size", world.people["narrow"]),
        Page("list, partner", "/documents", world.partner),
        Page("search, common word", "/api/v1/documents/search", official, {"q": COMMON}),
        Page("search, rare word", "/api/v1/documents/search", official, {"q": RARE}),
        Page("search, no such word", "/api/v1/documents/search", official, {"q": "xyzzy"}),
    ]
    following = json.loads(call(Page("", "/api/v1/documents", official)))
    pages.insert(1, Page("next page", f"/documents?cursor={following['next']}", official))
    deep = following
    for _ in range(20):
        deep = json.loads(call(Page("", f"/api/v1/documents?limit=200&cursor={deep['next']}", official)))
    pages.insert(2, Page("page 80", f"/documents?cursor={deep['next']}", official))
    pages.append(Page("document", f"/documents/{following['items'][0]['id']}", official))
    return pages


def measure(world: World, rounds: int) -> list[Figure]:
    """Return each page's median, with p99 and the number of queries beside it."""
    client = Client(create_app(world.runtime))
    figures, slowest, most = [], 0.0, 0
    for page in pages_of(world, lambda page: client.call(page)[1]):
        for _ in range(WARM):
            client.call(page)
        with counted(world.runtime.database.engine) as statements:
            client.call(page)
        times = [client.call(page)[0] for _ in range(rounds)]
        p99 = quantile(times, 0.99)
        note = f"p99 {p99:6.1f} ms, {len(statements):2} queries"
        figures.append(Figure(page.name, median(times), "ms", MEDIAN_MS, note=note))
        slowest, most = max(slowest, p99), max(most, len(statements))
    figures.append(Figure("p99 of the slowest page", slowest, "ms", P99_MS))
    figures.append(Figure("most queries of a page", most, "", QUERIES))
    return figures


def run(size: Size, rounds: int = 100) -> list[Figure]:
    """Build a world of this size in a folder of its own, measure its pages, and remove it."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        start = time.perf_counter()
        world = build(Path(folder) / "data", size)
        print(f"{size.documents:,} documents, {size.programmes} programmes, {size.labels} labels ", end="")
        print(f"made in {time.perf_counter() - start:.0f} s; {machine()}", flush=True)
        try:
            return measure(world, rounds)
        finally:
            world.runtime.close()


def main() -> None:
    values = [int(value) for value in sys.argv[1:]]
    show(run(Size(*values)))


if __name__ == "__main__":
    main()
