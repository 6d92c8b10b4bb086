"""What administration's recorded changes have in common: details in the log, and rows that must not have moved."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Table
from sqlalchemy.orm import Session

from portal import models
from portal.errors import Conflict

_Row = TypeVar("_Row", bound=models.SealedRow)


def concerning(subject: str, table: str, row_id: str, row_version: int) -> dict[str, object]:
    """Return the details that say whose (`subject`, as `person:ID`) sealed row becomes which version."""
    return {"subject": subject, "table": table, "row": row_id, "row_version": row_version}


def shown(ids: Sequence[str]) -> dict[str, object]:
    """Return the details that say what a page showed: how many, and the digest of their ids in order."""
    return {"shown": len(ids), "shown_digest": hashlib.sha256("\n".join(ids).encode()).hexdigest()}


def unmoved(session: Session, row: _Row) -> _Row:
    """Load `row` again inside the change that its intent announced; raises Conflict when it changed meanwhile."""
    table: Table = row.__table__  # type: ignore[assignment]
    key = tuple(getattr(row, column.key) for column in table.primary_key.columns)
    current = session.get(type(row), key, with_for_update=True)
    if current is None or current.row_version != row.row_version:
        raise Conflict("This changed meanwhile, so nothing was done.", mend="Look at it again, then repeat.")
    return current
