"""How many documents stand behind a list: added up from the counters, never counted row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from policies import requests as rq
from portal import models
from portal.services.document_rows import TABLE, Reach
from portal.services.document_views import Originator

MOST_COUNTED = 1_000
"""Where no counter helps (a search, a span of time), counting ends here."""
_MOST_ORIGINATORS = 200
_NEW = -1


@dataclass(frozen=True, slots=True)
class Counted:
    """The counters within a person's reach, as (programme, label's row, originator, number), and what is new.

    `fresh` is programme id → number of documents that others sent since the last visit, at most MOST_COUNTED in all.
    """

    rows: Sequence[tuple[str, int, str, int]] = ()
    fresh: Mapping[str, int] = field(default_factory=dict)

    def by_programme(self) -> Mapping[str, int]:
        """Return programme id → number."""
        return _sums((programme, number) for programme, _, _, number in self.rows)

    def labels(self) -> frozenset[int]:
        """Return the rows of the labels that are in use within reach."""
        return frozenset(label for _, label, _, _ in self.rows)

    def of(self, programmes: Collection[str], labels: Collection[int], originator: str | None = None) -> int:
        """Return how many there are of these programmes and labels, by one originator or by all."""
        return sum(
            number
            for programme, label, by, number in self.rows
            if programme in programmes and label in labels and originator in (None, by)
        )

    def originators(self, session: Session) -> Sequence[Originator]:
        """Return who sent what is within reach, by name; those who sent most when there are very many."""
        sums = _sums((by, number) for _, _, by, number in self.rows)
        most = sorted(sums, key=lambda one: sums[one], reverse=True)[:_MOST_ORIGINATORS]
        rows = session.scalars(select(models.Organisation).where(models.Organisation.id.in_(most)))
        found = [Originator(row.id, row.name, sums[row.id]) for row in rows]
        return sorted(found, key=lambda one: one.name.casefold())


def counted(session: Session, reach: Reach, new: ColumnElement[bool] | None) -> Counted:
    """Read the counters within reach, and count what meets `new` by programme; one query."""
    if not reach.programmes or not reach.labels:
        return Counted()
    counters = models.Counter.__table__.c
    query: Select[Any] | CompoundSelect[Any] = select(
        counters.programme_id, counters.label_id, counters.originator_id, counters.number
    ).where(
        counters.programme_id.in_(reach.programmes),
        counters.label_id.in_(reach.labels),
        counters.state == rq.DocumentState.RECEIVED.value,
        counters.number > 0,
        or_(
            counters.originator_id == reach.organisation_id,
            counters.addressee_id == reach.organisation_id,
        ),
    )
    if new is not None:
        some = select(TABLE.c.programme_id).where(new).limit(MOST_COUNTED).subquery("new")
        fresh = select(some.c.programme_id, literal(_NEW), literal(""), func.count())
        query = union_all(query, fresh.group_by(some.c.programme_id))
    rows = [(row[0], row[1], row[2], int(row[3])) for row in session.execute(query)]
    return Counted(
        [row for row in rows if row[1] != _NEW],
        {programme: number for programme, label, _, number in rows if label == _NEW},
    )


def up_to(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return a column that counts what meets a condition; one more than MOST_COUNTED stands for more than that."""
    some = select(literal(1)).select_from(TABLE).where(condition).limit(MOST_COUNTED + 1).subquery("some")
    return select(func.count()).select_from(some).scalar_subquery()


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for key, number in pairs:
        sums[key] = sums.get(key, 0) + number
    return sums
