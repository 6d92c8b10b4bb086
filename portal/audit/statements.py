"""The append's statements, compiled once for a dialect: building them anew would cost more than running them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement

from portal.audit import tables


class Statement:
    """One compiled statement whose parameters are given by position, in the order of `names`."""

    def __init__(self, clause: ClauseElement, dialect: Dialect, names: Sequence[str]) -> None:
        compiled = clause.compile(dialect=dialect, column_keys=list(names))
        self._sql = str(compiled)
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._names = tuple(names)
        self._places = None if order is None else tuple(self._names.index(name) for name in order)
        self._straight = self._places == tuple(range(len(self._names)))

    def run(self, connection: Connection, *rows: tuple[Any, ...]) -> CursorResult[*tuple[Any, ...]]:
        """Run it once for one row of parameters."""
        return connection.exec_driver_sql(self._sql, self._arrange(rows)[0] if rows else None)

    def run_all(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for every row; does nothing without rows."""
        if rows:
            connection.exec_driver_sql(self._sql, self._arrange(rows))

    def _arrange(self, rows: Sequence[tuple[Any, ...]]) -> Any:
        if self._straight:
            return list(rows)
        if self._places is not None:
            return [tuple(row[place] for place in self._places) for row in rows]
        return [dict(zip(self._names, row, strict=True)) for row in rows]


class AppendStatements:
    """What an append runs, for one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        head, subjects, intents = tables.head, tables.subjects, tables.open_intents
        self.read_head = Statement(
            select(head.c.size, head.c.time).where(head.c.id == bindparam("one")).with_for_update(),
            dialect,
            ("one",),
        )
        self.write_head = Statement(
            update(head)
            .where(head.c.id == bindparam("one"))
            .values(size=bindparam("new_size"), time=bindparam("new_time")),
            dialect,
            ("new_size", "new_time", "one"),
        )
        self.insert_leaf = Statement(insert(tables.leaves), dialect, ("seq", "leaf"))
        self.insert_intent = Statement(insert(intents), dialect, ("seq", "action", "time"))
        self.close_intent = Statement(
            delete(intents).where(intents.c.seq == bindparam("intent")), dialect, ("intent",)
        )
        self.insert_disclosure = Statement(
            insert(tables.disclosures), dialect, ("seq", "name", "salt", "value")
        )
        upsert = postgresql.insert(subjects) if dialect.name == "postgresql" else sqlite.insert(subjects)
        self.put_subject = Statement(
            upsert.on_conflict_do_update(
                index_elements=["subject"], set_={"n": upsert.excluded.n, "last": upsert.excluded.last}
            ),
            dialect,
            ("subject", "n", "last"),
        )
