"""Whether a version is handed out: what looking into it found, and what follows for its document."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from policies.requests import DocumentState, ScanState
from portal import models
from portal.clock import rfc3339
from portal.scanning.facts import ContentFacts, NoticeKind
from portal.scanning.scanners import Clean, Found, NotScannable, Verdict
from portal.services.counters import count_more

HELD = NoticeKind.HELD.value


class Standing(StrEnum):
    """Whether a version is handed out, as far as what was found in it goes."""

    OPEN = "open"
    WAITING = "waiting"
    QUARANTINED = "quarantined"
    ADMITTED = "admitted"
    REFUSED = "refused"


HANDED_OUT = frozenset({Standing.OPEN, Standing.ADMITTED})


@dataclass(frozen=True, slots=True)
class Examination:
    """What looking into a version found; `reasons` are the codes of why it is kept back, `finding` the scanner's words.

    `looked_at`: whether there is anything to keep of it.
    """

    scan: ScanState = ScanState.NOT_SCANNED
    standing: Standing = Standing.OPEN
    reasons: tuple[str, ...] = ()
    signatures: datetime | None = None
    finding: str = ""

    @property
    def looked_at(self) -> bool:
        """Whether it says more than that nobody looked."""
        return self.scan is not ScanState.NOT_SCANNED or bool(self.reasons)

    @property
    def held(self) -> bool:
        """Whether the version is kept back."""
        return self.standing not in HANDED_OUT


UNSEEN = Examination()
"""Nobody has looked."""


def judge(
    verdict: Verdict | None, requirement: str, notices: Collection[str], reasons: Collection[str] = ()
) -> Examination:
    """Return what follows from a scanner's verdict (None: it is still to come).

    `requirement` is what the classification asks for (required, advisory, none), `notices` what the content is,
    `reasons` why it is kept back already. A scanner's "clean" about what it cannot look into says nothing.
    """
    kept = [reason for reason in reasons if reason not in _OF_SCANS]
    signatures: datetime | None = None
    finding = ""
    match verdict:
        case None if requirement == "none":
            scan = ScanState.NOT_SCANNED
        case None:
            scan = ScanState.PENDING
        case Found(name, signatures):
            scan, finding = ScanState.FOUND, name
            kept.append("found")
        case NotScannable(reason, finding):
            scan = ScanState.NOT_SCANNABLE
            if requirement == "required":
                kept.append(reason)
        case Clean(signatures):
            scan = ScanState.CLEAN
            if NoticeKind.ENCRYPTED in notices:
                scan = ScanState.NOT_SCANNABLE
                if requirement == "required":
                    kept.append("encrypted")
    standing = Standing.OPEN
    if kept:
        standing = Standing.QUARANTINED
    elif scan is ScanState.PENDING and requirement == "required":
        standing = Standing.WAITING
    return Examination(scan, standing, tuple(dict.fromkeys(kept)), signatures, finding)


_OF_SCANS = frozenset({"found", "too-large", "refused"})


def is_kept_back(version: models.Version, row: models.Inspection | None) -> bool:
    """Tell whether a version must not be handed out; one that arrived to be held, unless its inspection says it may."""
    if row is None:
        return HELD in notices_of(version)
    return Standing(row.standing) not in HANDED_OUT


def only_held(session: Session, document: models.Document, person_id: str) -> bool:
    """Tell whether a document is closed only because its first version, sent by this person, is kept back."""
    if document.uploaded_by != person_id or document.state != DocumentState.QUARANTINED.value:
        return False
    found = session.get(models.Inspection, (document.id, document.current_version))
    return found is not None and examined(found).held


def notices_of(version: models.Version) -> frozenset[str]:
    """Return the codes of what was noticed in a version when it arrived."""
    return frozenset(json.loads(version.notices))


def noticed(facts: ContentFacts, found: Examination) -> tuple[str, ...]:
    """Return the codes that a version keeps of what was noticed, with HELD when it arrives to be kept back."""
    notices = tuple(notice.kind.value for notice in facts.notices)
    return (*notices, HELD) if found.held else notices


def of_version(session: Session, version: models.Version) -> Examination:
    """Return what is known of a version."""
    row = session.get(models.Inspection, (version.document_id, version.number))
    return examined(row) if row is not None else UNSEEN


def highest(session: Session, document_id: str) -> int:
    """Return the highest number of a document's versions, those that are kept back included; 0 without any."""
    number = select(func.max(models.Version.number)).where(models.Version.document_id == document_id)
    return session.scalar(number) or 0


def count(session: Session, document: models.Document, state: str, by: int) -> None:
    """Count a document in (1) or out (-1) of those that are in `state`, in the transaction that changes it."""
    place = (document.programme_id, document.label_id, document.originator_id, document.addressee_id, state)
    count_more(session, place, by)


def follow(
    session: Session,
    document: models.Document,
    version: models.Version,
    found: Examination,
    now: datetime,
    *,
    was_held: bool,
) -> None:
    """Let a document's head say what was found in one of its versions, and which version is the current one.

    `was_held`: the version was kept back until now. Only then does a quarantine end: one that an officer ordered
    stands, whatever the scanner says.
    """
    if version.number > document.current_version:
        if found.held:
            return
        document.current_version, document.size, document.changed = version.number, version.size, now
        document.scan = _scan_of(found).value
        return
    if version.number < document.current_version:
        # An older version is closed by itself; what was found in one that people could read closes the document.
        if found.held and document.state == DocumentState.RECEIVED.value:
            _move(session, document, DocumentState.QUARANTINED, now)
        return
    document.scan = _scan_of(found).value
    if found.held and document.state == DocumentState.RECEIVED.value:
        _move(session, document, DocumentState.QUARANTINED, now)
    elif not found.held and was_held and document.state == DocumentState.QUARANTINED.value:
        _move(session, document, DocumentState.RECEIVED, now)


def _scan_of(found: Examination) -> ScanState:
    if found.standing is Standing.ADMITTED and found.scan is not ScanState.CLEAN:
        return ScanState.EXCEPTED
    return found.scan


def _move(session: Session, document: models.Document, state: DocumentState, now: datetime) -> None:
    count(session, document, document.state, -1)
    document.state, document.changed = state.value, now
    count(session, document, document.state, 1)


def examined(row: models.Inspection) -> Examination:
    """Return what a row says."""
    return Examination(
        ScanState(row.scan),
        Standing(row.standing),
        tuple(json.loads(row.reasons)),
        row.signatures,
        row.finding,
    )


def write(row: models.Inspection, found: Examination, now: datetime) -> None:
    """Let a row say what was found."""
    row.scan, row.standing, row.signatures = found.scan.value, found.standing.value, found.signatures
    row.reasons, row.finding, row.changed = json.dumps(list(found.reasons)), found.finding, now


def new_row(document_id: str, number: int, found: Examination, now: datetime) -> models.Inspection:
    """Return a new row about a version."""
    row = models.Inspection(document_id=document_id, number=number, created=now)
    write(row, found, now)
    return row


def details(found: Examination) -> Mapping[str, object]:
    """Return what the log says of it, nothing when nobody looked; the scanner's words are not among it."""
    if not found.looked_at:
        return {}
    known: dict[str, object] = {"scan": found.scan.value, "standing": found.standing.value}
    if found.reasons:
        known["reasons"] = list(found.reasons)
    if found.signatures is not None:
        known["signatures"] = rfc3339(found.signatures)
    return known
