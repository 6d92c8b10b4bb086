"""Checking storage: database, manifests, blobs, keys and log are compared with one another, both ways.

The check is made of units that stand alone, so that processes can share them and a check that was stopped goes on. It
only reads, works beside a running portal, and sees no plaintext of any document (`crypto.inspection`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, Table, select, tuple_

from crypto.errors import CryptoError, KeyUnavailable
from crypto.keyring import KeyRing
from policies.requests import DocumentState
from portal import models
from portal.audit import AuditLog, Event, RecordFilter
from portal.errors import PortalError, Tampered, Unavailable
from portal.models.database import Database
from portal.services.alarm import Alarm
from portal.services.counters import count, recount
from portal.services.fsck_documents import PREFIXES, DocumentCheck, check_row
from portal.services.fsck_findings import Finding, Result
from portal.services.fsck_log import LogCheck
from portal.services.manifests import Manifests
from portal.services.titles import Titles
from portal.storage import BlobStore

_AT_ONCE = 1000
_MOST_RECORDED = 100
_SEPARATE = frozenset({models.Document.__tablename__, models.Version.__tablename__})
_OF_ROWS = frozenset({"row", "older", "lost", "unlogged"})
_ALARMING = _OF_ROWS | {"manifest", "part", "missing", "exchanged", "wrapped-key", "key"}
"""Kinds that are recorded one by one: somebody may have laid hands on what is stored."""
ACTION = "storage.verify"


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The last check that the log tells of; `faults` counts findings, `unchecked` the units that could not be made."""

    time: datetime
    documents: int
    faults: int
    unchecked: int
    log_entry: int


class Fsck:
    """Plans a check, makes its units, and records what it came to."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        log_engine: Engine,
        anchor: Path,
        ring: KeyRing,
        blobs: BlobStore,
        titles: Titles,
        manifests: Manifests,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._ring = ring
        self._titles = titles
        self._manifests = manifests
        self._alarm = alarm
        self._documents = DocumentCheck(database, log, ring, blobs)
        self._log_check = LogCheck(database, log, log_engine, ring, anchor)

    def plan(self) -> Sequence[str]:
        """Return the names of all units, the long ones first."""
        tables = [name for name in _sealed_tables() if name not in _SEPARATE]
        return (
            "log",
            "keys",
            "titles",
            "counters",
            *(f"rows:{name}" for name in tables),
            *(f"documents:{prefix}" for prefix in PREFIXES),
        )

    def check(self, unit: str) -> Result:
        """Make one unit of the plan; what cannot be looked at now is a finding of the kind `unreadable`."""
        kind, _, rest = unit.partition(":")
        try:
            match kind:
                case "log":
                    return self._log_check.check()
                case "keys":
                    return self._check_keys()
                case "titles":
                    return self._check_titles()
                case "counters":
                    return self._check_counters()
                case "rows":
                    return self._check_rows(rest)
                case _:
                    return self._documents.check(rest)
        except Tampered as fault:
            result = Result(unit)
            result.add("row", unit, fault.message)
        except (Unavailable, KeyUnavailable) as fault:
            result = Result(unit)
            result.add("unreadable", unit, getattr(fault, "message", str(fault)))
        return result

    # Units

    def _check_rows(self, name: str) -> Result:
        result = Result(f"rows:{name}")
        model = _sealed_tables()[name]
        table = cast(Table, model.__table__)
        for row in self._stream(table):
            result.count("rows")
            key = "/".join(str(row[column.key]) for column in table.primary_key.columns)
            try:
                check_row(self._database.seals, model, row)
            except PortalError:
                result.add("row", f"{name} {key}", "its row was altered behind the portal's back")
        return result

    def _stream(self, table: Table) -> Iterator[Mapping[str, Any]]:
        """Yield all rows, a thousand at a time, so that no reading holds the database's state for long."""
        keys = tuple(table.primary_key.columns)
        last: tuple[Any, ...] | None = None
        while True:
            query = select(table).order_by(*keys).limit(_AT_ONCE)
            if last is not None:
                query = query.where(_after(keys, last))
            with self._database.read() as session:
                rows = [dict(row) for row in session.execute(query).mappings()]
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            last = tuple(rows[-1][key.key] for key in keys)

    def _check_keys(self) -> Result:
        result = Result("keys")
        self._ring.reload()
        with self._database.read() as session:
            ids = session.scalars(
                select(models.Key.id).where(models.Key.wrapped != b"").order_by(models.Key.id)
            ).all()
        for key_id in ids:
            result.count("keys")
            try:
                self._ring.by_id(key_id)
            except CryptoError as fault:
                if isinstance(fault, KeyUnavailable):
                    raise
                result.add("key", f"key {key_id}", str(fault))
        return result

    def _check_titles(self) -> Result:
        result = Result("titles")
        with self._database.read() as session:
            programmes = session.scalars(select(models.Programme.id).order_by(models.Programme.id)).all()
        for programme_id in programmes:
            with self._database.read() as session:
                try:
                    packed = self._titles.entries(session, programme_id)
                except Tampered:
                    result.add("titles", f"programme {programme_id}", "a piece of its title pack was altered")
                    continue
                table = models.Document
                query = select(table.id, table.label_digest, table.state).where(
                    table.programme_id == programme_id, table.state != DocumentState.DESTROYED.value
                )
                rows = session.execute(query).all()
            # What is contained need not be found by its title; what is open must be.
            there = {(row[0], row[1]) for row in rows}
            must = {(row[0], row[1]) for row in rows if row[2] == DocumentState.RECEIVED.value}
            known = {(entry.document_id, entry.label_digest) for entry in packed.values()}
            result.count("titles", len(packed))
            if must - known:
                problem = f"its title pack lacks {len(must - known):,} documents"
                result.add("titles", f"programme {programme_id}", problem)
            if known - there:
                problem = (
                    f"its title pack names {len(known - there):,} documents that are not there so labelled"
                )
                result.add("titles", f"programme {programme_id}", problem)
        return result

    def _check_counters(self) -> Result:
        result = Result("counters")
        with self._database.read() as session:
            rows = session.scalars(select(models.Counter)).all()
            counted = {
                (row.programme_id, row.label_id, row.originator_id, row.addressee_id, row.state): row.number
                for row in rows
            }
            there = count(session)
        result.count("counters", len(counted))
        for place in sorted({**counted, **there}):
            if counted.get(place, 0) != there.get(place, 0):
                problem = f"it says {counted.get(place, 0):,} documents, there are {there.get(place, 0):,}"
                result.add("counter", f"counter {'/'.join(map(str, place))}", problem)
        return result

    # What can be made anew

    def repair(self, findings: Sequence[Finding]) -> int:
        """Write anew what follows from other things (manifests, title packs, counters); return how many were written.

        Nothing is removed and no document is touched. It is recorded first; raises PortalError.
        """
        versions = {
            (found.document, found.version)
            for found in findings
            if found.kind in ("manifest", "manifest-behind") and found.version
        }
        programmes = {found.place.split()[-1] for found in findings if found.kind == "titles"}
        counters = any(found.kind == "counter" for found in findings)
        objects = len(versions) + len(programmes) + counters
        if not objects:
            return 0
        self._log.append(Event(action="storage.repair", details={"objects": objects}))
        written = sum(self._manifests.follow(*version) for version in sorted(versions))
        for programme_id in sorted(programmes):
            with self._database.write() as session:
                self._titles.rebuild(session, programme_id)
        if counters:
            with self._database.write() as session:
                recount(session)
        return written + len(programmes) + counters

    # What it came to

    def record(self, results: Sequence[Result], seconds: float) -> int:
        """Record a finished check, and its damage, each by id (at most a hundred); return the log's entry."""
        findings = [found for result in results for found in result.findings if found.damage]
        for found in [found for found in findings if found.kind in _ALARMING][:_MOST_RECORDED]:
            self._alarm.report(_tampered(found), None)
        totals: dict[str, int] = {}
        for result in results:
            for name, number in result.counts.items():
                totals[name] = totals.get(name, 0) + number
        counted = ("documents", "versions", "parts", "size", "rows", "records")
        receipt = self._log.append(
            Event(
                action=ACTION,
                details={
                    **{name: totals.get(name, 0) for name in counted},
                    "seconds": int(seconds),
                    "faults": len(findings),
                    "kinds": sorted({found.kind for found in findings}),
                    "unchecked": sum(found.kind == "unreadable" for found in findings),
                },
            )
        )
        return receipt.seq

    def last(self) -> LastCheck | None:
        """Return what the last recorded check came to, None when there was none."""
        page = self._log.search(RecordFilter(action=ACTION), limit=1)
        if not page.records:
            return None
        record = page.records[0]
        details = record.get("details") or {}
        documents, faults, unchecked = (details.get(name, 0) for name in ("documents", "faults", "unchecked"))
        return LastCheck(record.time, documents, faults, unchecked, record.seq)


def _sealed_tables() -> dict[str, type[models.SealedRow]]:
    found: dict[str, type[models.SealedRow]] = {}
    waiting = list(models.SealedRow.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if "__tablename__" in model.__dict__:
            found[model.__tablename__] = model
    return dict(sorted(found.items()))


def _after(keys: Sequence[Any], last: Sequence[Any]) -> Any:
    return keys[0] > last[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*last)


def _tampered(found: Finding) -> Tampered:
    if found.kind in _OF_ROWS:
        table, _, key = found.place.partition(" ")
        if found.document:
            table = "versions" if found.version else "documents"
            key = f"{found.document}/{found.version}" if found.version else found.document
        return models.TamperedRow(table, key)
    fault = Tampered(found.problem)
    fault.place = f"{found.document}/{found.version}" if found.document else found.place.replace(" ", ":")
    return fault
