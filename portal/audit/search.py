"""Finding records by the projection: pages, newest first, and who has read a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND
from portal.audit.projection import DECISIONS, Projection
from portal.audit.reading import CHUNK, Record, log_size, record
from portal.audit.store import reading
from portal.errors import Invalid

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Which records: all of what is given must hold. `time_from` is inclusive, `time_to` exclusive, both aware.

    `person` is who acted; `label` is the marking as recorded.
    """

    time_from: datetime | None = None
    time_to: datetime | None = None
    person: str | None = None
    document: str | None = None
    programme: str | None = None
    organisation: str | None = None
    action: str | None = None
    decision: str | None = None
    label: str | None = None

    @property
    def empty(self) -> bool:
        """Whether it lets every record through."""
        return self == RecordFilter()


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first; `next` is what to give as `before` for the page after, None on the last one."""

    records: tuple[Record, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Someone to whom a document was disclosed: the first and the last time, and how many times."""

    person: str
    first: int
    first_time: datetime
    last: int
    last_time: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What was permitted and what was refused in one period that begins at `start`."""

    start: datetime
    accesses: int
    refusals: int


class Search:
    """Answers questions about one log; every answer first catches the projection up."""

    def __init__(self, engine: Engine, projection: Projection) -> None:
        self._engine = engine
        self._projection = projection

    def page(self, wanted: RecordFilter, *, before: int | None, limit: int) -> Page:
        """Return one page; raises Invalid for a limit that is not from 1 to 1,000 or a decision that is none."""
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"a page has from 1 to {MAX_LIMIT:,} records")
        self._projection.catch_up()
        seq = tables.records.c.seq
        with reading(self._engine) as connection:
            conditions = _conditions(connection, wanted)
            if conditions is None:
                return Page((), None)
            if before is not None:
                conditions.append(seq < before)
            found = (
                select(tables.leaves.c.seq, tables.leaves.c.leaf)
                .join_from(tables.records, tables.leaves, tables.leaves.c.seq == seq)
                .where(*conditions)
                .order_by(seq.desc())
                .limit(limit + 1)
            )
            rows = connection.execute(found).all()
        records = tuple(record(row[0], row[1]) for row in rows[:limit])
        return Page(records, records[-1].seq if len(rows) > limit else None)

    def stream(self, wanted: RecordFilter, chunk: int = CHUNK) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the numbers and bytes of all matching records of this moment, oldest first, at most `chunk` at once."""
        with reading(self._engine) as connection:
            stop = log_size(connection)
        self._projection.catch_up()
        seq = tables.records.c.seq
        after = -1
        while True:
            with reading(self._engine) as connection:
                conditions = _conditions(connection, wanted)
                if conditions is None:
                    return
                found = (
                    select(tables.leaves.c.seq, tables.leaves.c.leaf)
                    .join_from(tables.records, tables.leaves, tables.leaves.c.seq == seq)
                    .where(*conditions, seq > after, seq < stop)
                    .order_by(seq)
                    .limit(chunk)
                )
                rows = [(row[0], row[1]) for row in connection.execute(found)]
            if rows:
                yield rows
            if len(rows) < chunk:
                return
            after = rows[-1][0]

    def activity(
        self, wanted: RecordFilter, start: datetime, step: timedelta, count: int
    ) -> tuple[Activity, ...]:
        """Return accesses and refusals in `count` periods of `step` from `start` on, empty ones included."""
        self._projection.catch_up()
        period = replace(wanted, time_from=start, time_to=start + step * count)
        width = step // MICROSECOND
        numbers: dict[tuple[int, int], int] = {}
        with reading(self._engine) as connection:
            conditions = _conditions(connection, period)
            if conditions is not None:
                records = tables.records.c
                bucket = (records.time - (start - EPOCH) // MICROSECOND) // width
                query = (
                    select(bucket, records.decision, func.count())
                    .where(*conditions, records.decision.is_not(None))
                    .group_by(bucket, records.decision)
                )
                numbers = {
                    (int(place), decision): found for place, decision, found in connection.execute(query)
                }
        return tuple(
            Activity(
                start + step * place,
                numbers.get((place, DECISIONS["permit"]), 0),
                numbers.get((place, DECISIONS["deny"]), 0),
            )
            for place in range(count)
        )

    def readers_of(self, document: str) -> tuple[Reader, ...]:
        """Return to whom a document's content was disclosed, the most recent first."""
        self._projection.catch_up()
        readers, names = tables.readers, tables.names
        first, last = tables.records.alias("first"), tables.records.alias("last")
        with reading(self._engine) as connection:
            number = _number(connection, "document", document)
            if number is None:
                return ()
            found = (
                select(
                    names.c.value,
                    readers.c.first,
                    first.c.time,
                    readers.c.last,
                    last.c.time,
                    readers.c["count"],
                )
                .join_from(readers, names, names.c.id == readers.c.actor)
                .join(first, first.c.seq == readers.c.first)
                .join(last, last.c.seq == readers.c.last)
                .where(readers.c.document == number)
                .order_by(readers.c.last.desc())
            )
            return tuple(
                Reader(row[0], row[1], _moment(row[2]), row[3], _moment(row[4]), row[5])
                for row in connection.execute(found)
            )


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _number(connection: Connection, kind: str, value: str) -> int | None:
    found = select(tables.names.c.id).where(tables.names.c.kind == kind, tables.names.c.value == value)
    return connection.execute(found).scalar()


def _conditions(connection: Connection, wanted: RecordFilter) -> list[ColumnElement[bool]] | None:
    """Return what a record's row must meet, or None when no record can."""
    records = tables.records
    found: list[ColumnElement[bool]] = []
    for kind, value in (
        ("actor", wanted.person),
        ("document", wanted.document),
        ("programme", wanted.programme),
        ("organisation", wanted.organisation),
        ("action", wanted.action),
        ("label", wanted.label),
    ):
        if value is None:
            continue
        number = _number(connection, kind, value)
        if number is None:
            return None
        found.append(records.c[kind] == number)
    if wanted.decision is not None:
        if wanted.decision not in DECISIONS:
            raise Invalid("a decision is permit or deny")
        found.append(records.c.decision == DECISIONS[wanted.decision])
    # Time never goes back in the log, so a period is a range of numbers.
    if wanted.time_from is not None:
        start = _first_at(connection, wanted.time_from)
        if start is None:
            return None
        found.append(records.c.seq >= start)
    if wanted.time_to is not None:
        stop = _first_at(connection, wanted.time_to)
        if stop is not None:
            found.append(records.c.seq < stop)
    return found


def _first_at(connection: Connection, moment: datetime) -> int | None:
    records = tables.records
    time = (moment - EPOCH) // MICROSECOND
    found = (
        select(records.c.seq).where(records.c.time >= time).order_by(records.c.time, records.c.seq).limit(1)
    )
    return connection.execute(found).scalar()
