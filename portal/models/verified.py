"""Rows that are read over and over: one that reads as it did when its seal was checked is not checked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, Table, select
from sqlalchemy.orm import Session

from portal.models.sealing import SealedRow, Seals, open_text, verify_mapping

_MOST = 20_000


class VerifiedRows:
    """Reads rows of one table whose key is `id`, and remembers each as a whole, with its texts once they are opened.

    Every column is read and compared each time, so that a row which was edited since is checked, and refused.
    """

    def __init__(self, model: type[SealedRow]) -> None:
        self._table = cast(Table, model.__table__)
        self._seals: Seals | None = None
        self._known: dict[str, tuple[Any, ...]] = {}
        self._texts: dict[tuple[str, str], tuple[bytes, str]] = {}

    def read(self, session: Session, condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Return the rows that meet a condition; raises TamperedRow for one that fails its seal."""
        rows = session.execute(select(self._table).where(condition)).all()
        seals: Seals = session.info["seals"]
        if self._seals is not seals:
            # Another installation in this process has keys of its own.
            self._seals, self._known, self._texts = seals, {}, {}
        for row in rows:
            values = tuple(row)
            if self._known.get(row.id) != values:
                verify_mapping(seals, self._table, dict(row._mapping))
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[row.id] = values
        return rows

    def text(self, session: Session, row: Row[Any], column: str) -> str:
        """Return a sealed text of a row that `read` returned."""
        blob: bytes = row._mapping[column]
        known = self._texts.get((row.id, column))
        if known is not None and known[0] == blob:
            return known[1]
        name = self._table.name
        text = open_text(session.info["seals"], (name, row.id), column, blob, name, row.id)
        if len(self._texts) >= _MOST:
            self._texts.clear()
        self._texts[row.id, column] = blob, text
        return text
