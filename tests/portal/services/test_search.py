"""Searching titles: everything that matches and is within reach, in order, page by page, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.titlepack import PackEntry
from portal import models
from portal.jobs.warming import Warming
from portal.models.base import microseconds
from portal.services import document_search
from portal.services.document_rows import SORTS
from portal.services.document_views import DocumentFilter
from portal.services.titles import Titles
from tests.portal import factories
from tests.portal.attack import actor, clock_of, open_copy, queries, send, sql
from tests.portal.worlds import BEGINNING, World

MANY = 30


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Thirty documents in two programmes, by turns, each an hour newer than the one before."""
    world = open_copy(tmp_path_factory.mktemp("search") / "copy")
    database, first = world.runtime.database, world.programme
    second = factories.add_programme(database, world.organisation, name="Second")
    for who in ("partner", "official", "other"):
        factories.add_membership(database, world.people[who], second, start=BEGINNING)
    for number in range(MANY):
        world.programme = (first, second)[number % 2]
        label = "NATO SECRET" if number % 3 else "NATO RESTRICTED"
        send(world, b"x" * (number * 7 % 11 + 1), title=f"Harbour report {number:02}", label=label)
        clock_of(world).move(hours=1)
    world.programme = first
    yield world
    world.runtime.close()


def pages(world: World, who: str, limit: int = 7, **wanted: str) -> list[str]:
    """Return the titles of a search, page by page."""
    found: list[str] = []
    cursor, filters = None, DocumentFilter(**{"text": "harbour", **wanted})  # type: ignore[arg-type]
    while True:
        page = world.runtime.documents.find(actor(world, who), filters, cursor, limit)
        found += [item.title for item in page.items]
        cursor = page.next
        if cursor is None:
            return found


def test_pages_lead_through_all_programmes_newest_first_or_oldest(world: World) -> None:
    expected = [f"Harbour report {number:02}" for number in range(MANY)]
    assert pages(world, "official", sort="created") == expected
    assert pages(world, "official", sort="-created") == expected[::-1]


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_of_a_search_is_that_of_the_list(world: World, sort: str) -> None:
    assert pages(world, "official", sort=sort) == pages(world, "official", sort=sort, text="")


def test_filters_narrow_a_search(world: World) -> None:
    restricted = [f"Harbour report {number:02}" for number in range(0, MANY, 3)][::-1]
    assert pages(world, "official", label="NATO RESTRICTED") == restricted
    assert (
        pages(world, "official", programme=world.programme)
        == [f"Harbour report {number:02}" for number in range(0, MANY, 2)][::-1]
    )
    assert pages(world, "official", text="report 07") == ["Harbour report 07"]
    assert pages(world, "restricted") == [title for title in restricted if int(title[-2:]) % 2 == 0]
    assert pages(world, "other") == []


def test_a_search_among_very_many_finds_all_of_ones_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_search, "_FIRST", 2)
    assert len(pages(world, "official", limit=5, originator=world.company)) == MANY
    assert len(pages(world, "partner", limit=5)) == MANY


def test_more_matches_than_are_counted_are_said_to_be_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    official, wanted = actor(world, "official"), DocumentFilter(text="harbour")
    found = world.runtime.documents.overview(official, wanted, None, 5)
    assert (found.total, found.exact) == (MANY, True)
    monkeypatch.setattr(document_search, "MOST_FOUND", 10)
    found = world.runtime.documents.overview(official, wanted, None, 5)
    assert (found.total, found.exact) == (10, False)
    monkeypatch.setattr(document_search, "MOST_SORTED", 8)
    assert len(pages(world, "official", sort="-size")) == 8


def test_a_search_asks_as_often_however_many_match(world: World) -> None:
    pages(world, "official")
    asked = []
    for text in ("harbour", "harbour report 07", "report"):
        with queries(world) as statements:
            world.runtime.documents.find(actor(world, "official"), DocumentFilter(text=text), None, 5)
        asked.append(len(statements))
    assert len(set(asked)) == 1


def test_packs_are_read_at_the_start_and_only_what_was_appended_is_read_again(world: World) -> None:
    titles = Titles(world.runtime.titles._ring)
    warming = Warming(titles, world.runtime.database)
    warming.start()
    warming._thread.join(60)
    warming.stop()
    found = list(titles.search([world.programme], _labels(world), "harbour"))
    assert len(found) == MANY / 2
    with queries(world) as asked, world.runtime.database.read() as session:
        titles.follow(session, [world.programme])
    assert not any("title_pieces.piece" in one for one in asked)


def test_memory_is_bounded_and_what_was_let_go_is_read_again(world: World) -> None:
    with world.runtime.database.read() as session:
        programmes = list(session.scalars(models.TitlePiece.__table__.select().distinct()).all())
    ids = sorted(set(programmes))
    titles = Titles(world.runtime.titles._ring, most=1)
    for programme in (*ids, *ids):
        with world.runtime.database.read() as session:
            titles.follow(session, [programme])
        assert list(titles._packs) == [programme]
        assert len(list(titles.search([programme], _labels(world), "harbour"))) == MANY / 2
    titles.warm(world.runtime.database, threading.Event())
    assert len(titles._packs) == 1


def test_a_title_whose_piece_does_not_say_when_is_placed_by_its_document(tmp_path: Path) -> None:
    world = open_copy(tmp_path / "copy")
    try:
        old = send(world, b"Old", title="Harbour, old")
        clock_of(world).move(hours=1)
        send(world, b"New", title="Harbour, new")
        with world.runtime.database.read() as session:
            document = session.get_one(models.Document, old)
            placed = (microseconds(document.created), old)
            entry = PackEntry(old, document.label_digest, document.title)
        sql(world, "DELETE FROM title_pieces WHERE number = 1")
        with world.runtime.database.write() as session:
            world.runtime.titles.add(session, world.programme, entry)
        titles = Titles(world.runtime.titles._ring)
        with world.runtime.database.read() as session:
            titles.follow(session, [world.programme])
        assert list(titles.search([world.programme], _labels(world), "harbour"))[-1] == placed
    finally:
        world.runtime.close()


def _labels(world: World) -> frozenset[bytes]:
    with world.runtime.database.read() as session:
        return frozenset(
            session.scalars(
                models.LabelRecord.__table__.select().with_only_columns(models.LabelRecord.digest)
            )
        )
