"""How many documents stand behind a list, where the counters do not say it, and who sent them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, ScalarSelect, func, literal, select
from sqlalchemy.orm import Session

from portal import models
from portal.services.counters import Within
from portal.services.document_rows import TABLE
from portal.services.document_views import Originator

MOST_COUNTED = 1_000
"""Where no counter helps (a search, a span of time), counting ends here."""
_MOST_ORIGINATORS = 200
_ORGANISATIONS = models.VerifiedRows(models.Organisation, models.Organisation.id)


def originators(session: Session, within: Within) -> Sequence[Originator]:
    """Return who sent what is within reach, by name; those who sent most when there are very many."""
    sums = within.by_originator
    most = sorted(sums, key=lambda one: sums[one], reverse=True)[:_MOST_ORIGINATORS]
    rows = _ORGANISATIONS.read(session, most)
    found = [
        Originator(row.id, _ORGANISATIONS.text(session, row, "name_sealed"), sums[row.id]) for row in rows
    ]
    return sorted(found, key=lambda one: one.name.casefold())


def by_programme(session: Session, condition: ColumnElement[bool]) -> Mapping[str, int]:
    """Count what meets a condition by programme, at most MOST_COUNTED in all."""
    some = select(TABLE.c.programme_id).where(condition).limit(MOST_COUNTED).subquery("some")
    rows = session.execute(select(some.c.programme_id, func.count()).group_by(some.c.programme_id))
    return {programme: int(number) for programme, number in rows}


def up_to(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return a column that counts what meets a condition; one more than MOST_COUNTED stands for more than that."""
    some = select(literal(1)).select_from(TABLE).where(condition).limit(MOST_COUNTED + 1).subquery("some")
    return select(func.count()).select_from(some).scalar_subquery()
