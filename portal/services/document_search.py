"""Searching titles: the packs say which documents match, in order of time; the database says which of them are shown.

A search by time looks only as far as a page needs, however many match, and its pages lead through all of them. In any
other order the newest matches are sorted, MOST_SORTED at most.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from crypto.titlepack import Match
from portal.models.base import microseconds
from portal.models.listed import one_of
from portal.services.counters import Within
from portal.services.document_counts import MOST_COUNTED, up_to
from portal.services.document_paths import Narrowed, Path, reached
from portal.services.document_rows import TABLE, page_query
from portal.services.document_views import DocumentFilter, ProgrammeName
from portal.services.reach import Reach
from portal.services.titles import Titles

MOST_SORTED = 2_000
"""How many of the newest matches are sorted in another order than that of time."""
MOST_FOUND = 250
"""How many matches are counted: who sees that there are more types more words."""
_MORE = 10
_FIRST = 200
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """A page's rows and one more; how many match in all, and whether that is exact (else there are more)."""

    rows: Sequence[Mapping[str, Any]]
    total: int = 0
    exact: bool = True


class TitleSearch:
    """Searches titles within somebody's reach."""

    def __init__(self, titles: Titles) -> None:
        self._titles = titles

    def page(
        self,
        session: Session,
        reach: Reach,
        within: Within,
        wanted: DocumentFilter,
        narrowed: Narrowed,
        parts: Sequence[ColumnElement[bool]],
        programmes: Sequence[ProgrammeName],
        place: Sequence[Any],
        limit: int,
        *,
        counting: bool,
    ) -> Found:
        """Return a page from `place` on (empty: the first); `counting`: and how many match, up to a bound."""
        # The counters tell where nothing of theirs is: those packs need not be looked into.
        there = [key for key in narrowed.programmes if within.by_programme.get(key)]
        labels = frozenset(reach.digests)
        if len(narrowed.labels) < len(reach.labels):
            some = {reach.labels[row_id] for row_id in narrowed.labels}
            labels = frozenset(digest for digest, label in reach.digests.items() if label in some)
        self._titles.follow(session, there)
        since = max((microseconds(time) for time in (wanted.since, wanted.received) if time), default=0)
        within_reach = and_(reached(reach, narrowed, Path.FOUND), *parts)

        def matches(*, newest: bool = True, beyond: Match | None = None) -> Iterator[Match]:
            found = self._titles.search(there, labels, wanted.text or "", newest=newest, beyond=beyond)
            if newest:
                return itertools.takewhile(lambda match: match[0] >= since, found)
            return (match for match in found if match[0] >= since)

        if wanted.sort.removeprefix("-") != "created":
            found = list(itertools.islice(matches(), MOST_SORTED + 1))
            condition = and_(within_reach, one_of(TABLE.c.id, [match[1] for match in found[:MOST_SORTED]]))
            order = {item.id: number for number, item in enumerate(programmes) if item.id in there}
            query = page_query(condition, wanted.sort, order, place, limit, gathered=True)
            if counting:
                query = query.add_columns(up_to(condition).label("total"))
            rows = [dict(row) for row in session.execute(query).mappings()]
            return found_rows(rows, most=MOST_FOUND, whole=len(found) <= MOST_SORTED)
        newest = wanted.sort == "-created"
        left = matches(newest=newest, beyond=(place[0], place[1]) if place else None)
        counted, whole = None, True
        if counting:
            # Where documents of others match too, more of them have to be looked at to find as many of one's own.
            most = MOST_FOUND + 1 if narrowed.originator is None else 4 * MOST_FOUND
            begun = matches() if place else left
            found = list(itertools.islice(begun, most))
            counted = and_(within_reach, one_of(TABLE.c.id, [match[1] for match in found]))
            whole = len(found) < most
            left = left if place else itertools.chain(found, left)
        return found_rows(
            self._by_time(session, within_reach, wanted, left, limit, counted), most=MOST_FOUND, whole=whole
        )

    def _by_time(
        self,
        session: Session,
        within_reach: ColumnElement[bool],
        wanted: DocumentFilter,
        left: Iterator[Match],
        limit: int,
        counted: ColumnElement[bool] | None,
    ) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        size = max(_FIRST, limit + 1)
        # Mostly all that match are within reach, and the first of them fill the page.
        while len(rows) <= limit and (some := list(itertools.islice(left, size))):
            condition = and_(within_reach, one_of(TABLE.c.id, [match[1] for match in some]))
            query = page_query(condition, wanted.sort, {}, (), limit - len(rows), gathered=True)
            if counted is not None:
                query, counted = query.add_columns(up_to(counted).label("total")), None
            fresh = [dict(row) for row in session.execute(query).mappings()]
            rows += [
                {"total": rows[0]["total"], **row} if rows and "total" in rows[0] else row for row in fresh
            ]
            size = min(size * _MORE, _AT_ONCE)
        return rows


def found_rows(rows: Sequence[Mapping[str, Any]], *, most: int = MOST_COUNTED, whole: bool = True) -> Found:
    """Return a page of rows; how many there are stands in each as `total`, where it was counted; `whole`: of all."""
    total = rows[0].get("total", 0) if rows else 0
    return Found(rows, min(total, most), total <= most and whole)
