"""Wrapping and sealing anew what stands under an older version of a key, in small transactions.

Each `Work` goes through its rows in the order of their keys, a batch at a time; what stands under the newest version
already is passed over, so a batch can be done again after a crash. A row that does not verify is reported and left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from crypto import envelope
from crypto.errors import Damaged
from crypto.keyring import DekContext, KeyRing, SealingKind
from crypto.parts import Part, parts_digest
from crypto.titlepack import open_piece, seal_piece
from portal import models
from portal.audit import AuditLog
from portal.identity.emails import email_index
from portal.models.base import Octets
from portal.models.database import Database
from portal.models.sealing import column_names
from portal.services.alarm import Alarm

DEKS_AT_ONCE = 2_000
ROWS_AT_ONCE = 200
_PREFIX: ColumnElement[int] = literal_column(str(envelope.PREFIX_BYTES))


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch came to: where the next one begins ("" when there is none), rows done and rows left as they were."""

    place: str
    done: int
    failed: int


class Work(Protocol):
    """What a rotation of one kind of key has to go through."""

    def total(self) -> int:
        """Return how many rows there are to do, about."""

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Do the rows after `place`; `keep` is called in the transaction that writes them."""


class Deks:
    """DEKs of a security domain: rows of versions, written by executemany."""

    def __init__(self, database: Database, ring: KeyRing, alarm: Alarm, domain: str) -> None:
        self._database = database
        self._ring = ring
        self._alarm = alarm
        self._domain = domain
        self._table = cast(Table, models.Version.__table__)
        self._names = column_names(self._table)
        self._dek = self._names.index("wrapped_dek")

    def total(self) -> int:
        """Return how many versions are under older KEKs of the domain."""
        older = [_prefix(key_id) for key_id in self._older()]
        query = select(func.count()).where(models.KEK_OF_VERSION.in_(older))
        with self._database.read() as session:
            return session.scalar(query) or 0

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Rewrap at most `DEKS_AT_ONCE` versions; `place` is `KEK/DOCUMENT/NUMBER`."""
        key_id, document_id, number = place.split("/") if place else ("", "", "0")
        for kek in self._older():
            if kek < key_id:
                continue
            after = (document_id, int(number)) if kek == key_id else ("", 0)
            rows = self._rows(kek, after)
            if rows:
                last = rows[-1]
                return self._write(rows, f"{kek}/{last.document_id}/{last.number}", keep)
        return Batch("", 0, 0)

    def _older(self) -> list[str]:
        keys = [key for key in self._ring.stored() if (key.kind, key.domain) == ("kek", self._domain)]
        newest = max((key.version for key in keys), default=0)
        return sorted(key.id for key in keys if key.version < newest and key.wrapped)

    def _rows(self, kek: str, after: tuple[str, int]) -> Sequence[Row[Any]]:
        versions, documents = self._table, cast(Table, models.Document.__table__)
        query = (
            select(versions, documents.c.label_digest)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(
                bindparam("kek", _prefix(kek)) == models.KEK_OF_VERSION,
                tuple_(versions.c.document_id, versions.c.number) > tuple_(*after),
            )
            .order_by(versions.c.document_id, versions.c.number)
            .limit(DEKS_AT_ONCE)
        )
        with self._database.read() as session:
            return session.execute(query).all()

    def _write(
        self, rows: Sequence[Row[Any]], place: str, keep: Callable[[Connection, Batch], None]
    ) -> Batch:
        changes, failed = [], 0
        for row in rows:
            try:
                changes.append(self._changed(row))
            except (Damaged, TypeError, ValueError):
                failed += 1
                fault = models.TamperedRow(self._table.name, f"{row.document_id}/{row.number}")
                self._alarm.report(fault, None)
        batch = Batch(place, len(changes), failed)
        with self._database.write() as session:
            connection = session.connection()
            if changes:
                connection.execute(_UPDATE, changes)
            keep(connection, batch)
        return batch

    def _changed(self, row: Row[Any]) -> dict[str, object]:
        found = row._mapping
        parts = [
            Part(plain, cipher, bytes.fromhex(digest)) for plain, cipher, digest in json.loads(row.parts)
        ]
        context = DekContext(row.document_id, row.number, row.label_digest, parts_digest(parts))
        wrapped = self._ring.rewrap_dek(row.wrapped_dek, context)
        seal = self._database.seals.rows.reseal(
            self._table.name,
            f"{row.document_id}/{row.number}",
            row.row_version,
            self._names,
            [found[name] for name in self._names],
            row.seal,
            (self._dek, wrapped),
        )
        return {
            "of_document": row.document_id,
            "of_number": row.number,
            "of_version": row.row_version,
            "dek": wrapped,
            "next": row.row_version + 1,
            "new_seal": seal,
        }


_VERSIONS = cast(Table, models.Version.__table__)
_UPDATE = (
    update(_VERSIONS)
    .where(
        _VERSIONS.c.document_id == bindparam("of_document"),
        _VERSIONS.c.number == bindparam("of_number"),
        # One that changed meanwhile is met again by the second pass.
        _VERSIONS.c.row_version == bindparam("of_version"),
    )
    .values(wrapped_dek=bindparam("dek"), row_version=bindparam("next"), seal=bindparam("new_seal"))
)


class SealedRows:
    """Rows of every sealed table under older versions of the `row`, `column` or `index` key."""

    def __init__(self, database: Database, ring: KeyRing, alarm: Alarm, kind: SealingKind) -> None:
        self._database = database
        self._ring = ring
        self._alarm = alarm
        self._kind = kind
        mappers = [m for m in models.Base.registry.mappers if issubclass(m.class_, models.SealedRow)]
        found = sorted((mapper.class_ for mapper in mappers), key=lambda model: str(model.__tablename__))
        self._models: list[type[models.SealedRow]] = [model for model in found if self._columns(model)]

    def total(self) -> int:
        """Return how many rows the tables have."""
        with self._database.read() as session:
            counts = [session.scalar(select(func.count()).select_from(model)) or 0 for model in self._models]
        return sum(counts)

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Seal at most `ROWS_AT_ONCE` rows anew; `place` is JSON, a table and the last key in it."""
        name, after = json.loads(place) if place else ("", None)
        for model in self._models:
            if model.__tablename__ < name:
                continue
            keys = self._keys(model, after if model.__tablename__ == name else None)
            if keys:
                return self._write(model, keys, keep)
        return Batch("", 0, 0)

    def _columns(self, model: type[models.SealedRow]) -> list[str]:
        if self._kind == "row":
            return ["seal"]
        if self._kind == "index":
            return ["email_index"] if model is models.Person else []
        return [model.__dict__[text].column for text in model.sealed_texts]

    def _keys(self, model: type[models.SealedRow], after: Sequence[Any] | None) -> Sequence[Row[Any]]:
        table = cast(Table, model.__table__)
        key = list(table.primary_key.columns)
        kind = envelope.FORMATS[self._kind]
        newest = envelope.prefix(kind, self._ring.sealing(self._kind).id)
        older = [
            func.substr(table.c[name], literal_column("1"), _PREFIX, type_=Octets()) != newest
            for name in self._columns(model)
        ]
        query = select(*key).where(or_(*older)).order_by(*key).limit(ROWS_AT_ONCE)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        with self._database.read() as session:
            return session.execute(query).all()

    def _write(
        self,
        model: type[models.SealedRow],
        keys: Sequence[Row[Any]],
        keep: Callable[[Connection, Batch], None],
    ) -> Batch:
        done, failed = 0, 0
        with self._database.write() as session:
            for key in keys:
                try:
                    done += self._reseal(session, model, tuple(key))
                except models.TamperedRow as fault:
                    failed += 1
                    self._alarm.report(fault, None)
            session.flush()
            batch = Batch(json.dumps([model.__tablename__, list(keys[-1])]), done, failed)
            keep(session.connection(), batch)
        return batch

    def _reseal(self, session: Session, model: type[models.SealedRow], key: tuple[Any, ...]) -> int:
        row = session.get(model, key)
        if row is None:
            return 0
        for name in row.sealed_texts:
            getattr(row, name)  # opened before anything of it is written
        if isinstance(row, models.Person) and self._kind == "index":
            row.email_index = email_index(self._database.seals.rows, row.email)
        flag_modified(row, "seal")
        return 1


class Packs:
    """Pieces of title packs under older versions of the `pack` key."""

    def __init__(self, database: Database, ring: KeyRing, alarm: Alarm) -> None:
        self._database = database
        self._ring = ring
        self._alarm = alarm

    def total(self) -> int:
        """Return how many pieces there are."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(models.TitlePiece)) or 0

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Seal one piece anew: it may hold thousands of titles. `place` is `PROGRAMME/NUMBER`."""
        programme, _, number = place.partition("/")
        piece = models.TitlePiece
        newest = envelope.prefix(envelope.PACK, self._ring.sealing("pack").id)
        query = (
            select(piece)
            .where(
                tuple_(piece.programme_id, piece.number) > tuple_(programme, int(number or 0)),
                func.substr(piece.piece, literal_column("1"), _PREFIX, type_=Octets()) != newest,
            )
            .order_by(piece.programme_id, piece.number)
            .limit(1)
        )
        with self._database.write() as session:
            row = session.scalars(query).first()
            if row is None:
                return Batch("", 0, 0)
            try:
                entries = open_piece(self._ring, row.programme_id, row.number, row.piece)
                row.piece = seal_piece(self._ring, row.programme_id, row.number, entries)
                session.flush()
                batch = Batch(f"{row.programme_id}/{row.number}", 1, 0)
            except Damaged:
                self._alarm.report(
                    models.TamperedRow("title_pieces", f"{row.programme_id}/{row.number}"), None
                )
                batch = Batch(f"{row.programme_id}/{row.number}", 0, 1)
            keep(session.connection(), batch)
        return batch


class Disclosures:
    """What opens the log's commitments, under older versions of the `column` key."""

    def __init__(self, database: Database, log: AuditLog) -> None:
        self._database = database
        self._log = log

    def total(self) -> int:
        """Return how many there are."""
        return self._log.disclosures.count()

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Seal at most `ROWS_AT_ONCE` anew; `place` is `NUMBER/NAME`."""
        number, _, name = place.partition("/")
        last, done, failed = self._log.disclosures.reseal((int(number or -1), name), ROWS_AT_ONCE)
        batch = Batch("" if last is None else f"{last[0]}/{last[1]}", done, failed)
        with self._database.write() as session:
            keep(session.connection(), batch)
        return batch


class Roots:
    """Keys of the ring under older versions of the root key."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring

    def total(self) -> int:
        """Return how many keys are under older versions."""
        root = self._ring.root
        return sum(1 for key in self._ring.stored() if key.wrapped and not root.is_current(key.wrapped))

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Rewrap at most `ROWS_AT_ONCE` keys."""
        done = self._ring.rewrap(ROWS_AT_ONCE)
        batch = Batch("more" if done == ROWS_AT_ONCE else "", done, 0)
        with self._database.write() as session:
            keep(session.connection(), batch)
        return batch


class Chain:
    """Several works one after the other; `place` is the number of the one that is under way, a colon, its place."""

    def __init__(self, *works: Work) -> None:
        self._works = works

    def total(self) -> int:
        """Return how many rows there are in all."""
        return sum(work.total() for work in self._works)

    def batch(self, place: str, keep: Callable[[Connection, Batch], None]) -> Batch:
        """Do a batch of the work that is under way."""
        number, _, inner = place.partition(":")
        for index in range(int(number or 0), len(self._works)):
            batch = self._works[index].batch(inner, self._keeping(index, keep))
            if batch.place:
                return self._renamed(index, batch)
            inner = ""
        return Batch("", 0, 0)

    def _keeping(
        self, index: int, keep: Callable[[Connection, Batch], None]
    ) -> Callable[[Connection, Batch], None]:
        return lambda connection, batch: keep(connection, self._renamed(index, batch))

    def _renamed(self, index: int, batch: Batch) -> Batch:
        return Batch(f"{index}:{batch.place}", batch.done, batch.failed)


def _prefix(key_id: str) -> bytes:
    return envelope.prefix(envelope.WRAPPED, key_id)


__all__ = ["Batch", "Chain", "Deks", "Disclosures", "Packs", "Roots", "SealedRows", "Work"]
