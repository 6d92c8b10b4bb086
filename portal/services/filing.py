"""Filing: the one change that makes a deposited version exist, with its label, counters and title."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crypto.parts import Part
from crypto.titlepack import PackEntry
from policies import Label
from policies import requests as rq
from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Receipt
from portal.audit.change import recorded_change
from portal.errors import Conflict
from portal.models.base import microseconds
from portal.models.database import Database
from portal.services import standing
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.standing import Examination
from portal.services.titles import Titles
from portal.services.uploads import OpenUpload


@dataclass(frozen=True, slots=True)
class Target:
    """What a deposit makes: a document's version, with all that stands in its head."""

    document_id: str
    number: int
    title: str
    file_name: str
    label: Label
    programme_id: str
    originator_id: str
    addressee_id: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """What has arrived: the parts in store, the wrapped key, what the bytes are.

    `sha384` None: it was not computed on the way, and is when a binding first asks for it.
    """

    upload: OpenUpload
    parts: Sequence[Part]
    wrapped_dek: bytes
    media_type: str
    notices: tuple[str, ...]
    sha256: bytes
    time: datetime
    sha384: bytes | None = None
    examination: Examination = standing.UNSEEN
    scan_due: timedelta = timedelta(0)


class Filing:
    """Writes versions into the database, under an intent of the log."""

    def __init__(self, database: Database, log: AuditLog, access: Access, titles: Titles) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._titles = titles

    def file(self, actor: Actor, action: Action, target: Target, arrival: Arrival) -> Receipt:
        """Make the version exist: intent, one transaction, outcome; raises Conflict when another version came first."""
        size = sum(part.plaintext_length for part in arrival.parts)
        event = self._access.event(
            actor,
            action,
            decision="permit",
            document=target.document_id,
            version=target.number,
            programme=target.programme_id,
            label=self._access.marking(target.label),
            details={
                "digest": arrival.sha256.hex(),
                "size": size,
                "media_type": arrival.media_type,
                "notices": list(arrival.notices),
                "parts": len(arrival.parts),
                **standing.details(arrival.examination),
            },
            private={"title": target.title, "file_name": target.file_name},
        )
        with recorded_change(self._log, self._database.write, event) as change:
            session = change.session
            label = self._label(session, target.label)
            if target.number == 1:
                self._new_document(session, actor, target, arrival, label, size)
            else:
                self._next_version(session, target, arrival, size)
            session.flush()
            session.add(_version(actor, target, arrival, size))
            if arrival.sha384 is not None:
                session.flush()
                session.add(
                    models.VersionDigest(
                        document_id=target.document_id, number=target.number, sha384=arrival.sha384
                    )
                )
            _examined(session, target, arrival)
            session.execute(delete(models.Upload).where(models.Upload.id == arrival.upload.id))
        return change.receipt

    def _label(self, session: Session, label: Label) -> models.LabelRecord:
        digest = bytes.fromhex(label.digest)
        row = session.scalar(select(models.LabelRecord).where(models.LabelRecord.digest == digest))
        if row is None:
            number = (session.scalar(select(func.max(models.LabelRecord.id))) or 0) + 1
            row = models.LabelRecord(id=number, digest=digest, canonical=label.canonical())
            session.add(row)
            session.flush()
        return row

    def _new_document(
        self,
        session: Session,
        actor: Actor,
        target: Target,
        arrival: Arrival,
        label: models.LabelRecord,
        size: int,
    ) -> None:
        if session.get(models.Document, target.document_id) is not None:
            raise Conflict("This was received already.", mend="Look at it under Documents.")
        held = arrival.examination.held
        state = (rq.DocumentState.QUARANTINED if held else rq.DocumentState.RECEIVED).value
        document = models.Document(
            id=target.document_id,
            programme_id=target.programme_id,
            originator_id=target.originator_id,
            addressee_id=target.addressee_id,
            uploaded_by=actor.person_id,
            label_id=label.id,
            label_digest=label.digest,
            label_rank=self._access.policy.compiled(target.label).rank,
            state=state,
            scan=arrival.examination.scan.value,
            current_version=1,
            size=size,
            title=target.title,
            created=arrival.time,
            changed=arrival.time,
            due=None,
        )
        session.add(document)
        session.flush()
        standing.count(session, document, state, 1)
        entry = PackEntry(target.document_id, label.digest, target.title, microseconds(arrival.time))
        self._titles.add(session, target.programme_id, entry)

    def _next_version(self, session: Session, target: Target, arrival: Arrival, size: int) -> None:
        document = session.get(models.Document, target.document_id)
        if document is None or not _same_head(document, target):
            raise Conflict(
                "The document changed meanwhile, so this version was not stored.",
                mend="Look at the document again, then send your version.",
            )
        if standing.highest(session, target.document_id) != target.number - 1:
            raise Conflict(
                "Another version arrived first, so this one was not stored.",
                mend="Look at the newest version, then send yours again.",
            )
        if not arrival.examination.held:
            document.current_version = target.number
            document.size = size
            document.changed = arrival.time
            document.scan = arrival.examination.scan.value


def _same_head(document: models.Document, target: Target) -> bool:
    """Tell whether the head is still the one that was decided on: the version's key is bound to label and programme."""
    return (
        document.label_digest.hex() == target.label.digest
        and document.programme_id == target.programme_id
        and document.state == rq.DocumentState.RECEIVED.value
    )


def _examined(session: Session, target: Target, arrival: Arrival) -> None:
    """Keep what was found in the version, and the scan that is still to be made."""
    found = arrival.examination
    if not found.looked_at:
        return
    session.flush()
    session.add(standing.new_row(target.document_id, target.number, found, arrival.time))
    if found.scan is rq.ScanState.PENDING:
        due = arrival.time + arrival.scan_due
        session.add(models.ScanJob(document_id=target.document_id, number=target.number, due=due, attempts=0))


def _version(actor: Actor, target: Target, arrival: Arrival, size: int) -> models.Version:
    parts = [[part.plaintext_length, part.ciphertext_length, part.sha256.hex()] for part in arrival.parts]
    return models.Version(
        document_id=target.document_id,
        number=target.number,
        blob=arrival.upload.blob,
        file_name=target.file_name,
        media_type=arrival.media_type,
        notices=json.dumps(arrival.notices),
        size=size,
        sha256=arrival.sha256,
        parts=json.dumps(parts, separators=(",", ":")),
        wrapped_dek=arrival.wrapped_dek,
        uploaded_by=actor.person_id,
        created=arrival.time,
    )
