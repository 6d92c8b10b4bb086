"""Receiving: what every upload has in common, however its bytes come in (one body, a form, or in pieces).

Bytes become encrypted parts; on the last one the content is looked at, the decision made again, and the version filed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from crypto import envelope
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek
from crypto.manifest import Manifest, seal_manifest
from crypto.parts import Part, PartsReader, part_context, parts_digest
from crypto.streams import EncryptingWriter
from policies import requests as rq
from policies import rules
from policies.requests import Action
from portal import models
from portal.clock import Clock
from portal.errors import Conflict
from portal.models.database import Database
from portal.scanning import ContentFacts, identify
from portal.scanning.feed import Feed
from portal.services import standing
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.digests import SideDigest
from portal.services.filing import Arrival, Filing, Target
from portal.services.inspections import Inspections, plaintext
from portal.services.quotas import Quotas
from portal.services.standing import Examination
from portal.services.uploads import OpenUpload, UploadRegister
from portal.storage import BlobStore, BlobWriter

HEAD = 256 * 1024
"""How many of a document's first bytes are kept to tell what it is."""


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
    found: Examination = standing.UNSEEN


class Repeated(Conflict):
    """This was received before, with the same key: nothing was taken again, and `receipt` is the first one's."""

    def __init__(self, receipt: DepositReceipt) -> None:
        super().__init__("This was received already.", mend="Its receipt stands; nothing was stored twice.")
        self.receipt = receipt


@dataclass(frozen=True, slots=True)
class Incoming:
    """An upload that was permitted: who sends what, under which key, and where its blobs lie.

    `feed`: what scans it as it arrives, where that is so. `key` is the sender's own name for it, where one was
    given: the same again is the same document.
    """

    actor: Actor
    action: Action
    target: Target
    dek: Dek
    upload: OpenUpload
    key: str | None = None
    feed: Feed | None = None

    def part_name(self, number: int) -> str:
        """Return the name of a part's blob."""
        return f"{self.upload.blob}/part-{number}"


@dataclass(frozen=True, slots=True)
class Whole:
    """What is known of an upload when its last byte is in store: its parts, its digests, its first bytes."""

    parts: tuple[Part, ...]
    sha256: bytes
    sha384: bytes
    head: bytes

    @property
    def size(self) -> int:
        """Length of the plaintext in bytes."""
        return sum(part.plaintext_length for part in self.parts)


class PartStream:
    """One part while it is written: plaintext in, an encrypted blob out."""

    def __init__(self, blobs: BlobStore, incoming: Incoming, number: int) -> None:
        context = part_context(incoming.target.document_id, incoming.target.number, number)
        self._sink = _HashingSink(blobs.create(incoming.part_name(number)))
        self._writer = EncryptingWriter(self._sink, incoming.dek.material, context)
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and store the next bytes; raises Unavailable when the store fails."""
        self.size += len(data)
        self._writer.write(data)

    def close(self) -> Part:
        """Make the part durable under its name, and return what to keep of it."""
        self._writer.close()
        self._sink.close()
        return Part(self.size, self._sink.size, self._sink.digest())

    def abort(self) -> None:
        """Forget what was written. Does nothing after `close`."""
        self._sink.abort()


class Receiving:
    """Turns uploads that are whole into versions, and undoes those that come to nothing."""

    def __init__(
        self,
        database: Database,
        access: Access,
        ring: KeyRing,
        blobs: BlobStore,
        filing: Filing,
        uploads: UploadRegister,
        quotas: Quotas,
        clock: Clock,
        inspections: Inspections,
    ) -> None:
        self.blobs = blobs
        self.quotas = quotas
        self.uploads = uploads
        self._database = database
        self._access = access
        self._ring = ring
        self._filing = filing
        self._clock = clock
        self._inspections = inspections

    def open(self, actor: Actor, action: Action, target: Target, key: str | None = None) -> Incoming:
        """Register an upload before its first byte, with a key of its own; it is scanned while it arrives."""
        upload = self.uploads.open(actor, target.document_id, target.number, target.programme_id)
        feed = self._inspections.feed(target.label)
        return Incoming(actor, action, target, Dek.generate(), upload, key, feed)

    def abandon(self, incoming: Incoming, size: int, fault: BaseException | None) -> None:
        """Record that an upload came to nothing after `size` bytes and remove what of it was stored."""
        if incoming.feed is not None:
            incoming.feed.abort()
        marking = self._access.marking(incoming.target.label)
        self.uploads.abandon(incoming.upload, incoming.actor, incoming.action, marking, size, fault)

    def finish(self, incoming: Incoming, whole: Whole) -> DepositReceipt:
        """Look at the content, decide again, record, file; raises Invalid, NotPermitted, NotFound, Conflict."""
        facts, found = self._inspect(incoming, whole)
        self._decide_again(incoming)
        if incoming.key:
            # The same may have arrived while this one did: the one that is whole first stands.
            self.check_new(incoming.actor, incoming.target.document_id)
        self.quotas.check(incoming.actor, whole.size, but=incoming.upload.id)
        return self._store(incoming, whole, facts, found)

    def reader(self, incoming: Incoming, parts: Sequence[Part]) -> PartsReader:
        """Open what is in store of an upload, to look at it before it is filed; raises Damaged, Unavailable."""

        def open_part(number: int) -> BinaryIO:
            return self.blobs.open(incoming.part_name(number))

        target = incoming.target
        return PartsReader(open_part, parts, incoming.dek.material, target.document_id, target.number)

    def check_new(self, actor: Actor, document_id: str, number: int = 1) -> None:
        """Raise Repeated when this person has sent this version of this document already."""
        with self._database.read() as session:
            version = session.get(models.Version, (document_id, number))
            if version is None or version.uploaded_by != actor.person_id:
                return
            head = self._access.head(session, document_id)
            if head is None:
                return
            receipt = DepositReceipt(
                document_id,
                number,
                version.sha256,
                version.size,
                version.media_type,
                tuple(json.loads(version.notices)),
                self._access.policy.marking(head[1].label),
                version.log_entry,
                version.created,
                standing.of_version(session, version),
            )
        raise Repeated(receipt)

    def _inspect(self, incoming: Incoming, whole: Whole) -> tuple[ContentFacts, Examination]:
        target, feed = incoming.target, incoming.feed
        if feed is not None:
            feed.close(lambda offset: plaintext(lambda: self.reader(incoming, whole.parts), offset))
        with self.reader(incoming, whole.parts) as reader:
            facts = identify(whole.head, cast(BinaryIO, reader), target.file_name)
        return facts, self._inspections.examine(target.label, facts, feed, whole.size)

    def _decide_again(self, incoming: Incoming) -> None:
        access, actor, target = self._access, incoming.actor, incoming.target
        with self._database.read() as session:
            subject = access.subject(session, actor)
            new = incoming.action is Action.DOCUMENT_UPLOAD
            if new:
                document = new_document(target)
            else:
                # The head may have been relabelled or withdrawn while the bytes came in.
                found = access.head(session, target.document_id)
                if found is None:
                    raise models.TamperedRow("documents", target.document_id)
                document = found[1]
            request = access.request(actor, subject, incoming.action, document)
            decision = rules.decide(request)
            if not decision.permitted:
                marking = access.marking(document.label)
                about = Refusal(document.id, document.programme_id, None, marking)
                refuse = access.refuse_upload if new else access.refuse
                raise refuse(actor, request, decision, about)

    def _store(
        self, incoming: Incoming, whole: Whole, facts: ContentFacts, found: Examination
    ) -> DepositReceipt:
        target, now = incoming.target, self._clock()
        label_digest = bytes.fromhex(target.label.digest)
        domain = Domain(target.label.classification, target.programme_id)
        context = DekContext(target.document_id, target.number, label_digest, parts_digest(whole.parts))
        wrapped = self._ring.wrap_dek(incoming.dek, domain, context)
        kek = self._ring.by_id(envelope.key_id_of(wrapped, envelope.WRAPPED))
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
            parts=whole.parts,
            sha256=whole.sha256,
            wrapped_dek=wrapped,
            kek_id=kek.id,
            kek_version=kek.version,
            created=now,
        )
        self.blobs.put(f"{incoming.upload.blob}/manifest", seal_manifest(self._ring, manifest))
        notices = standing.noticed(facts, found)
        arrival = Arrival(
            incoming.upload,
            whole.parts,
            wrapped,
            facts.media_type,
            notices,
            whole.sha256,
            now,
            whole.sha384,
            found,
            self._inspections.first_due(incoming.feed),
        )
        receipt = self._filing.file(incoming.actor, incoming.action, target, arrival)
        self._inspections.filed((target.document_id, target.number), found, incoming.feed)
        return DepositReceipt(
            target.document_id,
            target.number,
            whole.sha256,
            whole.size,
            facts.media_type,
            notices,
            self._access.marking(target.label),
            receipt.seq,
            receipt.time,
            found,
        )


def new_document(target: Target) -> rq.Document:
    """Return what the rules see of a document that does not exist yet."""
    return rq.Document(
        id=None,
        programme_id=target.programme_id,
        label=target.label,
        originator_id=target.originator_id,
        addressee_id=target.addressee_id,
        state=rq.DocumentState.RECEIVED,
        scan=rq.ScanState.NOT_SCANNED,
        releases=(),
    )


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
