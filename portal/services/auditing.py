"""Auditing: searching, reading and exporting the access log, each recorded in it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Event, Receipt
from portal.audit.catalogue import MAX_INTEGER
from portal.audit.reading import Record
from portal.audit.search import Activity, RecordFilter
from portal.clock import Clock, rfc3339
from portal.errors import Invalid
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.pages import Cursors, Page, check_limit

FORMATS = ("jsonl", "csv")
_MOST_BARS = 400


@dataclass(frozen=True, slots=True)
class Names:
    """Names for the ids of a page of records: people, organisations, programmes; documents have no names here."""

    people: dict[str, str]
    organisations: dict[str, str]
    programmes: dict[str, str]


@dataclass(frozen=True, slots=True)
class LogHealth:
    """`records` are committed, `signed` of them are covered by the last checkpoint (None: by none yet)."""

    records: int
    signed: int | None


class Auditing:
    """What auditors do; they never see a document."""

    def __init__(
        self, log: AuditLog, database: Database, access: Access, cursors: Cursors, clock: Clock
    ) -> None:
        self._log = log
        self._database = database
        self._access = access
        self._cursors = cursors
        self._clock = clock

    def search(
        self, actor: Actor, wanted: RecordFilter, cursor: str | None = None, limit: int = 50
    ) -> Page[Record]:
        """Return a page of records, newest first; the look is itself recorded."""
        check_limit(limit)
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
        before = None if cursor is None else int(self._cursors.read("records", actor.person_id, cursor))
        found = self._log.search(wanted, before=before, limit=limit)
        shown = "\n".join(str(record.seq) for record in found.records)
        self._log.append(
            self._access.event(
                actor,
                Action.LOG_SEARCH,
                decision="permit",
                details={
                    **_selection(wanted),
                    "shown": len(found.records),
                    "shown_digest": hashlib.sha256(shown.encode()).hexdigest(),
                },
            )
        )
        following = None
        if found.next is not None:
            following = self._cursors.write("records", actor.person_id, found.next)
        return Page(found.records, following)

    def activity(self, actor: Actor, wanted: RecordFilter) -> Sequence[Activity]:
        """Return accesses and refusals an hour over the last day, or over the filter's period (a day for each bar).

        Part of the page that `search` records.
        """
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
        end = wanted.time_to or self._clock()
        start = wanted.time_from or end - timedelta(hours=24)
        step = timedelta(hours=1) if end - start <= timedelta(days=2) else timedelta(days=1)
        first = start.replace(minute=0, second=0, microsecond=0)
        if step > timedelta(hours=1):
            first = first.replace(hour=0)
        return self._log.activity(wanted, first, step, min(_MOST_BARS, -(-(end - first) // step)))

    def health(self, actor: Actor) -> LogHealth:
        """Return how many records there are and when and up to which one the log was signed last."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
        signed = self._log.latest_checkpoint()
        return LogHealth(self._log.size(), signed.size if signed else None)

    def record(self, actor: Actor, seq: int) -> Record:
        """Return one record; the look is itself recorded. Raises NotFound."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_READ)
        found = self._log.record(min(seq, MAX_INTEGER))
        self._log.append(
            self._access.event(actor, Action.LOG_READ, decision="permit", details={"record": seq})
        )
        return found

    def names(self, actor: Actor, records: Sequence[Record]) -> Names:
        """Return the names behind the ids in `records`, as the auditor may see them."""
        wanted = {found for record in records for name in ("actor", "target") if (found := record.get(name))}
        organisations = {record.get("organisation") for record in records} - {None}
        programmes = {record.get("programme") for record in records} - {None}
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            people = session.scalars(select(models.Person).where(models.Person.id.in_(wanted)))
            firms = session.scalars(
                select(models.Organisation).where(models.Organisation.id.in_(organisations))
            )
            works = session.scalars(select(models.Programme).where(models.Programme.id.in_(programmes)))
            return Names(
                {row.id: row.name for row in people},
                {row.id: row.name for row in firms},
                {row.id: row.name for row in works},
            )

    def export(self, actor: Actor, wanted: RecordFilter, form: str) -> tuple[Receipt, ExportStream]:
        """Record the export, sign a checkpoint and return the intent's receipt and the stream of bytes.

        The outcome is recorded when the stream ends or is given up. Raises Invalid for an unknown format.
        """
        if form not in FORMATS:
            raise Invalid(f"There is no export format {form!r}.", mend=f"Use one of {', '.join(FORMATS)}.")
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_EXPORT)
        intent = self._access.event(
            actor, Action.LOG_EXPORT, decision="permit", details={**_selection(wanted), "format": form}
        )
        receipt = self._log.append(intent)
        self._log.checkpoint()
        return receipt, ExportStream(self._log, intent, receipt, self._log.export(form, wanted))


class ExportStream(Iterator[bytes]):
    """An export's bytes; records the outcome when they end or are given up, also before the first of them (HEAD)."""

    def __init__(self, log: AuditLog, intent: Event, receipt: Receipt, export: Iterator[bytes]) -> None:
        self._log = log
        self._intent = intent
        self._receipt = receipt
        self._export = export
        self._closed = False

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        try:
            return next(self._export)
        except StopIteration:
            self._record("complete")
            raise
        except BaseException:
            self._record("failed")
            raise

    def close(self) -> None:
        """Give the rest up; nothing is recorded when there is none."""
        if isinstance(self._export, Generator):
            self._export.close()
        self._record("aborted")

    def _record(self, outcome: str) -> None:
        if self._closed:
            return
        self._closed = True
        intent = self._intent
        self._log.append(
            Event(
                action=intent.action,
                actor=intent.actor,
                session=intent.session,
                organisation=intent.organisation,
                request=intent.request,
                outcome=outcome,
                completes=self._receipt.seq,
            )
        )


def _selection(wanted: RecordFilter) -> dict[str, object]:
    """Return the filter as the log states it."""
    facts: dict[str, object] = {
        name: getattr(wanted, name)
        for name in ("person", "document", "programme", "organisation", "action", "decision", "label")
        if getattr(wanted, name) is not None
    }
    if wanted.time_from is not None:
        facts["from"] = rfc3339(wanted.time_from)
    if wanted.time_to is not None:
        facts["until"] = rfc3339(wanted.time_to)
    return facts
