"""What attacks on the portal share: quick copies of one world, browsers, counted queries, views of answers."""

from __future__ import annotations

import atexit
import dataclasses
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.http.identify import SESSION_KEY
from portal.identity import totp
from portal.services.actor import Actor
from portal.services.runtime import open_portal
from tests.portal.factories import PASSWORD, SettableClock
from tests.portal.worlds import World, build_world

NOWHERE = "00000000-0000-4000-8000-000000000000"
NOT_IDS = (
    "not-an-id",
    "%00",
    "..%5C..",
    "%E2%80%AE",
    "a" * 2000,
    "'%20OR%201=1--",
    "%FF%FE",
    NOWHERE.upper(),
)


_RANDOM = re.compile(rb'(nonce="|name="csrf_token" value="|name="csrf-token" content=")[^"]*')


@cache
def _template() -> World:
    folder = Path(tempfile.mkdtemp(prefix="strongroom-world-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    built = build_world(folder / "data")
    built.runtime.close()
    return built


def open_copy(folder: Path, **settings: Any) -> World:
    """Open a copy of the one world in `folder`, at a clock that a test can move (`clock_of`)."""
    template = _template()
    shutil.copytree(template.runtime.settings.data, folder)
    return reopen(dataclasses.replace(template, runtime=template.runtime), folder, **settings)


def reopen(world: World, folder: Path | None = None, **settings: Any) -> World:
    """Open a world's folder as a new process would: nothing is left in memory of the former one."""
    data = folder or world.runtime.settings.data
    clock = SettableClock(datetime.now(UTC)) if folder else world.runtime.clock
    chosen = dataclasses.replace(world.runtime.settings, data=data, **settings)
    runtime = open_portal(chosen, clock)
    app = create_app(runtime)
    return dataclasses.replace(world, runtime=runtime, app=app, client=app.test_client())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A whole installation of its own for one test."""
    copy = open_copy(tmp_path / "data")
    yield copy
    copy.runtime.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One installation for all tests of a module that leave it as they found it (apart from its log)."""
    copy = open_copy(tmp_path_factory.mktemp("shared") / "data")
    yield copy
    copy.runtime.close()


def clock_of(world: World) -> SettableClock:
    """Return the clock of an opened copy."""
    assert isinstance(world.runtime.clock, SettableClock)
    return world.runtime.clock


def actor(world: World, who: str) -> Actor:
    """Return somebody as services know them, signed in with a second factor."""
    home = {"partner": world.company, "other": world.other_company}.get(who, world.organisation)
    return Actor(world.people[who], home, 2, f"session-of-{who}")


def end_grant(world: World, table: str, who: str, *, hours: float = 1) -> None:
    """Let everything in `table` that `who` was granted end (or begin: negative) at an hour from the clock's now."""
    from portal import models

    kind = {
        "memberships": models.Membership,
        "clearances": models.ClearanceGrant,
        "role_grants": models.RoleGrant,
    }
    with world.runtime.database.write(log_entry=0) as session:
        for row in session.query(kind[table]).filter_by(person_id=world.people[who]):
            row.valid_until = world.runtime.clock() + timedelta(hours=hours)


@contextmanager
def queries(world: World) -> Iterator[list[str]]:
    """Collect the statements sent to the business database inside the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(world.runtime.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(world.runtime.database.engine, "before_cursor_execute", note)


@contextmanager
def recorded(world: World) -> Iterator[list[dict[str, Any]]]:
    """Collect the log's records that are written inside the block, oldest first."""
    log = world.runtime.log
    before = log.size()
    found: list[dict[str, Any]] = []
    yield found
    found.extend(dict(log.record(seq).fields) for seq in range(before, log.size()))


def sql(world: World, statement: str, *values: Any) -> list[Any]:
    """Run one statement on the business database behind the portal's back, as an intruder with the file would."""
    with closing(sqlite3.connect(world.runtime.settings.data / "portal.db", isolation_level=None)) as file:
        return file.execute(statement, values).fetchall()


@contextmanager
def tampered(world: World, *statements: str) -> Iterator[None]:
    """Run statements as an intruder would; afterwards every table is as it was before."""
    with closing(sqlite3.connect(world.runtime.settings.data / "portal.db", isolation_level=None)) as file:
        file.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        names = [row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        before = {name: file.execute(f"SELECT * FROM {name}").fetchall() for name in names}
        for statement in statements:
            file.execute(statement)
        try:
            yield
        finally:
            file.execute("BEGIN IMMEDIATE")
            for name, rows in before.items():
                if file.execute(f"SELECT * FROM {name}").fetchall() != rows:
                    file.execute(f"DELETE FROM {name}")
                    places = ", ".join("?" * len(rows[0])) if rows else ""
                    file.executemany(f"INSERT INTO {name} VALUES ({places})", rows)
            file.execute("COMMIT")


def send(world: World, content: bytes, *, label: str = "NATO SECRET", title: str = "A deliverable") -> str:
    """Deposit a raw body as the partner and return the document's id."""
    answer = world.client.post(
        "/api/v1/documents",
        query_string={"programme": world.programme, "label": label},
        data=content,
        headers=world.headers(
            "partner",
            **{
                "Content-Type": "application/octet-stream",
                "Content-Disposition": "attachment; filename=deliverable.bin",
                "Strongroom-Title": title,
            },
        ),
    )
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def stored(world: World) -> tuple[list[str], list[str], int, int, int]:
    """Return what a deposit could leave: blobs, unfinished files, and rows of documents, versions and uploads."""
    folder = world.runtime.settings.blob_folder
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    counts = [
        int(sql(world, f"SELECT count(*) FROM {table}")[0][0])
        for table in ("documents", "versions", "uploads")
    ]
    return [f for f in files if ".unfinished" not in f], [f for f in files if ".unfinished" in f], *counts  # type: ignore[return-value]


def seen(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return everything that an answer tells: status, headers, body, without what is random in every page."""
    headers = [(name, re.sub(r"'nonce-[^']+'", "'nonce-'", value)) for name, value in answer.headers]
    body = re.sub(
        rb'(nonce="|"inlineScriptNonce":"|name="csrf_token" value="|name="csrf-token" content=")[^"]*'
        rb"|(?<=data-request>)[0-9a-f-]{36}",
        rb"\1",
        answer.data,
    )
    return answer.status_code, headers, body


class Browser:
    """A browser with a jar of cookies; forms are posted with the token of the session."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client: FlaskClient = world.app.test_client()

    @classmethod
    def of(cls, world: World, who: str, assurance: int = 2) -> Browser:
        """Return a browser in which `who` is signed in already (a session is opened as signing in does)."""
        browser = cls(world)
        secret, _ = world.runtime.account._sessions.open(world.people[who], assurance, None, "127.0.0.1")
        with browser.client.session_transaction() as kept:
            kept[SESSION_KEY] = secret
        return browser

    def get(self, path: str, **more: Any) -> TestResponse:
        """Get a page, without following redirects."""
        return self.client.get(path, buffered=True, **more)

    def token(self, page: str = "/account") -> str:
        """Return the token that the forms of a page carry."""
        return fields(self.get(page)).get("csrf_token", "")

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, page: str = "/account", **more: Any
    ) -> TestResponse:
        """Post a form with this session's token, unless `data` has one."""
        values = {"csrf_token": self.token(page), **(data or {})}
        return self.client.post(path, data=values, buffered=True, **more)

    def sign_in(
        self, who: str, *, password: str = PASSWORD, code: str | None = None, **more: Any
    ) -> TestResponse:
        """Fill in and post the form of the sign-in page."""
        shown = self.world.totp.get(who, "")
        right = totp.code_at(shown, self.world.runtime.clock()) if shown else "000000"
        form = {"email": f"{who}@org.example", "password": password, "code": right if code is None else code}
        return self.post("/sign-in", {**form, **more}, page="/sign-in")

    def cookies(self, answer: TestResponse) -> list[str]:
        """Return the Set-Cookie headers of an answer."""
        return answer.headers.getlist("Set-Cookie")


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "input" and known.get("name"):
            self.found.setdefault(str(known["name"]), known.get("value") or "")


def fields(answer: TestResponse) -> dict[str, str]:
    """Return the inputs of a page, by name."""
    parser = _Fields()
    parser.feed(answer.get_data(as_text=True))
    return parser.found
