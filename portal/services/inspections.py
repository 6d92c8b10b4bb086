"""Inspections: documents are scanned while they arrive, or from the store by a job, and what follows from that."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, delete, exists, select, update
from sqlalchemy.orm import Session

from crypto.errors import Damaged
from crypto.parts import PartsReader
from policies import Label
from policies.requests import DocumentState, ScanState
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import Invalid, PortalError, Tampered, Unavailable
from portal.models.database import Database
from portal.scanning import ContentFacts, memory
from portal.scanning.facts import NoticeKind
from portal.scanning.feed import Feed
from portal.scanning.scanners import (
    Chunk,
    NotScannable,
    Probe,
    Scanner,
    ScannerUnavailable,
    Verdict,
)
from portal.services import standing
from portal.services.access import Access
from portal.services.alarm import Alarm
from portal.services.changes import unmoved
from portal.services.release import Release
from portal.services.standing import Examination, judge
from portal.settings import Settings

_log = logging.getLogger(__name__)
_RETRIES = (5, 15, 60, 300, 900)
"""Seconds until a scan is tried again, the last for every later time."""
_BACKLOG = 200
# What a partner may not do here by default; everything else is told and goes on.
_KEPT_BACK = frozenset({NoticeKind.EXPANDS, NoticeKind.POLYGLOT})

Place = tuple[str, int]
"""A document's id and a version's number."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A scan that this node makes now."""

    place: Place
    attempts: int


class Inspections:
    """Knows the scanner, and what each classification asks for; without a scanner nothing is scanned."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        release: Release,
        scanner: Scanner | None,
        settings: Settings,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._release = release
        self._scanner = scanner
        self._settings = settings
        self._clock = clock
        self._alarm = alarm
        self._proof: Probe | None = None
        self._proving = threading.Lock()
        self._slots = threading.BoundedSemaphore(settings.scanner_streams)
        self._feeds: set[Feed] = set()
        self._lock = threading.Lock()
        self.due = threading.Event()
        """Set when there may be a scan to make: who makes them waits for it."""

    def requirement(self, label: Label) -> str:
        """Return what a label's classification asks for: required, advisory or none."""
        own = label.under(self._access.policy.id) or label
        return self._settings.scanned(own.classification)

    # The scanner

    def prove(self) -> Probe:
        """Let the scanner prove that it can be trusted, once; raises ScannerUnavailable."""
        if self._scanner is None:
            raise ScannerUnavailable("No scanner is set.")
        with self._proving:
            if self._proof is None:
                spool = self._settings.scanner_spool
                if spool is not None and not memory.in_memory(spool):
                    raise ScannerUnavailable(f"The scanner's spool, {spool}, is not in memory (tmpfs).")
                self._proof = self._scanner.probe()
            return self._proof

    @property
    def trusted(self) -> bool:
        """Whether the scanner has proved itself; when it has not, that is begun beside the caller."""
        if self._scanner is None:
            return False
        if self._proof is None and not self._proving.locked():
            self.due.set()
        return self._proof is not None

    # While a document arrives

    def feed(self, label: Label) -> Feed | None:
        """Begin to scan what arrives under a label; None when it is scanned from the store later, or not at all."""
        if self._scanner is None or self.requirement(label) == "none" or not self.trusted:
            return None
        if not self._slots.acquire(blocking=False):
            return None
        feed = Feed(self._scanner, self._ended)
        with self._lock:
            self._feeds.add(feed)
        return feed

    def _ended(self, feed: Feed) -> None:
        self._slots.release()
        with self._lock:
            self._feeds.discard(feed)

    def examine(self, label: Label, facts: ContentFacts, feed: Feed | None, size: int) -> Examination:
        """Return what is known of a document whose bytes are all stored; waits a little for the scanner's verdict.

        Raises Invalid for content that is refused here.
        """
        notices = {notice.kind for notice in facts.notices}
        reasons = self._unwanted(facts)
        requirement = self.requirement(label)
        verdict: Verdict | None = None
        if self._scanner is not None and requirement != "none":
            if size > self._scanner.limit:
                verdict = NotScannable("too-large")
            elif feed is not None and feed.wait(self._settings.scanner_wait_seconds):
                verdict = feed.verdict
        if verdict is not None and feed is not None:
            feed.abort()
        return judge(verdict, requirement, notices, reasons)

    def _unwanted(self, facts: ContentFacts) -> Sequence[str]:
        """Return the codes of what the file is kept back for; raises Invalid for what is refused."""
        kept = []
        for notice in facts.notices:
            default = "quarantine" if notice.kind in _KEPT_BACK else "notice"
            asked = self._settings.content.get(notice.kind.value, default)
            if asked == "refuse":
                raise Invalid(
                    f"{notice.text} Such files are not taken here.",
                    mend="Send the document without it, or ask your official for another way; nothing was stored.",
                )
            if asked == "quarantine":
                kept.append(notice.kind.value)
        return kept

    def filed(self, place: Place, found: Examination, feed: Feed | None) -> None:
        """A version was filed: its scan goes on to its end, beside the caller, or is made by a job."""
        if found.scan is not ScanState.PENDING:
            return
        if feed is None:
            self.due.set()
            return
        feed.then(lambda verdict: self._after(place, verdict))

    def _after(self, place: Place, verdict: Verdict | None) -> None:
        try:
            if verdict is None:
                self._again(Claim(place, 0))
            else:
                self.settle(place, verdict)
        except PortalError as fault:
            # The job is there, and makes it again in its time.
            _log.error("scan: %s %s", fault.message, fault.mend)

    def first_due(self, feed: Feed | None) -> timedelta:
        """Return how long the job of a version that is filed now leaves it to `feed`."""
        return timedelta(0) if feed is None else timedelta(seconds=2 * self._settings.scanner_seconds)

    # From the store

    def claim(self, most: int) -> Sequence[Claim]:
        """Take up to `most` scans that are due; no other node takes them as long as one may last."""
        now = self._clock()
        due = select(models.ScanJob).where(models.ScanJob.due <= now).order_by(models.ScanJob.due).limit(most)
        with self._database.read() as session:
            if session.scalar(due.limit(1)) is None:
                return ()
        with self._database.write() as session:
            rows = session.scalars(due.with_for_update(skip_locked=True)).all()
            for row in rows:
                row.due = now + timedelta(seconds=2 * self._settings.scanner_seconds)
                row.attempts += 1
            return [Claim((row.document_id, row.number), row.attempts) for row in rows]

    def scan(self, claim: Claim) -> None:
        """Scan a stored version and settle it; when there is no verdict it is tried again later."""
        try:
            self.prove()
            verdict = self._scan(claim.place)
        except ScannerUnavailable as fault:
            _log.warning("scan: %s", fault)
            with self._proving:
                self._proof = None
            self._again(claim)
        except Unavailable as fault:
            _log.warning("scan: %s %s", fault.message, fault.mend)
            self._again(claim)
        except Tampered as fault:
            self._alarm.report(fault, None)
            self._again(claim)
        else:
            if verdict is None:
                self._forget(claim.place)
            else:
                self.settle(claim.place, verdict)

    def _scan(self, place: Place) -> Verdict | None:
        assert self._scanner is not None
        with self._release.for_scanner(*place) as stored:
            if stored is None:
                return None
            if stored.size > self._scanner.limit:
                return NotScannable("too-large")
            return self._scanner.scan(plaintext(lambda: stored, 0))

    def _again(self, claim: Claim) -> None:
        pause = _RETRIES[min(claim.attempts, len(_RETRIES) - 1)]
        with self._database.write() as session:
            row = session.get(models.ScanJob, claim.place)
            if row is not None:
                row.due = self._clock() + timedelta(seconds=pause)

    def _forget(self, place: Place) -> None:
        with self._database.write() as session:
            _done(session, place)

    def restore(self, *, at_start: bool = False) -> int:
        """Put back the jobs of versions that wait without one, and add those of documents that were never scanned.

        `at_start`: a node that died may have had scans under way: they are due now. One that another node makes at
        the same time is made twice, and the first verdict stands. Returns how many there are now that were not.
        """
        job, row, now = models.ScanJob, models.Inspection, self._clock()
        lost = select(row.document_id, row.number).where(
            row.scan == ScanState.PENDING.value,
            ~exists().where(and_(job.document_id == row.document_id, job.number == row.number)),
        )
        with self._database.read() as session:
            wanted = [(found[0], found[1]) for found in session.execute(lost)]
            if self._scanner is not None:
                wanted += self._never_scanned(session)
        if at_start:
            with self._database.write() as session:
                session.execute(update(job).values(due=now))
        if wanted:
            with self._database.write() as session:
                for document_id, number in wanted:
                    if session.get(job, (document_id, number)) is None:
                        session.add(job(document_id=document_id, number=number, due=now, attempts=0))
            self.due.set()
        return len(wanted)

    def _never_scanned(self, session: Session) -> Sequence[Place]:
        job, row = models.ScanJob, models.Document
        labels = self._access.labels(session, lambda fault: self._alarm.report(fault, None))
        asked = [row_id for row_id, label in labels.items() if self.requirement(label) != "none"]
        found = (
            select(row.id, row.current_version)
            .where(
                row.scan == ScanState.NOT_SCANNED.value,
                row.state == DocumentState.RECEIVED.value,
                row.label_id.in_(asked),
                ~exists().where(and_(job.document_id == row.id, job.number == row.current_version)),
            )
            .limit(_BACKLOG)
        )
        return [(place[0], place[1]) for place in session.execute(found)]

    # What follows

    def settle(self, place: Place, verdict: Verdict) -> None:
        """Let a verdict stand: recorded, and the version is handed out, or kept back."""
        with self._database.read() as session, self._alarm.watching(None):
            version = session.get(models.Version, place)
            head = self._access.head(session, place[0])
            row = session.get(models.Inspection, place)
            if version is None or head is None or (row is not None and row.scan != ScanState.PENDING.value):
                found = None
            else:
                document, known = head
                reasons = standing.examined(row).reasons if row is not None else ()
                notices = standing.notices_of(version)
                found = judge(verdict, self.requirement(known.label), notices, reasons)
                marking = self._access.marking(known.label)
        if found is None:
            self._forget(place)
            return
        event = Event(
            action="document.verdict",
            document=place[0],
            version=place[1],
            programme=document.programme_id,
            label=marking,
            details=standing.details(found),
            private={"comment": found.finding} if found.finding else None,
        )
        with recorded_change(self._log, self._database.write, event) as change:
            self._write(change.session, place, row, found)

    def _write(
        self, session: Session, place: Place, row: models.Inspection | None, found: Examination
    ) -> None:
        now = self._clock()
        was_held = row is not None and standing.examined(row).held
        if row is None:
            session.add(standing.new_row(*place, found, now))
        else:
            standing.write(unmoved(session, row), found, now)
        session.flush()
        document = session.get(models.Document, place[0], with_for_update=True)
        version = session.get_one(models.Version, place)
        if document is None:
            raise models.TamperedRow("documents", place[0])
        standing.follow(session, document, version, found, now, was_held=was_held)
        _done(session, place)

    def close(self) -> None:
        """Break off what is being scanned while it arrives: a job makes it again."""
        with self._lock:
            feeds = list(self._feeds)
        for feed in feeds:
            feed.abort()
        for feed in feeds:
            feed.join(0.2)


def plaintext(open_stored: Callable[[], PartsReader], start: int) -> Iterator[Chunk]:
    """Yield stored plaintext from an offset on; raises Tampered when it does not verify."""
    stored = open_stored()
    try:
        yield from stored.segments(start, stored.size)
    except Damaged as fault:
        raise Tampered(
            "The stored document failed its integrity check, so it was not scanned.",
            mend="The security officers have been told. The partner may send it again.",
        ) from fault
    finally:
        stored.close()


def _done(session: Session, place: Place) -> None:
    session.execute(
        delete(models.ScanJob).where(
            models.ScanJob.document_id == place[0], models.ScanJob.number == place[1]
        )
    )
