"""Grants that follow one another: what ends is of no concern when the same goes on by another grant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias, TypeVar, cast

from sqlalchemy import ColumnElement, Table, and_, exists, or_

from portal import models

GrantRow: TypeAlias = models.RoleGrant | models.ClearanceGrant | models.Membership | models.Briefing

ALIKE: Mapping[type[GrantRow], tuple[str, ...]] = MappingProxyType(
    {
        models.RoleGrant: ("role",),
        models.ClearanceGrant: ("policy_id", "classifications", "categories"),
        models.Membership: ("programme_id",),
        models.Briefing: ("policy_id", "classifications", "categories"),
    }
)
"""The kinds of grants, each with the columns by which two of one person grant the same."""

_Row = TypeVar("_Row", bound=GrantRow)


def alike(first: GrantRow, second: GrantRow) -> bool:
    """Whether two grants give the same person the same."""
    return _what(first) == _what(second)


def unrenewed(rows: Iterable[_Row]) -> list[_Row]:
    """Return those of these grants that end, and that no other of them goes on from."""
    rows = list(rows)
    same: defaultdict[tuple[object, ...], list[_Row]] = defaultdict(list)
    for row in rows:
        same[_what(row)].append(row)
    return [
        row
        for row in rows
        if row.valid_until is not None
        and not any(
            other.valid_from <= row.valid_until
            and (other.valid_until is None or other.valid_until > row.valid_until)
            for other in same[_what(row)]
        )
    ]


def _what(row: GrantRow) -> tuple[object, ...]:
    """Return what two grants have in common that give the same person the same."""
    return type(row), row.person_id, *(getattr(row, name) for name in ALIKE[type(row)])


def ends_for_good(kind: type[GrantRow], after: datetime, before: datetime) -> ColumnElement[bool]:
    """Return the condition that a row of `kind` ends between these times, and that nothing goes on from it."""
    table = cast(Table, kind.__table__)
    other = table.alias("following")
    follows = and_(
        other.c.person_id == table.c.person_id,
        *(other.c[name] == table.c[name] for name in ALIKE[kind]),
        other.c.valid_from <= table.c.valid_until,
        or_(other.c.valid_until.is_(None), other.c.valid_until > table.c.valid_until),
    )
    return and_(table.c.valid_until > after, table.c.valid_until < before, ~exists().where(follows))
