"""How the database finds the documents of a list: along the list's order, or by what few documents have.

Which is faster depends on how much of everything is within reach: a walk along the order meets a page's rows soon
where much is, and reads everything where little is. SQLite cannot know, so it is told; PostgreSQL has statistics.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, or_

from policies import requests as rq
from portal.models.listed import hidden, one_of
from portal.services.counters import Counters, Within
from portal.services.document_rows import TABLE
from portal.services.document_views import DocumentFilter, ProgrammeName
from portal.services.reach import Reach

_SORTING = 3
"""How much dearer it is to gather a row and sort it than to pass over one in order."""
_MANY = 100


class Path(Enum):
    """What an index is used for."""

    ORDER = "order"
    PROGRAMME = "programme"
    LABEL = "label"
    ORIGINATOR = "originator"
    FOUND = "found"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What a list is narrowed to, within reach; `originator` alone when nothing else can be met."""

    programmes: Collection[str]
    labels: Collection[int]
    originator: str | None


def choose(counters: Counters, within: Within, wanted: DocumentFilter, narrowed: Narrowed, rows: int) -> Path:
    """Return the path on which the fewest rows are read for a page of `rows` rows."""
    total = max(1, counters.total)
    met = within.of(wanted.programme, narrowed.labels if wanted.label else None, narrowed.originator)
    share = max(met, 1) / total
    in_order = wanted.sort.removeprefix("-") == "created"
    gathered = {
        Path.PROGRAMME: (counters.of_programmes(narrowed.programmes), len(narrowed.programmes)),
    }
    if len(narrowed.labels) <= _MANY:
        gathered[Path.LABEL] = (counters.of_labels(narrowed.labels), len(narrowed.labels))
    if narrowed.originator is not None:
        gathered[Path.ORIGINATOR] = (counters.of_originator(narrowed.originator), 1)
    costs = {Path.ORDER: rows / share}
    for path, (read, lists) in gathered.items():
        costs[path] = float(read * _SORTING)
        if in_order:
            # These indexes have the order within each of their values: a page's rows of each are enough.
            costs[path] = min(costs[path], lists * rows * read / max(met, 1))
    return min(costs, key=lambda path: costs[path])


def first_programmes(
    order: Sequence[ProgrammeName],
    wanted: Collection[str],
    begin: Sequence[Any],
    within: Within,
    rows: int,
) -> Iterator[Sequence[str]]:
    """Yield the programmes that a page sorted by programme looks into: the first that fill it, then all that remain
    and have anything within reach.

    `begin` is the place in the order where the page begins, whose first value is the programme's in `order`.
    """
    there = order[int(begin[0]) if begin else 0 :]
    left = [one.id for one in there if one.id in wanted and within.by_programme.get(one.id)]
    some: list[str] = []
    number = 0
    for programme in left:
        some.append(programme)
        number += within.by_programme.get(programme, 0)
        # One more than needed: the first may be half behind the place where the page begins.
        if number >= rows and len(some) > 1:
            break
    if len(some) < len(left):
        yield some
    yield left


def reached(reach: Reach, narrowed: Narrowed, path: Path) -> ColumnElement[bool]:
    """Return the condition that a document is within reach and within what is wanted, to be met on `path`."""

    def seen(column: Column[Any], where: Path) -> ColumnElement[Any]:
        return column if path is where else hidden(column)

    columns = TABLE.c
    # What is delivered to the organisation, or released to the person.
    theirs = hidden(columns.addressee_id) == reach.organisation_id
    if reach.released:
        theirs = or_(theirs, one_of(hidden(columns.id), reach.released))
    if narrowed.originator is not None:
        ours = seen(columns.originator_id, Path.ORIGINATOR) == narrowed.originator
        if narrowed.originator != reach.organisation_id:
            ours = and_(ours, theirs)
    else:
        ours = or_(hidden(columns.originator_id) == reach.organisation_id, theirs)
    return and_(
        one_of(seen(columns.programme_id, Path.PROGRAMME), narrowed.programmes),
        one_of(seen(columns.label_id, Path.LABEL), narrowed.labels),
        ours,
        columns.state == rq.DocumentState.RECEIVED.value,
    )
