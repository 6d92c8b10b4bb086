"""Tracing one document or one person by the projection: who was shown what, how often, first and last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select, func, select

from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND
from portal.audit.catalogue import CATALOGUE
from portal.audit.projection import Projection
from portal.audit.store import reading

_DISCLOSING = sorted(name for name, entry in CATALOGUE.items() if entry.discloses)


@dataclass(frozen=True, slots=True)
class Reader:
    """Someone to whom a document was disclosed: the first and the last time, and how many times.

    `organisation` is the one that they belonged to when they came last; `size` is in bytes handed over.
    """

    person: str
    document: str
    organisation: str | None
    first: int
    first_time: datetime
    last: int
    last_time: datetime
    count: int
    views: int
    downloads: int
    size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Someone who was refused something about a document, how many times, and the last entry about it."""

    person: str
    document: str
    organisation: str | None
    count: int
    last: int
    last_time: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """Readers of a document by organisation (None: none is recorded)."""

    organisation: str | None
    people: int
    views: int
    downloads: int
    size: int
    first_time: datetime
    last_time: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the readers of one document, or over what one person read: `others` are people, or documents.

    `unsure` are disclosures whose end is not recorded.
    """

    others: int
    views: int
    downloads: int
    size: int
    refused: int
    refused_others: int
    unsure: int


@dataclass(frozen=True, slots=True)
class Known:
    """A value that the log carries: its newest record and how many records carry it."""

    value: str
    last: int
    last_time: datetime
    count: int


class Traces:
    """Answers about one log; every answer first catches the projection up."""

    def __init__(self, engine: Engine, projection: Projection) -> None:
        self._engine = engine
        self._projection = projection

    def readers_of(
        self, document: str, before: int | None = None, limit: int | None = None
    ) -> tuple[Reader, ...]:
        """Return to whom a document's content was disclosed, the most recent first; `before` is a reader's `last`."""
        return self._readers("document", document, before, limit)

    def readers_of_each(self, documents: Collection[str]) -> Mapping[str, tuple[Reader, ...]]:
        """Return the readers of several documents at once, without those that nobody has read."""
        if not documents:
            return {}
        names, readers = tables.names, tables.readers
        wanted = select(names.c.id).where(names.c.kind == "document", names.c.value.in_(documents))
        found: dict[str, list[Reader]] = {}
        with self._reading() as connection:
            query = _readers().where(readers.c.document.in_(wanted), readers.c["count"] > 0)
            for row in connection.execute(query.order_by(readers.c.last.desc())):
                reader = _reader(row)
                found.setdefault(reader.document, []).append(reader)
        return {document: tuple(ones) for document, ones in found.items()}

    def readings_of(
        self, person: str, before: int | None = None, limit: int | None = None
    ) -> tuple[Reader, ...]:
        """Return which documents were disclosed to a person, the most recent first."""
        return self._readers("actor", person, before, limit)

    def refused(self, kind: str, value: str, limit: int) -> tuple[Refused, ...]:
        """Return who was refused a document (`kind` document), or what a person was refused (actor), latest first."""
        readers, last = tables.readers, tables.records.alias("last")
        actor, document, organisation = (tables.names.alias(name) for name in ("a", "d", "o"))
        with self._reading() as connection:
            number = number_of(connection, kind, value)
            if number is None:
                return ()
            found = (
                select(
                    actor.c.value,
                    document.c.value,
                    organisation.c.value,
                    readers.c.refused,
                    readers.c.refused_last,
                    last.c.time,
                )
                .join_from(readers, actor, actor.c.id == readers.c.actor)
                .join(document, document.c.id == readers.c.document)
                .outerjoin(organisation, organisation.c.id == readers.c.organisation)
                .join(last, last.c.seq == readers.c.refused_last)
                .where(readers.c[kind] == number, readers.c.refused > 0)
                .order_by(readers.c.refused_last.desc())
                .limit(limit)
            )
            return tuple(
                Refused(row[0], row[1], row[2], row[3], row[4], moment(row[5]))
                for row in connection.execute(found)
            )

    def totals(self, kind: str, value: str) -> Totals:
        """Return the sums over a document's readers (`kind` is document), or over a person's readings (actor)."""
        readers = tables.readers.c
        with self._reading() as connection:
            number = number_of(connection, kind, value)
            if number is None:
                return Totals(0, 0, 0, 0, 0, 0, 0)
            sums = select(
                func.count().filter(readers["count"] > 0),
                func.coalesce(func.sum(readers.views), 0),
                func.coalesce(func.sum(readers.downloads), 0),
                func.coalesce(func.sum(readers.bytes), 0),
                func.coalesce(func.sum(readers.refused), 0),
                func.count().filter(readers.refused > 0),
            ).where(readers[kind] == number)
            disclosing = select(tables.names.c.id).where(
                tables.names.c.kind == "action", tables.names.c.value.in_(_DISCLOSING)
            )
            unsure = (
                select(func.count())
                .select_from(tables.records)
                .where(
                    tables.UNSURE,
                    tables.unindexed(kind) == number,
                    tables.unindexed("action").in_(disclosing),
                )
            )
            number_unsure = connection.execute(unsure).scalar_one()
            row = connection.execute(sums).one()
            return Totals(row[0], row[1], row[2], row[3], row[4], row[5], number_unsure)

    def groups(self, document: str) -> tuple[Group, ...]:
        """Return a document's readers by organisation, the most recent first."""
        readers, names = tables.readers.c, tables.names
        first, last = tables.records.alias("first"), tables.records.alias("last")
        with self._reading() as connection:
            number = number_of(connection, "document", document)
            if number is None:
                return ()
            sums = (
                select(
                    readers.organisation,
                    func.count().label("people"),
                    func.sum(readers.views).label("views"),
                    func.sum(readers.downloads).label("downloads"),
                    func.sum(readers.bytes).label("bytes"),
                    func.min(readers.first).label("first"),
                    func.max(readers.last).label("last"),
                )
                .where(readers.document == number, readers["count"] > 0)
                .group_by(readers.organisation)
                .subquery()
            )
            found = (
                select(
                    names.c.value, *sums.c["people", "views", "downloads", "bytes"], first.c.time, last.c.time
                )
                .join_from(sums, names, names.c.id == sums.c.organisation, isouter=True)
                .join(first, first.c.seq == sums.c.first)
                .join(last, last.c.seq == sums.c.last)
                .order_by(sums.c.last.desc())
            )
            return tuple(
                Group(row[0], row[1], row[2], row[3], row[4], moment(row[5]), moment(row[6]))
                for row in connection.execute(found)
            )

    def known(
        self,
        kind: str,
        *,
        before: int | None = None,
        limit: int = 50,
        starting: str | None = None,
        among: Sequence[str] | None = None,
    ) -> tuple[Known, ...]:
        """Return values of a kind that the log carries, the most recently recorded first.

        `starting` keeps those that begin so, `among` those of a list; `before` is the `last` of the one above.
        """
        names, records = tables.names.c, tables.records.c
        conditions: list[ColumnElement[bool]] = [names.kind == kind]
        if starting is not None:
            conditions += [names.value >= starting, names.value < starting + "\U0010ffff"]
        if among is not None:
            conditions.append(names.value.in_(among))
        if before is not None:
            conditions.append(names.last < before)
        found = (
            select(names.value, names.last, records.time, names["count"])
            .join_from(tables.names, tables.records, records.seq == names.last)
            .where(*conditions)
            .order_by(names.last.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            return tuple(Known(row[0], row[1], moment(row[2]), row[3]) for row in connection.execute(found))

    def _readers(self, kind: str, value: str, before: int | None, limit: int | None) -> tuple[Reader, ...]:
        with self._reading() as connection:
            number = number_of(connection, kind, value)
            if number is None:
                return ()
            found = _readers().where(tables.readers.c[kind] == number, tables.readers.c["count"] > 0)
            if before is not None:
                found = found.where(tables.readers.c.last < before)
            rows = connection.execute(found.order_by(tables.readers.c.last.desc()).limit(limit))
            return tuple(_reader(row) for row in rows)

    def _reading(self) -> Any:
        self._projection.catch_up()
        return reading(self._engine)


def _readers() -> Select[Any]:
    readers = tables.readers
    actor, document, organisation = (tables.names.alias(name) for name in ("a", "d", "o"))
    first, last = tables.records.alias("first"), tables.records.alias("last")
    joined: FromClause = (
        readers.join(actor, actor.c.id == readers.c.actor)
        .join(document, document.c.id == readers.c.document)
        .outerjoin(organisation, organisation.c.id == readers.c.organisation)
        .join(first, first.c.seq == readers.c.first)
        .join(last, last.c.seq == readers.c.last)
    )
    return select(
        actor.c.value,
        document.c.value,
        organisation.c.value,
        readers.c.first,
        first.c.time,
        readers.c.last,
        last.c.time,
        *(readers.c[name] for name in ("count", "views", "downloads", "bytes")),
    ).select_from(joined)


def _reader(row: Any) -> Reader:
    return Reader(row[0], row[1], row[2], row[3], moment(row[4]), row[5], moment(row[6]), *row[7:])


def moment(microseconds: int) -> datetime:
    """Return the time that a record's row holds."""
    return EPOCH + MICROSECOND * microseconds


def number_of(connection: Connection, kind: str, value: str) -> int | None:
    """Return the number by which the projection calls a value of this kind."""
    found = select(tables.names.c.id).where(tables.names.c.kind == kind, tables.names.c.value == value)
    return connection.execute(found).scalar()
