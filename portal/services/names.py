"""Finding people, organisations and programmes by what is typed of their names, which are sealed in the database.

The names are opened once and kept in memory with the version of their rows; a changed row is opened again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from crypto.titlepack import words
from portal import models
from portal.models import TamperedRow, sealing
from portal.models.database import Database

Kind: TypeAlias = type[models.Person] | type[models.Organisation] | type[models.Programme]

_CHUNK = 500
_LONGEST = 200
"""Characters of a search that are looked at."""


@dataclass(slots=True)
class _Kept:
    """What is in memory of one table: `stamp` tells whether it has changed, `rows` are version and words by id."""

    stamp: tuple[int, int, int] = (0, 0, 0)
    rows: dict[str, tuple[int, str]] = field(default_factory=dict)
    ordered: tuple[tuple[str, str], ...] = ()


class Names:
    """Finds rows by their names. What it returns are ids: whoever shows the rows reads and checks them anew."""

    def __init__(self, database: Database) -> None:
        self._seals = database.seals
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def find(self, session: Session, kind: Kind, query: str, limit: int) -> Sequence[str]:
        """Return the ids of at most `limit` rows in whose names each word of `query` begins a word, in order of names.

        Case and accents do not count; a person's e-mail address counts as words too. A query without a word finds
        nothing. Rows that fail their seal are not found.
        """
        wanted = [f" {word}" for word in words(query[:_LONGEST])]
        if not wanted:
            return ()
        found = []
        for line, row_id in self._current(session, kind):
            if all(word in line for word in wanted):
                found.append(row_id)
                if len(found) == limit:
                    break
        return found

    def _current(self, session: Session, kind: Kind) -> tuple[tuple[str, str], ...]:
        table = kind.__table__
        assert isinstance(table, Table)
        number, versions, entry = session.execute(
            select(func.count(), func.sum(table.c.row_version), func.max(table.c.log_entry))
        ).one()
        stamp = (number, versions or 0, entry or 0)
        with self._lock:
            kept = self._kept.setdefault(table.name, _Kept())
            if kept.stamp != stamp:
                self._refresh(session, table, kept)
                kept.stamp = stamp
            return kept.ordered

    def _refresh(self, session: Session, table: Table, kept: _Kept) -> None:
        rows = session.execute(select(table.c.id, table.c.row_version))
        versions = {row.id: row.row_version for row in rows}
        changed = [
            row_id for row_id, version in versions.items() if kept.rows.get(row_id, (0, ""))[0] != version
        ]
        kept.rows = {row_id: held for row_id, held in kept.rows.items() if row_id in versions}
        for start in range(0, len(changed), _CHUNK):
            query = select(table).where(table.c.id.in_(changed[start : start + _CHUNK]))
            for row in session.execute(query).mappings():
                kept.rows[row["id"]] = (row["row_version"], self._line(table, row))
        kept.ordered = tuple(sorted((line, row_id) for row_id, (_, line) in kept.rows.items() if line))

    def _line(self, table: Table, row: Mapping[Any, Any]) -> str:
        """Return a row's words, each after a space; "" when the row does not hold."""
        try:
            sealing.verify_mapping(self._seals, table, row)
            return _joined(
                sealing.open_text(
                    self._seals, (table.name, row["id"]), name, row[name], table.name, row["id"]
                )
                for name in ("name_sealed", "email_sealed")
                if name in row
            )
        except TamperedRow:
            return ""


def _joined(texts: Iterable[str]) -> str:
    return "".join(f" {word}" for text in texts for word in words(text))
