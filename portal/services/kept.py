"""What dated grants have in common: they end at a time that is still to come, and the same does not stand twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import models
from portal.errors import Conflict, Invalid


def end_of(row: models.Dated, at: datetime | None, now: datetime) -> datetime:
    """Return when a grant is to end: `at`, or now. Raises Invalid for the past, Conflict when it ends before."""
    end = now if at is None else at
    if end.tzinfo is None or end < now:
        raise Invalid("Nothing ends in the past.", mend="Leave the time out to end it now.")
    if row.valid_until is not None and row.valid_until <= end:
        raise Conflict(
            "This ends before that already." if row.valid_until > now else "This has ended already."
        )
    return end


def overlap(one: models.Dated, other: models.Dated) -> bool:
    """Tell whether two grants hold at the same time, for however short."""
    return (one.valid_until is None or other.valid_from < one.valid_until) and (
        other.valid_until is None or one.valid_from < other.valid_until
    )


def refuse_twice(session: Session, row: Any, alike: tuple[str, ...]) -> None:
    """Raise Conflict when the same stands for part of the time: which of the two held could not be told.

    `alike`: the columns that make two rows the same.
    """
    kind = type(row)
    wanted = [getattr(kind, name) == getattr(row, name) for name in alike]
    for held in session.scalars(select(kind).where(*wanted)):
        if overlap(held, row):
            raise Conflict(
                "The same is set for part of that time.",
                mend="End that one first, or let the new one begin where it ends.",
            )
