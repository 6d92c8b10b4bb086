"""Finding records by the projection: pages of records or of entries, newest first, how many, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, func, literal, select

from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND
from portal.audit.projection import DECISIONS, Projection
from portal.audit.reading import CHUNK, Record, log_size, record
from portal.audit.store import reading
from portal.audit.tracing import number_of
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
class LogEntry:
    """A record as people follow it: an intent together with its `outcome`, or a record that stands alone.

    `unsure`: an intent whose end is not recorded, or is recorded as unknown.
    """

    record: Record
    outcome: Record | None
    unsure: bool


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries, newest first; `next` is what to give as `before` for the page after, None on the last one."""

    entries: tuple[LogEntry, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What was permitted (`routine` of it in the daily routine) and what was refused in a period from `start` on."""

    start: datetime
    accesses: int
    refusals: int
    routine: int = 0


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

    def entries(
        self, wanted: RecordFilter, *, routine: bool, unsure: bool, before: int | None, limit: int
    ) -> Entries:
        """Return one page of entries: `unsure` keeps those whose end is not recorded, `routine` the daily routine too.

        A filter is asked of the intent. Raises Invalid as `page` does.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"a page has from 1 to {MAX_LIMIT:,} records")
        self._projection.catch_up()
        records, leaves, ends = tables.records.c, tables.leaves, tables.leaves.alias("ends")
        with reading(self._engine) as connection:
            conditions = _conditions(connection, wanted)
            if conditions is None:
                return Entries((), None)
            conditions += _shown(wanted, routine, unsure)
            if before is not None:
                conditions.append(records.seq < before)
            found = (
                select(records.seq, leaves.c.leaf, records.ended, ends.c.leaf, records.result)
                .join_from(tables.records, leaves, leaves.c.seq == records.seq)
                .outerjoin(ends, ends.c.seq == records.ended)
                .where(*conditions)
                .order_by(records.seq.desc())
                .limit(limit + 1)
            )
            rows = connection.execute(found).all()
        entries = tuple(_entry(*row) for row in rows[:limit])
        return Entries(entries, entries[-1].record.seq if len(rows) > limit else None)

    def count(self, wanted: RecordFilter, most: int) -> int:
        """Return how many records match, or `most` when there are as many or more."""
        self._projection.catch_up()
        with reading(self._engine) as connection:
            conditions = _conditions(connection, wanted)
            if conditions is None:
                return 0
            if replace(wanted, time_from=None, time_to=None).empty:
                # Numbers are dense, so a period counts itself.
                seq = tables.records.c.seq
                # One at a time: SQLite looks at a single minimum or maximum without reading what lies between.
                first, last = (
                    connection.execute(select(end(seq)).where(*conditions)).scalar()
                    for end in (func.min, func.max)
                )
                return 0 if first is None or last is None else min(most, last - first + 1)
            return _at_most(connection, conditions, most)

    def count_entries(self, wanted: RecordFilter, *, routine: bool, unsure: bool, most: int) -> int:
        """Return how many entries match, or `most` when there are as many or more."""
        self._projection.catch_up()
        with reading(self._engine) as connection:
            conditions = _conditions(connection, wanted)
            if conditions is None:
                return 0
            return _at_most(connection, conditions + _shown(wanted, routine, unsure), most)

    def after(self, kind: str, value: str, seq: int) -> int | None:
        """Return the number of the next record with this value (`kind`: a column of names) after `seq`."""
        self._projection.catch_up()
        with reading(self._engine) as connection:
            number = number_of(connection, kind, value)
            if number is None:
                return None
            records = tables.records.c
            found = select(func.min(records.seq)).where(records[kind] == number, records.seq > seq)
            return connection.execute(found).scalar()

    def ended(self, seq: int) -> tuple[int | None, bool]:
        """Return the number of the outcome of the intent `seq`, and whether no end of it is known."""
        self._projection.catch_up()
        with reading(self._engine) as connection:
            records = tables.records.c
            found = select(records.ended, records.result).where(records.seq == seq)
            row = connection.execute(found).first()
        return (None, False) if row is None else (row[0], _is_unsure(row[1]))

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
        """Return accesses and refusals in `count` periods of `step` from `start` on, empty ones included.

        Over whole hours, and for a filter by one property at most, the projection's sums answer; else records do.
        """
        self._projection.catch_up()
        asked = [(kind, value) for kind, value in _named(replace(wanted, decision=None)) if value is not None]
        hourly = step % timedelta(hours=1) == timedelta(0) and start == start.replace(
            minute=0, second=0, microsecond=0
        )
        with reading(self._engine) as connection:
            if hourly and len(asked) <= 1:
                numbers = _summed(connection, asked, start, step, count)
            else:
                numbers = _counted(connection, wanted, start, step, count)
        return tuple(
            Activity(
                start + step * place,
                0 if wanted.decision == "deny" else permitted + routine,
                0 if wanted.decision == "permit" else refused,
                0 if wanted.decision == "deny" else routine,
            )
            for place in range(count)
            for permitted, routine, refused in [numbers.get(place, (0, 0, 0))]
        )


def _entry(seq: int, leaf: bytes, ended: int | None, end: bytes | None, result: int | None) -> LogEntry:
    outcome = None if ended is None or end is None else record(ended, end)
    return LogEntry(record(seq, leaf), outcome, _is_unsure(result))


def _is_unsure(result: int | None) -> bool:
    return result in (tables.OPEN, tables.RESULTS["unknown"])


def _shown(wanted: RecordFilter, routine: bool, unsure: bool) -> list[ColumnElement[bool]]:
    if wanted.decision == "deny" and not unsure:
        return []  # A refusal is always an entry, and never of the routine.
    # Where a filter brings an index of its own, that of `shown` would be the worse one.
    alone = not unsure and replace(wanted, time_from=None, time_to=None).empty
    shown = tables.records.c.shown if alone else tables.unindexed("shown")
    found = [shown != tables.FOLDED if routine else shown == tables.ENTRY]
    if unsure:
        found.append(tables.UNSURE)  # type: ignore[arg-type]
    return found


def _at_most(connection: Connection, conditions: list[ColumnElement[bool]], most: int) -> int:
    some = select(literal(1)).select_from(tables.records).where(*conditions).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


_Sums = dict[int, tuple[int, int, int]]


def _summed(
    connection: Connection, asked: list[tuple[str, str]], start: datetime, step: timedelta, count: int
) -> _Sums:
    name: int | None = 0
    for kind, value in asked:
        name = number_of(connection, kind, value)
    if name is None:
        return {}
    sums, width = tables.hours.c, step // timedelta(hours=1)
    first = (start - EPOCH) // timedelta(hours=1)
    place = (sums.hour - first) // width
    found = (
        select(place, func.sum(sums.permitted), func.sum(sums.routine), func.sum(sums.refused))
        .where(sums.name == name, sums.hour >= first, sums.hour < first + width * count)
        .group_by(place)
    )
    return {int(row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in connection.execute(found)}


def _counted(
    connection: Connection, wanted: RecordFilter, start: datetime, step: timedelta, count: int
) -> _Sums:
    conditions = _conditions(connection, replace(wanted, time_from=start, time_to=start + step * count))
    if conditions is None:
        return {}
    records = tables.records.c
    place = (records.time - (start - EPOCH) // MICROSECOND) // (step // MICROSECOND)
    routine = records.shown == tables.ROUTINE
    query = (
        select(place, records.decision, routine, func.count())
        .where(*conditions, records.decision.is_not(None), records.shown != tables.FOLDED)
        .group_by(place, records.decision, routine)
    )
    found: _Sums = {}
    for at, decision, daily, number in connection.execute(query):
        permitted, usual, refused = found.get(int(at), (0, 0, 0))
        if decision == DECISIONS["deny"]:
            refused += number
        elif daily:
            usual += number
        else:
            permitted += number
        found[int(at)] = permitted, usual, refused
    return found


def _named(wanted: RecordFilter) -> tuple[tuple[str, str | None], ...]:
    """Return what is asked of each column, the one that leaves the fewest records first."""
    return (
        ("document", wanted.document),
        ("actor", wanted.person),
        ("label", wanted.label),
        ("programme", wanted.programme),
        ("organisation", wanted.organisation),
        ("action", wanted.action),
    )


def _conditions(connection: Connection, wanted: RecordFilter) -> list[ColumnElement[bool]] | None:
    """Return what a record's row must meet, or None when no record can.

    One index is to be used: that of refusals where these are asked for, else that of the first condition.
    """
    records = tables.records
    found: list[ColumnElement[bool]] = []
    if wanted.decision is not None and wanted.decision not in DECISIONS:
        raise Invalid("a decision is permit or deny")
    refused = wanted.decision == "deny"
    for kind, value in _named(wanted):
        if value is None:
            continue
        number = number_of(connection, kind, value)
        if number is None:
            return None
        column = tables.unindexed(kind) if found or refused else records.c[kind]
        found.append(column == number)
    if refused:
        found.append(tables.REFUSED)  # type: ignore[arg-type]
    elif wanted.decision is not None:
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
