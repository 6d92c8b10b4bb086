"""Auditing: searching, reading and exporting the access log, each recorded in it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crypto.translog.errors import TranslogError
from crypto.translog.proofs import check_inclusion
from crypto.translog.tree import leaf_hash
from policies.requests import Action
from portal.audit import AuditLog, Event, Receipt, SignedCheckpoint
from portal.audit.checkpoint import Anchored
from portal.audit.kinds import MAX_INTEGER
from portal.audit.log import Neighbours
from portal.audit.reading import Record
from portal.audit.search import Activity, LogEntry, RecordFilter
from portal.clock import Clock, rfc3339
from portal.errors import Invalid, NotFound, Tampered, Unavailable
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.log_names import Ids, NameReader, Names
from portal.services.pages import Cursors, Page, check_limit

FORMATS = ("jsonl", "csv")
MOST = 10_000
"""How far a page counts entries; an export counts up to `MOST_EXPORTED`."""
MOST_EXPORTED = 1_000_000
_OFFERED = 50
_STEPS = (
    (timedelta(hours=3), timedelta(minutes=5)),
    (timedelta(days=2), timedelta(hours=1)),
    (timedelta(days=14), timedelta(hours=6)),
    (timedelta(days=200), timedelta(days=1)),
    (timedelta(days=1000), timedelta(days=7)),
)
"""Up to which span a chart takes which step."""
_MOST_BARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page of the log shows: a filter, the daily routine or not, only what has no recorded end or all."""

    filter: RecordFilter = field(default_factory=RecordFilter)
    routine: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class LogHealth:
    """How the log stands.

    `records` are committed, `signed` is the last checkpoint, `anchored` what lies outside the database; `fault` says
    what does not hold, "" when all does. `open_intents` have no outcome yet, `size` is in bytes on disk.
    """

    origin: str
    records: int
    signed: SignedCheckpoint | None
    anchored: Anchored | None
    fault: str
    open_intents: int
    oldest_open: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Offer:
    """Programmes, organisations (ids) and labels (markings) to filter by: those that the log carried last."""

    programmes: Sequence[str]
    organisations: Sequence[str]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of entries with what stands around it; `count` is at most `MOST`."""

    entries: Sequence[LogEntry]
    next: str | None
    count: int
    activity: Sequence[Activity]
    step: timedelta
    health: LogHealth
    offer: Offer
    names: Names


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One record with what it belongs to.

    `entry` is the intent with its outcome where the record is either of them. `proof`: "proved" (its hash is under the
    last checkpoint), "unproved" (no checkpoint covers it yet) or "proof-fails".
    """

    record: Record
    entry: LogEntry
    neighbours: Mapping[str, Neighbours]
    leaf_hash: str
    proof: str
    checkpoint: int | None
    names: Names


class Auditing:
    """What auditors do; they never see a document."""

    def __init__(
        self,
        log: AuditLog,
        database: Database,
        access: Access,
        cursors: Cursors,
        names: NameReader,
        clock: Clock,
    ) -> None:
        self._log = log
        self._database = database
        self._names = names
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
        self._record_look(actor, wanted, [record.seq for record in found.records])
        following = None
        if found.next is not None:
            following = self._cursors.write("records", actor.person_id, found.next)
        return Page(found.records, following)

    def timeline(self, actor: Actor, asked: Asked, cursor: str | None = None, limit: int = 50) -> Timeline:
        """Return a page of entries, newest first, with its chart and what may be filtered by; recorded as one look."""
        check_limit(limit)
        before = None if cursor is None else int(self._cursors.read("entries", actor.person_id, cursor))
        wanted = asked.filter
        view = {"routine": asked.routine, "unsure": asked.unsure}
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            offer = self._offer()
            found = self._log.entries(wanted, **view, before=before, limit=limit)
            ids = Ids.of(one.record for one in found.entries) | _asked_ids(wanted)
            ids |= Ids(set(), set(offer.organisations), set(offer.programmes))
            names = self._names.read(session, actor, ids)
        self._record_look(actor, wanted, [one.record.seq for one in found.entries])
        following = None
        if found.next is not None:
            following = self._cursors.write("entries", actor.person_id, found.next)
        start, step, bars = self._period(wanted)
        return Timeline(
            entries=found.entries,
            next=following,
            count=self._log.count_entries(wanted, **view, most=MOST),
            activity=() if asked.unsure else self._log.activity(wanted, start, step, bars),
            step=step,
            health=self._health(),
            offer=offer,
            names=names,
        )

    def offer(self, actor: Actor, wanted: RecordFilter) -> tuple[Offer, Names]:
        """Return what may be filtered by, and the names for it; recorded as a look."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            offer = self._offer()
            ids = Ids(set(), set(offer.organisations), set(offer.programmes)) | _asked_ids(wanted)
            names = self._names.read(session, actor, ids)
        self._record_look(actor, wanted, [], filters=("offer",))
        return offer, names

    def _offer(self) -> Offer:
        programmes, organisations, labels = (
            [one.value for one in self._log.traces.known(kind, limit=_OFFERED)]
            for kind in ("programme", "organisation", "label")
        )
        return Offer(programmes, organisations, labels)

    def activity(self, actor: Actor, wanted: RecordFilter) -> Sequence[Activity]:
        """Return accesses and refusals over the filter's period, or over the last day where it names none.

        Part of the page that `search` records. Bars are of whole hours or days: the first may begin before the period.
        """
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
        if wanted.time_from is None:
            end = wanted.time_to or self._clock()
            return self._log.activity(wanted, *self._bars(end - timedelta(hours=24), end))
        return self._log.activity(wanted, *self._period(wanted))

    def _period(self, wanted: RecordFilter) -> tuple[datetime, timedelta, int]:
        end = wanted.time_to or self._clock()
        start = wanted.time_from
        if start is None:
            start = self._log.record(0).time if self._log.size() else end
        return self._bars(min(start, end), end)

    @staticmethod
    def _bars(start: datetime, end: datetime) -> tuple[datetime, timedelta, int]:
        span = end - start
        step = next((step for most, step in _STEPS if span <= most), None)
        if step is None:
            step = timedelta(days=-(-span // (timedelta(days=1) * _MOST_BARS)))
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        first = day + (start - day) // min(step, timedelta(days=1)) * min(step, timedelta(days=1))
        return first, step, max(1, -(-(end - first) // step))

    def health(self, actor: Actor) -> LogHealth:
        """Return how the log stands: what is committed, signed and anchored, what has no end; recorded as a look."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
        self._record_look(actor, RecordFilter(), [], filters=("health",))
        return self._health()

    def _health(self) -> LogHealth:
        signed, anchored, fault = None, None, ""
        try:
            signed = self._log.latest_checkpoint()
            anchored = self._log.anchored()
            if signed is not None and anchored is None:
                fault = "The log's anchor is missing."
        except (Tampered, Unavailable) as error:
            fault = f"{error.message[0].upper()}{error.message[1:]}. {error.mend}"
        waiting = self._log.open_intents(self._clock())
        return LogHealth(
            origin=self._log.origin,
            records=self._log.size(),
            signed=signed,
            anchored=anchored,
            fault=fault,
            open_intents=len(waiting),
            oldest_open=waiting[0] if waiting else None,
            size=self._log.file_size(),
        )

    def record(self, actor: Actor, seq: int) -> Record:
        """Return one record; the look is itself recorded. Raises NotFound."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_READ)
        found = self._log.record(min(seq, MAX_INTEGER))
        self._log.append(
            self._access.event(actor, Action.LOG_READ, decision="permit", details={"record": seq})
        )
        return found

    def entry(self, actor: Actor, seq: int) -> EntryPage:
        """Return one record with what it belongs to and its proof; the look is itself recorded. Raises NotFound."""
        record = self.record(actor, seq)
        standing = self._log.standing(record)
        if record.get("completes") is not None:
            intent: Record = self._log.record(record.get("completes"))
            entry = LogEntry(intent, record, record.get("outcome") == "unknown")
        elif standing.ended is not None:
            outcome = self._log.record(standing.ended)
            entry = LogEntry(record, outcome, outcome.get("outcome") == "unknown")
        else:
            entry = LogEntry(record, None, standing.unsure)
        with self._database.read() as session:
            names = self._names.read(session, actor, Ids.of([entry.record, record]))
        proof, checkpoint = self._proof(record)
        return EntryPage(
            record, entry, standing.neighbours, leaf_hash(record.leaf).hex(), proof, checkpoint, names
        )

    def _proof(self, record: Record) -> tuple[str, int | None]:
        """Return how a record's proof stands, and the size of the checkpoint that it was checked against."""
        try:
            signed = self._log.latest_checkpoint()
            if signed is None or signed.size <= record.seq:
                return "unproved", None
            given = self._log.inclusion_proof(record.seq)
            head = given.signed.checkpoint
            check_inclusion(given.hashes, record.seq, head.size, leaf_hash(record.leaf), head.root)
        except (Tampered, TranslogError, NotFound):
            return "proof-fails", None
        return "proved", head.size

    def exported(self, actor: Actor, wanted: RecordFilter) -> tuple[int, Names]:
        """Return how many records an export would hold, at most `MOST_EXPORTED`, and names to say its filter in.

        Recorded as a look.
        """
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_EXPORT)
            names = self._names.read(session, actor, _asked_ids(wanted))
        count = self._log.count(wanted, most=MOST_EXPORTED)
        self._record_look(actor, wanted, [], filters=("count",))
        return count, names

    def _record_look(
        self, actor: Actor, wanted: RecordFilter, shown: Sequence[int], filters: Sequence[str] = ()
    ) -> None:
        digest = hashlib.sha256("\n".join(map(str, shown)).encode()).hexdigest()
        details = {**_selection(wanted), "shown": len(shown), "shown_digest": digest}
        if filters:
            details["filters"] = list(filters)
        self._log.append(self._access.event(actor, Action.LOG_SEARCH, decision="permit", details=details))

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


def _asked_ids(wanted: RecordFilter) -> Ids:
    people, organisations, programmes = (
        {value} if value else set() for value in (wanted.person, wanted.organisation, wanted.programme)
    )
    return Ids(people, organisations, programmes)


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
