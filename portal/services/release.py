"""Release: the one way out. Decision, intent committed, content opened, outcome (architecture.md, invariant 1).

No other module opens a data-encryption key: import-linter holds `crypto.unwrapping` to this one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from crypto.errors import Damaged, KeyUnavailable, UnknownKey
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.parts import Part, PartsReader, parts_digest
from crypto.unwrapping import unwrap_dek
from policies import Label, rules
from policies import requests as rq
from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Event, Receipt
from portal.audit.catalogue import entry
from portal.errors import NotFound, NotPermitted, PortalError, Tampered, Unavailable
from portal.models.database import Database
from portal.services import standing
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.storage import BlobStore

_log = logging.getLogger(__name__)
LOOK_AGAIN = 3.0
"""Seconds after which a running transfer is decided once more."""
_DIGEST = "document.digest"
_SCAN = "document.scan"
_INSIDE = frozenset({_DIGEST, _SCAN})
_NO_VERSION = 2**31 - 1
"""The largest number that every database compares with a version's; no document has as many."""


@dataclass(frozen=True, slots=True)
class ReleasedVersion:
    """What may be said of a version that is released: sizes in bytes, `sha256` of the plaintext."""

    document_id: str
    number: int
    title: str
    file_name: str
    media_type: str
    size: int
    sha256: bytes
    marking: str
    created: datetime


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A decided version with what opens it."""

    released: ReleasedVersion
    programme_id: str
    originator_id: str
    label: Label
    blob: str
    parts: tuple[Part, ...]
    wrapped_dek: bytes


@dataclass(frozen=True, slots=True)
class Permission:
    """A permitted decision about one version, not yet recorded: `Release.open` turns it into content."""

    released: ReleasedVersion
    _actor: Actor
    _action: Action
    _sealed: _Sealed

    @property
    def person_id(self) -> str:
        """Whose permission it is."""
        return self._actor.person_id

    @property
    def label(self) -> Label:
        """The document's label, its alternatives in other policies included."""
        return self._sealed.label


class Transfer:
    """Content on its way out: iterate its plaintext, then `close`, which records the outcome.

    `log_entry` is the intent's number; the range handed over is `start` (inclusive) to `stop` (exclusive).
    """

    def __init__(
        self,
        log: AuditLog,
        alarm: Alarm,
        permission: Permission,
        intent: Event,
        receipt: Receipt,
        content: PartsReader,
        start: int,
        stop: int,
        still_permitted: Callable[[], object],
    ) -> None:
        self._log = log
        self._alarm = alarm
        self._released = permission.released
        self._actor = permission._actor
        self._intent = intent
        self._receipt = receipt
        self._content = content
        self._handed = 0
        self._ended = False
        self._failed = False
        self._closed = False
        self._lock = threading.Lock()
        self._still_permitted = still_permitted
        self._looked = time.monotonic()
        self.start = start
        self.stop = stop

    @property
    def log_entry(self) -> int:
        """The number of the intent in the log."""
        return self._receipt.seq

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the plaintext in pieces of about a MiB; raises Tampered when a piece does not verify."""
        try:
            for segment in self._content.segments(self.start, self.stop):
                self._look_again()
                # Counted before it goes: a client that takes all but the last byte and leaves has had it.
                self._handed += len(segment)
                yield segment
            self._ended = True
        except (NotPermitted, NotFound):
            # The grant that it rested on has ended; the denial is recorded.
            raise
        except Damaged as fault:
            self._failed = True
            error = _damaged(self._released)
            self._alarm.report(error, self._actor)
            raise error from fault
        except Exception:
            self._failed = True
            raise

    def _look_again(self) -> None:
        """Every few seconds decide once more, so that whoever loses a grant loses the rest."""
        if time.monotonic() - self._looked >= LOOK_AGAIN:
            self._still_permitted()
            self._looked = time.monotonic()

    def close(self) -> None:
        """Record the outcome with the bytes handed over, the piece on its way included; once, however it ended."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._content.close()
        outcome = "failed" if self._failed else "complete" if self._ended else "aborted"
        try:
            self._log.append(completion(self._intent, self._receipt, outcome, self._handed))
        except PortalError:
            _log.exception("an outcome could not be recorded; the sweep closes its intent as unknown")


def completion(intent: Event, receipt: Receipt, outcome: str, handed: int) -> Event:
    """Return the outcome record of a release's intent."""
    return Event(
        action=intent.action,
        actor=intent.actor,
        session=intent.session,
        role=intent.role,
        organisation=intent.organisation,
        programme=intent.programme,
        document=intent.document,
        version=intent.version,
        label=intent.label,
        request=intent.request,
        outcome=outcome,
        bytes_handed=handed,
        completes=receipt.seq,
    )


def _announces(receipt: Receipt, released: ReleasedVersion) -> bool:
    """Tell whether a receipt is of the intent to open this version, not of some other record."""
    return (
        (entry(receipt.action).discloses or receipt.action in _INSIDE)
        and receipt.decision == "permit"
        and receipt.completes is None
        and (receipt.document, receipt.version) == (released.document_id, released.number)
    )


def _damaged(released: ReleasedVersion) -> Tampered:
    error = Tampered(
        "The stored document failed its integrity check, so it was not handed out.",
        mend="The security officers have been told. The partner may send it again.",
    )
    error.place = f"{released.document_id}/{released.number}"
    return error


class Release:
    """Decides about content, and opens it under a committed intent."""

    def __init__(
        self, database: Database, log: AuditLog, access: Access, ring: KeyRing, blobs: BlobStore, alarm: Alarm
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._ring = ring
        self._blobs = blobs
        self._alarm = alarm

    def permit(self, actor: Actor, action: Action, document_id: str, number: int | None = None) -> Permission:
        """Decide a read or a preview of one version (None: the current one).

        A denial is recorded first; then NotFound, or NotPermitted where the person may know of it.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            subject = self._access.subject(session, actor)
            found = self._access.head(session, document_id)
            wanted = number if number is not None else found[0].current_version if found is not None else 1
            version = session.get(models.Version, (document_id, min(wanted, _NO_VERSION)))
            # Asked for in any case: what is not there takes as many queries as what is kept back.
            row = session.get(models.Inspection, (document_id, min(wanted, _NO_VERSION)))
            if found is None or version is None or standing.is_kept_back(version, row):
                request = self._access.request(actor, subject, action)
                raise self._access.refuse(
                    actor, request, None, Refusal(asked=f"{document_id}/{number or ''}"[:100])
                )
            head, document = found
            request = self._access.request(actor, subject, action, document)
            decision = rules.decide(request)
            if not decision.permitted:
                about = Refusal(
                    head.id, head.programme_id, version.number, self._access.marking(document.label)
                )
                raise self._access.refuse(actor, request, decision, about)
            sealed = self._sealed(head, version, document)
        return Permission(sealed.released, actor, action, sealed)

    def _sealed(self, row: models.Document, version: models.Version, document: rq.Document) -> _Sealed:
        return _Sealed(
            ReleasedVersion(
                row.id,
                version.number,
                row.title,
                version.file_name,
                version.media_type,
                version.size,
                version.sha256,
                self._access.marking(document.label),
                version.created,
            ),
            row.programme_id,
            row.originator_id,
            document.label,
            version.blob,
            tuple(
                Part(plain, cipher, bytes.fromhex(digest))
                for plain, cipher, digest in json.loads(version.parts)
            ),
            version.wrapped_dek,
        )

    def describe(self, permission: Permission) -> Receipt:
        """Record that a version's name, size and digest are told without its content (HEAD); recorded as shown."""
        released = permission.released
        return self._log.append(
            self._access.event(
                permission._actor,
                Action.DOCUMENT_SHOW,
                decision="permit",
                document=released.document_id,
                version=released.number,
                programme=permission._sealed.programme_id,
                label=released.marking,
            )
        )

    def sha384(self, permission: Permission) -> bytes:
        """Return the SHA-384 of a permitted version, computed from its content when nobody has asked before.

        That is an act of its own in the log, under which nothing is handed out. Raises Unavailable when the log, the
        keys or the store do not answer, Tampered when the content does not verify.
        """
        sealed, actor = permission._sealed, permission._actor
        place = sealed.released.document_id, sealed.released.number
        with self._database.read() as session, self._alarm.watching(actor):
            known = session.get(models.VersionDigest, place)
        if known is not None:
            return known.sha384
        intent = replace(
            self._access.event(
                actor,
                Action.DOCUMENT_SHOW,
                decision="permit",
                document=place[0],
                version=place[1],
                programme=sealed.programme_id,
                label=sealed.released.marking,
            ),
            action=_DIGEST,
        )
        receipt = self._log.append(intent)
        outcome = "failed"
        try:
            with self._alarm.watching(actor):
                digest = self._digest_of(receipt, sealed)
            with self._database.write(log_entry=receipt.seq) as session:
                # Two may ask at once: writers take turns, and the second finds the row.
                if session.get(models.VersionDigest, place) is None:
                    session.add(models.VersionDigest(document_id=place[0], number=place[1], sha384=digest))
            outcome = "complete"
        finally:
            self._log.append(completion(intent, receipt, outcome, 0))
        return digest

    @contextmanager
    def for_scanner(self, document_id: str, number: int) -> Iterator[PartsReader | None]:
        """Open a stored version for the malware scanner, inside the portal; None when there is no such version.

        That is an act of its own in the log. Raises Unavailable when the log, the keys or the store do not answer,
        Tampered when what opens the content does not verify.
        """
        with self._database.read() as session:
            found = self._access.head(session, document_id)
            version = session.get(models.Version, (document_id, number))
            sealed = None if found is None or version is None else self._sealed(found[0], version, found[1])
        if sealed is None:
            yield None
            return
        intent = Event(
            action=_SCAN,
            decision="permit",
            document=document_id,
            version=number,
            programme=sealed.programme_id,
            label=sealed.released.marking,
        )
        receipt = self._log.append(intent)
        outcome = "failed"
        try:
            content = self._open_content(receipt, sealed)
            try:
                yield content
            finally:
                content.close()
            outcome = "complete"
        finally:
            self._log.append(completion(intent, receipt, outcome, 0))

    def _digest_of(self, receipt: Receipt, sealed: _Sealed) -> bytes:
        found = hashlib.sha384()
        content = self._open_content(receipt, sealed)
        try:
            for segment in content.segments(0, sealed.released.size):
                found.update(segment)
        except Damaged as fault:
            raise _damaged(sealed.released) from fault
        finally:
            content.close()
        return found.digest()

    def open(
        self,
        permission: Permission,
        start: int = 0,
        stop: int | None = None,
        *,
        archive: str | None = None,
    ) -> Transfer:
        """Record the intent, then open the content for the byte range `start` (inclusive) to `stop` (exclusive).

        `archive` names the ZIP that the content goes into, for the log.

        Raises Unavailable when the log, the keys or the store do not answer (nothing is opened), Tampered when
        the stored content or its key does not verify.
        """
        sealed, actor = permission._sealed, permission._actor
        end = sealed.released.size if stop is None else stop
        intent = self._access.event(
            actor,
            permission._action,
            decision="permit",
            document=sealed.released.document_id,
            version=sealed.released.number,
            programme=sealed.programme_id,
            label=sealed.released.marking,
            details={
                "size": sealed.released.size,
                "ranges": [f"{start}-{end}"],
                **({"archive": archive} if archive is not None else {}),
            },
        )
        receipt = self._log.append(intent)
        try:
            with self._alarm.watching(actor):
                content = self._open_content(receipt, sealed)
        except BaseException:
            self._log.append(completion(intent, receipt, "failed", 0))
            raise
        released = sealed.released
        return Transfer(
            self._log,
            self._alarm,
            permission,
            intent,
            receipt,
            content,
            start,
            end,
            lambda: self.permit(actor, permission._action, released.document_id, released.number),
        )

    def _open_content(self, receipt: Receipt, sealed: _Sealed) -> PartsReader:
        released = sealed.released
        if not isinstance(receipt, Receipt) or not _announces(receipt, released):
            raise TypeError("content is opened with the receipt of its own intent only")
        context = DekContext(
            released.document_id,
            released.number,
            bytes.fromhex(sealed.label.digest),
            parts_digest(sealed.parts),
        )
        domain = Domain(sealed.label.classification, sealed.programme_id)

        def open_part(number: int) -> BinaryIO:
            return self._blobs.open(f"{sealed.blob}/part-{number}")

        try:
            dek = unwrap_dek(self._ring, sealed.wrapped_dek, domain, context)
            return PartsReader(open_part, sealed.parts, dek.material, released.document_id, released.number)
        except KeyUnavailable as fault:
            raise Unavailable(
                "The keys are out of reach, so nothing was opened.", mend="Try again in a few minutes."
            ) from fault
        except (Damaged, UnknownKey) as fault:
            raise _damaged(released) from fault
