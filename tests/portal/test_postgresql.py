"""The portal with its business data in PostgreSQL: the same answers as on SQLite, and the same care among writers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from bench.postgresql import PLACES, served
from portal import models
from portal.audit import Event
from portal.clock import system_clock
from portal.errors import Unavailable
from portal.models.database import Database, make_engine
from portal.services.document_rows import SORTS
from portal.services.rotations import KINDS
from tests.portal.worlds import World, build_world
from tests.services import require_program

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A whole installation on a server of its own; its tests add to it."""
    require_program("initdb", places=PLACES)
    with served() as url:
        built = build_world(tmp_path_factory.mktemp("postgresql") / "data", database_url=url)
        yield built
        built.runtime.close()


def listed(world: World, who: str, query: str = "") -> list[str]:
    """Return the ids of a list, page by page."""
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = world.get(f"/documents?limit=2{query}{cursor and '&cursor=' + cursor}", who).json
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
    return found


def test_a_document_is_deposited_found_and_read_by_clearance(world: World) -> None:
    document = world.deposited(b"On PostgreSQL", title="Quay drawings", label="NATO SECRET")
    assert world.get(f"/documents/{document}/content", "official").data == b"On PostgreSQL"
    assert world.get(f"/documents/{document}/content", "restricted").status_code == 404
    found = world.client.post(
        "/api/v1/documents/search", json={"q": "quay draw"}, headers=world.headers("official")
    )
    assert [item["id"] for item in found.json["items"]] == [document]


def test_every_order_pages_through_everything_once(world: World) -> None:
    for number in range(3):
        world.deposited(b"x" * (number + 1), label="NATO RESTRICTED")
    whole = set(listed(world, "official"))
    assert len(whole) >= 3
    for sort in SORTS:
        ids = listed(world, "official", f"&sort={sort}")
        assert len(ids) == len(set(ids))
        assert set(ids) == whole, sort


def test_writers_at_the_same_time_lose_nothing(world: World) -> None:
    before = len(listed(world, "official"))

    def deposit(number: int) -> int:
        client = world.app.test_client()
        return client.post(
            f"/api/v1/documents?programme={world.programme}&label=NATO+RESTRICTED",
            data=b"raced",
            content_type="application/octet-stream",
            headers=world.headers(
                "partner",
                **{
                    "Strongroom-Title": f"Raced {number}",
                    "Content-Disposition": f"attachment; filename=raced{number}.txt",
                },
            ),
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(deposit, range(16))) == [201] * 16
    assert len(listed(world, "official")) == before + 16
    with world.runtime.database.read() as session:
        assert session.scalar(select(func.sum(models.Counter.number))) == before + 16
        assert session.scalar(select(func.sum(models.TitlePiece.entries))) == before + 16


@contextmanager
def edited(world: World, document: str, column: str) -> Iterator[None]:
    """Add one to a number of a document's head behind the portal's back; afterwards it is as before."""

    def add(step: int) -> None:
        with world.runtime.database.engine.begin() as connection:
            change = f"UPDATE documents SET {column} = {column} + {step} WHERE id = :id"
            connection.execute(text(change), {"id": document})

    add(1)
    try:
        yield
    finally:
        add(-1)


def test_a_row_that_was_edited_behind_the_portal_is_left_out_and_recorded(world: World) -> None:
    document = world.deposited(label="NATO RESTRICTED")
    with edited(world, document, "label_rank"):
        assert document not in listed(world, "official")
    assert world.records(action="tamper.detected")[-1]["details"]["row"] == document


def test_a_reading_session_sees_one_state_and_cannot_write(world: World) -> None:
    count = select(func.count()).select_from(models.Document)
    with world.runtime.database.read() as session:
        before = session.scalar(count)
        world.deposited()
        assert session.scalar(count) == before
        with pytest.raises(DBAPIError, match="read-only"):
            session.execute(text("DELETE FROM uploads"))


def test_a_connection_that_the_server_closed_is_replaced(world: World) -> None:
    with world.runtime.database.engine.begin() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    assert world.get("/documents", "official").status_code == 200


def test_a_server_that_is_not_there_is_unavailable(world: World, tmp_path: Path) -> None:
    engine = make_engine(f"postgresql://postgres@/postgres?host={tmp_path}")
    database = Database(engine, world.runtime.database.seals)
    with pytest.raises(Unavailable, match="database does not answer"), database.read() as session:
        session.scalar(select(models.Document.id))


def test_keys_of_every_kind_are_rotated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.deposited(b"Under a new key")
    runtime = world.runtime
    rotations = runtime.rotations
    ordered = [
        rotations.order(kind, domain, Event(action="keys.rotate"))
        for kind in KINDS
        for domain in (runtime.keys.domains() if kind == "kek" else ("",))
        if kind != "binding"
    ]
    for hours in (1, 2):
        later = timedelta(hours=hours)
        monkeypatch.setattr(rotations, "_clock", lambda later=later: system_clock() + later)
        rotations.work()
    assert {(view.state, view.failed) for view in map(rotations.one, ordered)} == {("done", 0)}
    assert {key.state for key in runtime.ring.stored() if key.kind == "kek"} == {"active", "retired"}
    assert not [found for unit in runtime.fsck.plan() for found in runtime.fsck.check(unit).findings]
    assert world.get(f"/documents/{document}/content", "official").data == b"Under a new key"


def test_a_check_of_everything_holds_and_names_what_was_edited(world: World) -> None:
    document = world.deposited(b"checked on PostgreSQL")
    fsck = world.runtime.fsck
    units = [unit for unit in fsck.plan() if not unit.startswith("documents:")]
    units.append(f"documents:{document[:2]}")
    damaged = {
        found.place for unit in units for found in fsck.check(unit).findings if document in found.place
    }
    assert damaged == set()
    with edited(world, document, "size"):
        findings = fsck.check(f"documents:{document[:2]}").findings
    assert f"document {document}" in {found.place for found in findings if found.kind == "row"}
