"""The projection: a table of whole numbers, made from the leaves, that pages are found by.

It follows the log lazily: whoever asks catches it up first. It is never trusted for a proof, and can be made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND
from portal.audit.catalogue import CATALOGUE
from portal.audit.reading import leaves_between, log_size, record
from portal.audit.record import is_intent
from portal.audit.store import reading, writing

DECISIONS = {"permit": 1, "deny": 2}
HOUR = 3_600_000_000
"""Microseconds; `hours` counts by it."""

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
            # This row first: whoever projects meanwhile holds it until their rows can be seen here.
            generation = tables.projection.c.generation + 1
            connection.execute(update(tables.projection).values(size=0, generation=generation))
            for table in (tables.records, tables.readers, tables.hours, tables.names):
                connection.execute(delete(table))
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
            moved = update(tables.projection).where(tables.projection.c.size == start).values(size=stop)
            # Another process may have projected these leaves meanwhile; then its work stands.
            if connection.execute(moved).rowcount == 1:
                self._put(connection, rows, int(connection.execute(state).one()[1]))
        return True

    def _put(self, connection: Connection, leaves: list[_Row], generation: int) -> None:
        if generation != self._generation or len(self._ids) > _NAMES_KEPT:
            self._ids, self._generation = {}, generation
        try:
            self._name(connection, leaves)
            rows = {leaf["seq"]: self._row(leaf) for leaf in leaves}
            late = self._fold(leaves, rows)
            connection.execute(insert(tables.records), list(rows.values()))
            if late:
                connection.execute(_END, late)
            self._count_readers(connection, leaves)
            _add(connection, tables.hours, ("name", "hour"), _hours(leaves, rows.values()))
        except BaseException:
            # What was named in a transaction that does not commit must not be remembered.
            self._ids = {}
            raise

    def _name(self, connection: Connection, leaves: list[_Row]) -> None:
        counts: dict[_Key, _Row] = {}
        for leaf in leaves:
            for kind in tables.NAMED:
                if kind not in leaf:
                    continue
                row = counts.setdefault(
                    (kind, leaf[kind]), {"kind": kind, "value": leaf[kind], "last": 0, "count": 0}
                )
                row["last"] = leaf["seq"]
                row["count"] += 1
        _add(connection, tables.names, ("kind", "value"), list(counts.values()))
        table = tables.names
        fresh = [key for key in counts if key not in self._ids]
        for kind in {kind for kind, _ in fresh}:
            values = [value for other, value in fresh if other == kind]
            found = select(table.c.value, table.c.id).where(table.c.kind == kind, table.c.value.in_(values))
            self._ids.update({(kind, row[0]): row[1] for row in connection.execute(found)})

    def _fold(self, leaves: list[_Row], rows: dict[int, _Row]) -> list[_Row]:
        """Let each outcome's intent say how it ended; returns what to change in rows that are stored already."""
        late = []
        for leaf in leaves:
            intent = leaf.get("completes")
            if intent is None:
                continue
            result = tables.RESULTS.get(leaf.get("outcome", ""), tables.RESULTS["unknown"])
            routine = result == tables.RESULTS["complete"] and _is_routine(leaf)
            end = {
                "result": result,
                "ended": leaf["seq"],
                "shown": tables.ROUTINE if routine else tables.ENTRY,
            }
            if intent in rows:
                rows[intent].update(end)
            else:
                late.append({"intent": intent, **end})
        return late

    def _row(self, leaf: _Row) -> _Row:
        found = CATALOGUE.get(leaf["action"])
        opens = found is not None and is_intent(found, leaf)
        if "completes" in leaf:
            shown = tables.FOLDED
        else:
            # An intent is of the routine only when it ended as such.
            shown = tables.ROUTINE if _is_routine(leaf) and not opens else tables.ENTRY
        row: _Row = {
            "seq": leaf["seq"],
            "time": (datetime.fromisoformat(leaf["time"]) - EPOCH) // MICROSECOND,
            "decision": DECISIONS.get(leaf.get("decision", "")),
            "shown": shown,
            "result": tables.OPEN if opens else None,
            "ended": None,
        }
        for kind in tables.NAMED:
            row[kind] = self._ids[kind, leaf[kind]] if kind in leaf else None
        return row

    def _count_readers(self, connection: Connection, leaves: list[_Row]) -> None:
        counts: dict[tuple[int, int], _Row] = {}
        for leaf in leaves:
            found = CATALOGUE.get(leaf["action"])
            if "document" not in leaf or "actor" not in leaf or found is None:
                continue
            refused = leaf.get("decision") == "deny"
            if not refused and not found.discloses:
                continue
            document, actor = self._ids["document", leaf["document"]], self._ids["actor", leaf["actor"]]
            row = counts.setdefault((document, actor), _reader(document, actor))
            row["latest"] = leaf["seq"]
            if "organisation" in leaf:
                row["organisation"] = self._ids["organisation", leaf["organisation"]]
            if refused:
                row["refused"] += 1
                row["refused_last"] = leaf["seq"]
            elif "completes" in leaf:
                row["bytes"] += leaf.get("bytes_handed", 0)
            elif leaf.get("decision") == "permit":
                row["first"] = row["first"] if row["first"] is not None else leaf["seq"]
                row["last"] = leaf["seq"]
                row["count"] += 1
                row["views" if leaf["action"] == "document.preview" else "downloads"] += 1
        _add(connection, tables.readers, ("document", "actor"), list(counts.values()))


_END = (
    update(tables.records)
    .where(tables.records.c.seq == bindparam("intent"))
    .values(result=bindparam("result"), ended=bindparam("ended"), shown=bindparam("shown"))
)
_SUMS = frozenset({"count", "views", "downloads", "bytes", "refused", "permitted", "routine"})


def _is_routine(leaf: _Row) -> bool:
    found = CATALOGUE.get(leaf["action"])
    return (
        found is not None
        and found.routine
        and leaf.get("decision") != "deny"
        and leaf.get("outcome", "complete") == "complete"
    )


def _reader(document: int, actor: int) -> _Row:
    sums = dict.fromkeys(("count", "views", "downloads", "bytes", "refused"), 0)
    nothing = dict.fromkeys(("organisation", "first", "last", "refused_last", "latest"))
    return {"document": document, "actor": actor, **sums, **nothing}


def _hours(leaves: Iterable[_Row], rows: Iterable[_Row]) -> list[_Row]:
    counts: dict[tuple[int, int], _Row] = {}
    for leaf, row in zip(leaves, rows, strict=True):
        if row["decision"] is None or row["shown"] == tables.FOLDED:
            continue
        permitted = "routine" if _is_routine(leaf) else "permitted"
        sort = "refused" if row["decision"] == DECISIONS["deny"] else permitted
        hour = row["time"] // HOUR
        for name in (0, *(row[kind] for kind in tables.NAMED)):
            if name is not None:
                empty = {"name": name, "hour": hour, "permitted": 0, "routine": 0, "refused": 0}
                counts.setdefault((name, hour), empty)[sort] += 1
    return list(counts.values())


def _add(connection: Connection, table: Table, keys: tuple[str, ...], rows: list[_Row]) -> None:
    """Insert rows, or add them to those of the same key: sums are added, `first` stays, all else becomes the newer."""
    if not rows:
        return
    made = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    new, old = made.excluded, table.c
    changed: _Row = {}
    for name in rows[0].keys() - set(keys):
        if name in _SUMS:
            changed[name] = old[name] + new[name]
        elif name == "first":
            changed[name] = func.coalesce(old[name], new[name])
        else:
            changed[name] = func.coalesce(new[name], old[name])
    connection.execute(made.on_conflict_do_update(index_elements=list(keys), set_=changed), rows)
