"""Rows that are read over and over: as long as they read as they did when their seals were checked, they are known.

The database is asked for a fingerprint of every column of all the rows, each time. When it is that for which the rows
were read and checked, nothing of them is sent, built or checked again; an edited, added or deleted row makes another
one, and is read, checked, and refused where its seal does not hold. Who can make the database answer with the
fingerprint of a former state could as well have put the former rows back.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    Row,
    ScalarSelect,
    Table,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import Session

from portal.models.listed import one_of
from portal.models.sealing import SealedRow, Seals, open_text, verify_mapping

_MOST_ROWS = 50_000
_MOST_SETS = 256
_COMMA: ColumnElement[str] = literal_column("','")


def fingerprint(
    columns: Sequence[Column[Any]], condition: ColumnElement[bool], dialect: str
) -> ScalarSelect[Any]:
    """Return a column that differs whenever one of these columns differs in any row of their table that meets the
    condition; `digest` makes what it holds short.
    """
    table = columns[0].table
    keys = [f"{table.name}.{column.key}" for column in table.primary_key.columns]
    if dialect == "postgresql":
        # A row as text quotes what needs it: no two lists of rows read alike.
        names = ", ".join(f"{table.name}.{column.key}" for column in columns)
        lines = f"string_agg(CAST(ROW({names}) AS TEXT), chr(10) ORDER BY {', '.join(keys)})"
        whole = literal_column(f"sha256(convert_to({lines}, 'UTF8'))", LargeBinary)
        return select(whole).select_from(table).where(condition).scalar_subquery()
    line: ColumnElement[Any] = func.quote(columns[0])
    for column in columns[1:]:
        line = line.op("||")(_COMMA).op("||")(func.quote(column))
    some = select(line.label("line")).where(condition).order_by(*table.primary_key.columns).subquery("some")
    whole = literal_column("CAST(group_concat(line, char(10)) AS BLOB)", LargeBinary)
    return select(whole).select_from(some).scalar_subquery()


def digest(fingerprints: Iterable[bytes | None]) -> bytes:
    """Return one short value for what columns made by `fingerprint` held."""
    whole = hashlib.sha256()
    for one in fingerprints:
        part = b"" if one is None else hashlib.sha256(one).digest()
        whole.update(bytes([len(part)]) + part)
    return whole.digest()


class VerifiedRows:
    """Reads the rows of one table in which a column holds one of some values, and remembers them as a whole, with their
    texts once they are opened. The table's key is `id`.
    """

    def __init__(self, model: type[SealedRow], column: Any) -> None:
        self._table = cast(Table, model.__table__)
        self._where = one_of(column, name="wanted")
        self._statements: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._forget(None)

    def _forget(self, seals: Seals | None) -> None:
        self._seals = seals
        self._sets: OrderedDict[frozenset[Any], tuple[bytes, tuple[Row[Any], ...]]] = OrderedDict()
        self._known: dict[str, tuple[Any, ...]] = {}
        self._texts: dict[tuple[str, str], tuple[bytes, str]] = {}

    def read(self, session: Session, values: Collection[Any]) -> tuple[Row[Any], ...]:
        """Return the rows with these values, the same tuple as before when nothing of them has changed.

        Raises TamperedRow for one that fails its seal.
        """
        if not values:
            return ()
        seals: Seals = session.info["seals"]
        with self._lock:
            if self._seals is not seals:
                # Another installation in this process has keys of its own.
                self._forget(seals)
        wanted = frozenset(values)
        current = digest([session.scalar(self._asking(session), {"wanted": wanted})])
        kept = self._sets.get(wanted)
        if kept is not None and kept[0] == current:
            return kept[1]
        rows = tuple(session.execute(select(self._table).where(self._where), {"wanted": wanted}))
        for row in rows:
            values = tuple(row)
            if self._known.get(row.id) != values:
                verify_mapping(seals, self._table, dict(row._mapping))
                if len(self._known) >= _MOST_ROWS:
                    self._known.clear()
                self._known[row.id] = values
        self._keep(wanted, current, rows)
        return rows

    def _asking(self, session: Session) -> Any:
        dialect = session.get_bind().dialect.name
        if dialect not in self._statements:
            columns = list(self._table.columns)
            self._statements[dialect] = select(fingerprint(columns, self._where, dialect))
        return self._statements[dialect]

    def _keep(self, wanted: frozenset[Any], current: bytes, rows: tuple[Row[Any], ...]) -> None:
        with self._lock:
            self._sets[wanted] = current, rows
            self._sets.move_to_end(wanted)
            while len(self._sets) > _MOST_SETS or (
                len(self._sets) > 1 and sum(len(kept[1]) for kept in self._sets.values()) > _MOST_ROWS
            ):
                self._sets.popitem(last=False)

    def text(self, session: Session, row: Row[Any], column: str) -> str:
        """Return a sealed text of a row that `read` returned."""
        blob: bytes = row._mapping[column]
        known = self._texts.get((row.id, column))
        if known is not None and known[0] == blob:
            return known[1]
        name = self._table.name
        text = open_text(session.info["seals"], (name, row.id), column, blob, name, row.id)
        if len(self._texts) >= _MOST_ROWS:
            self._texts.clear()
        self._texts[row.id, column] = blob, text
        return text
