"""Deposit: a document comes in, whole and encrypted, with its record; or nothing of it stays.

Order (architecture.md, *One upload, one download*): identity, decision, limits, label, all before the body; then
digest, encryption and storage while it arrives; on the last byte inspection and a second decision; then intent,
database, outcome, receipt.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, cast

from crypto import envelope
from crypto import parts as crypto_parts
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek
from crypto.manifest import Manifest, seal_manifest
from crypto.streams import EncryptingWriter
from policies import requests as rq
from policies import rules
from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.clock import Clock
from portal.errors import Conflict, Invalid, TooLarge
from portal.models.database import Database
from portal.scanning import ContentFacts, clean_file_name, clean_title, identify
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.digests import SideDigest
from portal.services.filing import Arrival, Filing, Target
from portal.services.labels import LabelReader
from portal.services.uploads import UploadRegister
from portal.settings import Settings
from portal.storage import BlobStore, BlobWriter

_HEAD = 256 * 1024


@dataclass(frozen=True, slots=True)
class Declared:
    """What a partner says of a deliverable before its bytes: `sha256` and `length` are checked when given.

    `key` is any text of the sender's; the same person sending with the same key again gets the first receipt, so that
    a second click or a lost answer makes no second document.
    """

    programme_id: str
    title: str
    label: str
    file_name: str
    length: int | None = None
    sha256: bytes | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class DepositReceipt:
    """What the partner holds afterwards; `log_entry` is the log's intent of this deposit."""

    document_id: str
    version: int
    sha256: bytes
    size: int
    media_type: str
    notices: tuple[str, ...]
    marking: str
    log_entry: int
    time: datetime


class Repeated(Conflict):
    """This was received before, with the same key: nothing was taken again, and `receipt` is the first one's."""

    def __init__(self, receipt: DepositReceipt) -> None:
        super().__init__("This was received already.", mend="Its receipt stands; nothing was stored twice.")
        self.receipt = receipt


class Deposit:
    """Takes deliverables and new versions."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        ring: KeyRing,
        blobs: BlobStore,
        labels: LabelReader,
        filing: Filing,
        uploads: UploadRegister,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.database = database
        self.log = log
        self.access = access
        self.ring = ring
        self.blobs = blobs
        self.filing = filing
        self.uploads = uploads
        self.clock = clock
        self._labels = labels
        self._settings = settings

    def begin(self, actor: Actor, declared: Declared) -> Intake:
        """Decide whether `actor` may deposit this new document; nothing of the body is read before.

        Raises Invalid (title, name, label), TooLarge, NotFound, NotPermitted, Repeated; a refusal is recorded first.
        """
        label = self._labels.read(declared.label)
        title = clean_title(declared.title)
        name = clean_file_name(declared.file_name)
        self._check_declared(declared.length)
        with self.database.read() as session:
            subject = self.access.subject(session, actor)
            programme = session.get(models.Programme, declared.programme_id)
            lead = programme.lead_organisation_id if programme is not None and programme.active else None
            document = rq.Document(
                id=None,
                programme_id=declared.programme_id,
                label=label,
                originator_id=actor.organisation_id,
                addressee_id=lead or "",
                state=rq.DocumentState.RECEIVED,
                scan=rq.ScanState.NOT_SCANNED,
                releases=(),
            )
            request = self.access.request(actor, subject, Action.DOCUMENT_UPLOAD, document)
            decision = rules.decide(request) if lead is not None else None
            if decision is None or not decision.permitted:
                about = Refusal(
                    programme=declared.programme_id if programme is not None else None,
                    label=self.access.marking(label),
                    asked=None if programme is not None else declared.programme_id[:100],
                )
                raise self.access.refuse_upload(actor, request, decision, about)
        if declared.key:
            self.check_new(actor, declared.key)
        target = Target(
            document_id=_keyed_id(actor, declared.key) if declared.key else models.new_id(),
            number=1,
            title=title,
            file_name=name,
            label=label,
            programme_id=declared.programme_id,
            originator_id=actor.organisation_id,
            addressee_id=document.addressee_id,
        )
        return Intake(
            self, actor, Action.DOCUMENT_UPLOAD, target, declared.length, declared.sha256, declared.key
        )

    def check_new(self, actor: Actor, key: str, number: int = 1, document_id: str | None = None) -> None:
        """Raise Repeated when this person has sent something with this key, or this version of this document."""
        found_id = document_id or _keyed_id(actor, key)
        with self.database.read() as session:
            version = session.get(models.Version, (found_id, number))
            if version is None or version.uploaded_by != actor.person_id:
                return
            head = self.access.head(session, found_id)
            if head is None:
                return
            marking = self.access.policy.marking(head[1].label)
            receipt = DepositReceipt(
                found_id,
                number,
                version.sha256,
                version.size,
                version.media_type,
                tuple(json.loads(version.notices)),
                marking,
                version.log_entry,
                version.created,
            )
        raise Repeated(receipt)

    def begin_version(
        self,
        actor: Actor,
        document_id: str,
        file_name: str | None,
        length: int | None = None,
        sha256: bytes | None = None,
        *,
        expected: int | None = None,
    ) -> Intake:
        """Decide whether `actor` may add a version to a document; label and title stay, and without one the file name.

        `expected` is the number that the sender thinks it gets. Raises Invalid, TooLarge, NotFound, NotPermitted, and
        where that number is taken Conflict, or Repeated when it is their own; a refusal is recorded first.
        """
        name = clean_file_name(file_name) if file_name is not None else None
        self._check_declared(length)
        with self.database.read() as session:
            subject = self.access.subject(session, actor)
            found = self.access.head(session, document_id)
            if found is None:
                request = self.access.request(actor, subject, Action.DOCUMENT_VERSION)
                raise self.access.refuse(actor, request, None, Refusal(asked=document_id[:100]))
            row, document = found
            request = self.access.request(actor, subject, Action.DOCUMENT_VERSION, document)
            decision = rules.decide(request)
            if not decision.permitted:
                about = Refusal(row.id, row.programme_id, None, self.access.marking(document.label))
                raise self.access.refuse(actor, request, decision, about)
            taken = expected is not None and expected <= row.current_version
            target = Target(
                document_id=row.id,
                number=row.current_version + 1,
                title=row.title,
                file_name=name or session.get_one(models.Version, (row.id, row.current_version)).file_name,
                label=document.label,
                programme_id=row.programme_id,
                originator_id=row.originator_id,
                addressee_id=row.addressee_id,
            )
        if taken and expected is not None:
            self.check_new(actor, "", expected, document_id)
            raise Conflict(
                f"Version {expected} arrived meanwhile, so this one was not stored.",
                mend="Look at the newest version, then send yours again.",
            )
        return Intake(self, actor, Action.DOCUMENT_VERSION, target, length, sha256)

    @property
    def size_limit(self) -> int:
        """Largest document taken, in bytes."""
        return self._settings.size_limit

    def _check_declared(self, length: int | None) -> None:
        if length is not None:
            self.check_length(length)
            if length == 0:
                raise Invalid("The file is empty.", mend="Choose the file again; nothing was stored.")

    def check_length(self, length: int) -> None:
        """Raise TooLarge when `length` bytes are more than this installation takes."""
        if length > self.size_limit:
            raise TooLarge(
                f"The file is larger than the {self.size_limit:,} bytes that this portal takes.",
                mend="Split it, or ask your official for another way; nothing was stored.",
            )


class Intake:
    """One upload while it arrives: `write` its bytes, then `complete`; leaving it otherwise undoes everything."""

    def __init__(
        self,
        deposit: Deposit,
        actor: Actor,
        action: Action,
        target: Target,
        length: int | None,
        sha256: bytes | None,
        key: str | None = None,
    ) -> None:
        self._key = key
        self._deposit = deposit
        self._actor = actor
        self._action = action
        self._target = target
        self._length = length
        self._expected = sha256
        self._digest = SideDigest()
        self._digest384 = SideDigest("sha384")
        self._head = bytearray()
        self._size = 0
        self._done = False
        self._dek = Dek.generate()
        self._upload = deposit.uploads.open(actor, target.document_id, target.number, target.programme_id)
        context = crypto_parts.part_context(target.document_id, target.number, 1)
        try:
            self._sink = _HashingSink(deposit.blobs.create(f"{self._upload.blob}/part-1"))
        except BaseException as fault:
            # Nobody can leave an upload that was never entered, so it is undone here.
            self._abandon(fault)
            raise
        self._writer = EncryptingWriter(self._sink, self._dek.material, context)

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self._sink.abort()
            self._abandon(fault)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; raises TooLarge as soon as the limit is passed."""
        self._size += len(data)
        self._deposit.check_length(self._size)
        if len(self._head) < _HEAD:
            self._head += bytes(data[: _HEAD - len(self._head)])
        self._digest.update(data)
        self._digest384.update(data)
        self._writer.write(data)
        if not isinstance(data, bytes):
            self._digest.wait()
            self._digest384.wait()

    def complete(self) -> DepositReceipt:
        """Inspect, decide again, record, store; raises Invalid when length or digest are not those declared."""
        self._check_whole()
        self._writer.close()
        self._sink.close()
        part = crypto_parts.Part(self._size, self._sink.size, self._sink.digest())
        facts = self._inspect(part)
        receipt = self._store(part, facts)
        self._done = True
        return receipt

    def _check_whole(self) -> None:
        if self._size == 0:
            raise Invalid("The file is empty.", mend="Choose the file again; nothing was stored.")
        if self._length is not None and self._size != self._length:
            raise Invalid(
                f"{self._size:,} of {self._length:,} bytes arrived.",
                mend="Send the file again; nothing was stored.",
            )
        if self._expected is not None and self._expected != self._digest.digest():
            raise Invalid(
                "What arrived does not match the digest that was sent with it.",
                mend="Send the file again; nothing was stored.",
            )

    def _inspect(self, part: crypto_parts.Part) -> ContentFacts:
        target = self._target

        def open_part(_number: int) -> BinaryIO:
            return self._deposit.blobs.open(f"{self._upload.blob}/part-1")

        reader = crypto_parts.PartsReader(
            open_part, [part], self._dek.material, target.document_id, target.number
        )
        with reader:
            return identify(bytes(self._head), cast(BinaryIO, reader), target.file_name)

    def _decide_again(self) -> None:
        deposit, actor, target = self._deposit, self._actor, self._target
        with deposit.database.read() as session:
            subject = deposit.access.subject(session, actor)
            new = self._action is Action.DOCUMENT_UPLOAD
            if new:
                document = rq.Document(
                    id=None,
                    programme_id=target.programme_id,
                    label=target.label,
                    originator_id=target.originator_id,
                    addressee_id=target.addressee_id,
                    state=rq.DocumentState.RECEIVED,
                    scan=rq.ScanState.NOT_SCANNED,
                    releases=(),
                )
            else:
                # The head may have been relabelled or withdrawn while the bytes came in.
                found = deposit.access.head(session, target.document_id)
                if found is None:
                    raise models.TamperedRow("documents", target.document_id)
                document = found[1]
            request = deposit.access.request(actor, subject, self._action, document)
            decision = rules.decide(request)
            if not decision.permitted:
                marking = deposit.access.marking(document.label)
                about = Refusal(document.id, document.programme_id, None, marking)
                refuse = deposit.access.refuse_upload if new else deposit.access.refuse
                raise refuse(actor, request, decision, about)

    def _store(self, part: crypto_parts.Part, facts: ContentFacts) -> DepositReceipt:
        deposit, target = self._deposit, self._target
        self._decide_again()
        if self._key:
            # The same may have arrived while this one did: the one that is whole first stands.
            deposit.check_new(self._actor, self._key)
        now = deposit.clock()
        label_digest = bytes.fromhex(target.label.digest)
        domain = Domain(target.label.classification, target.programme_id)
        context = DekContext(
            target.document_id, target.number, label_digest, crypto_parts.parts_digest([part])
        )
        wrapped = deposit.ring.wrap_dek(self._dek, domain, context)
        kek = deposit.ring.by_id(envelope.key_id_of(wrapped, envelope.WRAPPED))
        manifest = Manifest(
            document_id=target.document_id,
            version=target.number,
            programme_id=target.programme_id,
            originator_id=target.originator_id,
            addressee_id=target.addressee_id,
            title=target.title,
            file_name=target.file_name,
            media_type=facts.media_type,
            label=target.label.canonical(),
            parts=(part,),
            sha256=self._digest.digest(),
            wrapped_dek=wrapped,
            kek_id=kek.id,
            kek_version=kek.version,
            created=now,
        )
        deposit.blobs.put(f"{self._upload.blob}/manifest", seal_manifest(deposit.ring, manifest))
        marking = deposit.access.marking(target.label)
        notices = tuple(notice.kind.value for notice in facts.notices)
        arrival = Arrival(
            self._upload,
            (part,),
            wrapped,
            facts.media_type,
            notices,
            self._digest.digest(),
            now,
            self._digest384.digest(),
        )
        receipt = deposit.filing.file(self._actor, self._action, target, arrival)
        return DepositReceipt(
            target.document_id,
            target.number,
            self._digest.digest(),
            self._size,
            facts.media_type,
            notices,
            marking,
            receipt.seq,
            receipt.time,
        )

    def _abandon(self, fault: BaseException | None) -> None:
        marking = self._deposit.access.marking(self._target.label)
        self._deposit.uploads.abandon(self._upload, self._actor, self._action, marking, self._size, fault)


def _keyed_id(actor: Actor, key: str) -> str:
    """Return the id of the document that this person sends with this key: the same each time, and nobody else's."""
    digest = hashlib.sha256(f"deposit\0{actor.person_id}\0{key}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


class _HashingSink:
    """Passes ciphertext on to a blob and keeps its length and SHA-256."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer
        self._open = True
        self.size = 0
        self._hash = SideDigest()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._hash.update(data)
        try:
            self._writer.write(data)
        finally:
            # The memory is used again for the next segment.
            self._hash.wait()
        self.size += len(data)
        return len(data)

    def digest(self) -> bytes:
        return self._hash.digest()

    def close(self) -> None:
        self._writer.close()
        self._open = False

    def abort(self) -> None:
        if self._open:
            self._writer.abort()
            self._open = False
