"""The projection: a table of whole numbers, made from the leaves, that pages are found by.

It follows the log lazily: whoever asks catches it up first. It is never trusted for a proof, and can be made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND
from portal.audit.catalogue import CATALOGUE
from portal.audit.reading import leaves_between, log_size, record
from portal.audit.store import reading, writing

DECISIONS = {"permit": 1, "deny": 2}

_CHUNK = 1024
_NAMES_KEPT = 200_000

_Row = dict[str, Any]
_Key = tuple[str, str]


class Projection:
    """Keeps the projection of one log."""

    def __init__(self, engine: Engine, wait: float) -> None:
        self._engine = engine
        self._wait = wait
        self._ids: dict[_Key, int] = {}
        self._generation = 0

    def catch_up(self) -> None:
        """Project every leaf that is committed now."""
        with reading(self._engine) as connection:
            goal = log_size(connection)
        while self._step(goal):
            pass

    def rebuild(self) -> None:
        """Throw the projection away and make it anew from the leaves."""
        with writing(self._engine, self._wait) as connection:
            for table in (tables.records, tables.readers, tables.names):
                connection.execute(delete(table))
            generation = tables.projection.c.generation + 1
            connection.execute(update(tables.projection).values(size=0, generation=generation))
        self.catch_up()

    def _step(self, goal: int) -> bool:
        state = select(tables.projection.c.size, tables.projection.c.generation)
        with reading(self._engine) as connection:
            start = int(connection.execute(state).one()[0])
            if start >= goal:
                return False
            stop = min(goal, start + _CHUNK)
            leaves = leaves_between(connection, start, stop)
        rows = [record(seq, leaf).fields for seq, leaf in enumerate(leaves, start)]
        with writing(self._engine, self._wait) as connection:
            generation = int(connection.execute(state).one()[1])
            moved = update(tables.projection).where(tables.projection.c.size == start).values(size=stop)
            # Another process may have projected these leaves meanwhile; then its work stands.
            if connection.execute(moved).rowcount == 1:
                self._put(connection, rows, generation)
        return True

    def _put(self, connection: Connection, leaves: list[_Row], generation: int) -> None:
        if generation != self._generation or len(self._ids) > _NAMES_KEPT:
            self._ids, self._generation = {}, generation
        try:
            self._name(
                connection, {(kind, leaf[kind]) for leaf in leaves for kind in tables.NAMED if kind in leaf}
            )
            connection.execute(insert(tables.records), [self._row(leaf) for leaf in leaves])
            self._count_readers(connection, leaves)
        except BaseException:
            # What was named in a transaction that does not commit must not be remembered.
            self._ids = {}
            raise

    def _name(self, connection: Connection, wanted: Iterable[_Key]) -> None:
        fresh = sorted(key for key in wanted if key not in self._ids)
        if not fresh:
            return
        table = tables.names
        rows = [{"kind": kind, "value": value} for kind, value in fresh]
        if connection.dialect.name == "postgresql":
            connection.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)
        else:
            connection.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
        for kind in {kind for kind, _ in fresh}:
            values = [value for other, value in fresh if other == kind]
            found = select(table.c.value, table.c.id).where(table.c.kind == kind, table.c.value.in_(values))
            self._ids.update({(kind, row[0]): row[1] for row in connection.execute(found)})

    def _row(self, leaf: _Row) -> _Row:
        row: _Row = {
            "seq": leaf["seq"],
            "time": (datetime.fromisoformat(leaf["time"]) - EPOCH) // MICROSECOND,
            "decision": DECISIONS.get(leaf.get("decision", "")),
        }
        for kind in tables.NAMED:
            row[kind] = self._ids[kind, leaf[kind]] if kind in leaf else None
        return row

    def _count_readers(self, connection: Connection, leaves: list[_Row]) -> None:
        counts: dict[tuple[int, int], _Row] = {}
        for leaf in leaves:
            if not _discloses(leaf):
                continue
            document, actor = self._ids["document", leaf["document"]], self._ids["actor", leaf["actor"]]
            row = counts.setdefault(
                (document, actor), {"document": document, "actor": actor, "first": leaf["seq"], "count": 0}
            )
            row["last"] = leaf["seq"]
            row["count"] += 1
        if counts:
            connection.execute(_add_readers(connection.dialect.name), list(counts.values()))


def _discloses(leaf: _Row) -> bool:
    found = CATALOGUE.get(leaf["action"])
    return (
        found is not None
        and found.discloses
        and leaf.get("decision") == "permit"
        and "completes" not in leaf
        and "document" in leaf
        and "actor" in leaf
    )


def _add_readers(dialect: str) -> sqlite.Insert | postgresql.Insert:
    table = tables.readers
    keys = ["document", "actor"]
    if dialect == "postgresql":
        second = postgresql.insert(table)
        new = second.excluded
        return second.on_conflict_do_update(
            index_elements=keys, set_={"last": new.last, "count": table.c["count"] + new["count"]}
        )
    first = sqlite.insert(table)
    new = first.excluded
    return first.on_conflict_do_update(
        index_elements=keys, set_={"last": new.last, "count": table.c["count"] + new["count"]}
    )
