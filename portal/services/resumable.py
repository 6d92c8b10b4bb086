"""Uploads in pieces: each request is an encrypted part of its own, and any node goes on where another ended.

What is known lies in the database (sealed) and in the blob store; this process remembers digests only. Decided when
an upload begins and again when it is whole; nothing of it is a document before.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from crypto.errors import Damaged, UnknownKey
from crypto.keyring import Domain, KeyRing
from crypto.keys import Dek
from crypto.parts import Part, PartsReader
from crypto.underway import unwrap_underway, wrap_underway
from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import (
    Conflict,
    Gone,
    Invalid,
    Locked,
    NotFound,
    PortalError,
    Tampered,
    TooLarge,
    Unavailable,
)
from portal.models import ResumableUpload
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.deposit import Deposit
from portal.services.filing import Target
from portal.services.leases import Leases
from portal.services.pieces import Remembered
from portal.services.receiving import DepositReceipt, Incoming, PartStream, Repeated, Whole
from portal.services.upload_ends import UploadEnds
from portal.services.upload_views import (
    Announced,
    Checksum,
    Mismatch,
    UploadView,
    check_piece,
    details_of,
    parts_of,
    sender_of,
    target_of,
    view_of,
)
from portal.services.uploads import OpenUpload
from portal.settings import Settings

_log = logging.getLogger(__name__)
_RENEW = timedelta(seconds=5)
_CHECKING = timedelta(minutes=2)
_PATIENCE = 10.0
_WORTH_KEEPING = 64 << 10
_MOST_UNDER_WAY = 200
_NO_SUCH = "There is no such upload, or it is not yours."


class Resumable:
    """Takes uploads that come in pieces."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        ring: KeyRing,
        deposit: Deposit,
        alarm: Alarm,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._ring = ring
        self._deposit = deposit
        self._receiving = deposit.receiving
        self._alarm = alarm
        self._settings = settings
        self._clock = clock
        self._leases = Leases(database, clock)
        self._remembered = Remembered()
        self._ends = UploadEnds(database, log, access, self._receiving.blobs, clock)
        self._checking = ThreadPoolExecutor(2, thread_name_prefix="checking")
        self.patience = _PATIENCE

    def close(self) -> None:
        """Let what is being checked come to its end."""
        self._checking.shutdown(wait=True, cancel_futures=True)

    def begin(self, actor: Actor, announced: Announced) -> UploadView:
        """Decide whether `actor` may send this, and make room for it; the same key again is the same upload.

        Raises what `Deposit.permit_new` and `permit_version` do, and TooMany; a refusal is recorded first.
        """
        declared = replace(announced.declared, length=announced.length)
        if announced.document_id is None:
            action, target = Action.DOCUMENT_UPLOAD, self._deposit.permit_new(actor, declared)
        else:
            name = declared.file_name or None
            action = Action.DOCUMENT_VERSION
            target = self._deposit.permit_version(
                actor, announced.document_id, name, announced.length, expected=announced.version
            )
        known = self._known(actor, target, announced.length) if declared.key else None
        if known is not None:
            return known
        upload_id, now = models.new_id(), self._clock()
        domain = Domain(target.label.classification, target.programme_id)
        event = replace(
            self._access.event(
                actor,
                action,
                decision="permit",
                document=target.document_id,
                version=target.number,
                programme=target.programme_id,
                label=self._access.marking(target.label),
                details={"upload": upload_id, "size": announced.length},
                private={"title": target.title, "file_name": target.file_name},
            ),
            action="upload.begin",
        )
        with recorded_change(self._log, self._database.write, event) as change:
            row = ResumableUpload(
                id=upload_id,
                person_id=actor.person_id,
                organisation_id=actor.organisation_id,
                document_id=target.document_id,
                number=target.number,
                blob=f"{target.document_id[:2]}/{target.document_id}/{upload_id}",
                length=announced.length,
                stored=0,
                parts="[]",
                wrapped_dek=wrap_underway(self._ring, Dek.generate(), domain, upload_id),
                details=details_of(actor, action, target, declared),
                state="receiving",
                started=now,
                expires=now + timedelta(hours=self._settings.upload_hours),
            )
            change.session.add(row)
            change.session.flush()
        return self._shown(row)

    def of(self, actor: Actor) -> list[UploadView]:
        """Return a person's uploads under way, newest first; one that fails its seal is reported and left out."""
        with self._database.read() as session:
            ids = session.scalars(
                select(ResumableUpload.id)
                .where(ResumableUpload.person_id == actor.person_id)
                .order_by(ResumableUpload.started.desc())
                .limit(_MOST_UNDER_WAY)
            ).all()
        found = []
        for upload_id in ids:
            with suppress(NotFound, Tampered):
                found.append(self.show(actor, upload_id))
        return found

    def show(self, actor: Actor, upload_id: str) -> UploadView:
        """Return one upload of a person's own; raises NotFound, Gone, TamperedRow (reported)."""
        row = self._own(actor, upload_id)
        return self._shown(row, self._receipt(row) if row.state in ("filed", "checking") else None)

    def receive(
        self,
        actor: Actor,
        upload_id: str,
        offset: int,
        chunks: Iterable[bytes],
        *,
        announced: int | None = None,
        checksum: Checksum | None = None,
    ) -> UploadView:
        """Take the bytes from `offset` on as one part; on the last one, check the whole and file it.

        What arrived before a connection broke is kept, unless it is little or has a checksum. Raises Conflict when
        `offset` is not what is in store, Locked while another request writes, Mismatch, TooLarge, NotFound, Gone, and
        on the last byte what `Receiving.finish` does. An upload whose check takes long is answered as `checking`.
        """
        row = self._own(actor, upload_id)
        if row.state == "checking":
            return self._conclude_soon(row, actor)
        holder = self._take(row, offset, announced)
        handed_on = False
        try:
            row = self._write(row, holder, chunks, checksum)
            if row.stored == row.length:
                handed_on = True
                return self._conclude_soon(row, actor, holder)
            return self._shown(row)
        finally:
            if not handed_on:
                self._leases.let_go(upload_id, holder)

    def terminate(self, actor: Actor, upload_id: str) -> None:
        """Give an upload up and remove what is stored of it; raises NotFound, Gone, Locked, Conflict."""
        row = self._own(actor, upload_id)
        if row.state != "receiving":
            raise Conflict("This upload is whole already.", mend="Look at its document.")
        holder = self._take(row, None, None)
        try:
            self._ends.end(row, "terminated", actor)
        finally:
            self._leases.let_go(upload_id, holder)

    def settle(self) -> int:
        """The regular round: go on checking what a node that died had whole, remove what expired; returns how many."""
        now, done = self._clock(), 0
        with self._database.read() as session:
            rows = session.execute(
                select(ResumableUpload.id).where(
                    (ResumableUpload.state == "checking") | (ResumableUpload.expires <= now)
                )
            ).all()
        for (upload_id,) in rows:
            try:
                done += self._settle(upload_id, now)
            except Tampered as fault:
                self._alarm.report(fault, None)
            except (Locked, NotFound):
                continue
        return done

    def _settle(self, upload_id: str, now: datetime) -> int:
        with self._database.read() as session:
            row = session.get(ResumableUpload, upload_id)
        if row is None:
            return 0
        if row.state == "checking":
            self._conclude_soon(row, sender_of(row), wait=False)
            return 0
        holder = self._take(row, None, None)
        try:
            if row.state == "receiving":
                self._ends.end(row, "expired", None)
            else:
                self._ends.drop(upload_id)
        finally:
            self._leases.let_go(upload_id, holder)
        return 1

    # Rows

    def _own(self, actor: Actor, upload_id: str) -> ResumableUpload:
        with self._database.read() as session, self._alarm.watching(actor):
            row = session.get(ResumableUpload, upload_id)
        if row is None or row.person_id != actor.person_id:
            raise NotFound(_NO_SUCH)
        if row.state == "receiving" and row.expires <= self._clock():
            raise Gone("This upload waited too long and was given up.", mend="Send the file again.")
        return row

    def _known(self, actor: Actor, target: Target, length: int) -> UploadView | None:
        with self._database.read() as session, self._alarm.watching(actor):
            row = session.scalar(
                select(ResumableUpload).where(
                    ResumableUpload.document_id == target.document_id,
                    ResumableUpload.number == target.number,
                    ResumableUpload.person_id == actor.person_id,
                    ResumableUpload.length == length,
                    ResumableUpload.state == "receiving",
                    ResumableUpload.expires > self._clock(),
                )
            )
        if row is None or target_of(row) != target:
            return None
        return self._shown(row)

    def _shown(self, row: ResumableUpload, receipt: DepositReceipt | None = None) -> UploadView:
        return view_of(row, self._access.marking(target_of(row).label), receipt)

    def _receipt(self, row: ResumableUpload) -> DepositReceipt | None:
        """Return the receipt of the version that this upload became, or None."""
        with self._database.read() as session:
            version = session.get(models.Version, (row.document_id, row.number))
            if version is None or version.blob != row.blob:
                return None
        try:
            self._receiving.check_new(sender_of(row), row.document_id, row.number)
        except Repeated as found:
            return found.receipt
        return None

    # Leases

    def _take(self, row: ResumableUpload, offset: int | None, announced: int | None) -> str:
        """Become the one that writes; everything that is refused of a request is refused here, before its body."""
        with self._database.write() as session:
            found = session.get(ResumableUpload, row.id)
            if found is None:
                raise NotFound(_NO_SUCH)
            if offset is not None:
                check_piece(found, offset, announced, self._settings.upload_parts)
            return self._leases.take(session, row.id)

    # Bytes

    def _write(
        self, row: ResumableUpload, holder: str, chunks: Iterable[bytes], checksum: Checksum | None
    ) -> ResumableUpload:
        incoming, number = self._incoming(row, sender_of(row)), len(json.loads(row.parts)) + 1
        known = self._remembered.of(row.id)
        digesting = known.copy() if known.size == row.stored else None
        if digesting is None:
            self._catch_up_meanwhile(row, incoming)
        check = hashlib.new(checksum.algorithm) if checksum else None
        # A request that died before it could say so may have left a part of this number.
        self._receiving.blobs.delete(incoming.part_name(number))
        part = PartStream(self._receiving.blobs, incoming, number)
        broken: Invalid | None = None
        renewed = self._clock()
        try:
            try:
                for chunk in chunks:
                    if row.stored + part.size + len(chunk) > row.length:
                        raise TooLarge(
                            "More bytes came than were announced.", mend="Send what is missing, no more."
                        )
                    if digesting is not None:
                        digesting.update(chunk)
                    if check is not None:
                        check.update(chunk)
                    part.write(chunk)
                    if self._clock() - renewed > _RENEW:
                        self._leases.renew(row.id, holder)
                        renewed = self._clock()
            except Invalid as fault:
                if checksum is not None or part.size < _WORTH_KEEPING:
                    raise
                broken = fault
            if check is not None and checksum is not None and check.digest() != checksum.digest:
                raise Mismatch("The bytes do not match their checksum.", mend="Send this piece again.")
            if part.size == 0:
                return row
            stored = self._keep(row.id, holder, number, part.close())
        finally:
            part.abort()
        if digesting is not None:
            digesting.wait()
            self._remembered.keep(row.id, digesting)
        if broken is not None and stored.stored < stored.length:
            raise broken
        return stored

    def _keep(self, upload_id: str, holder: str, number: int, part: Part) -> ResumableUpload:
        """Put a part that is in store into the row, if it is still this request that writes."""
        self._leases.renew(upload_id, holder, _CHECKING)
        with self._database.write() as session:
            row = session.get(ResumableUpload, upload_id)
            parts = json.loads(row.parts) if row is not None else []
            if row is None or not self._leases.held(session, upload_id, holder) or len(parts) != number - 1:
                raise Locked(
                    "Another request took this upload over.", mend="Ask with HEAD how much is in store."
                )
            parts.append([part.plaintext_length, part.ciphertext_length, part.sha256.hex()])
            row.parts = json.dumps(parts, separators=(",", ":"))
            row.stored += part.plaintext_length
            row.expires = self._clock() + timedelta(hours=self._settings.upload_hours)
            if row.stored == row.length:
                row.state = "checking"
        return row

    def _catch_up_meanwhile(self, row: ResumableUpload, incoming: Incoming) -> None:
        """Digest what other nodes received while the rest comes in."""
        stored = row.stored

        def run() -> None:
            with suppress(Damaged, PortalError):
                self._remembered.of(row.id).catch_up(self._opener(row, incoming), stored, lambda: None)

        self._checking.submit(run)

    def _opener(self, row: ResumableUpload, incoming: Incoming) -> Callable[[], PartsReader]:
        parts = parts_of(row)
        return lambda: self._receiving.reader(incoming, parts)

    def _incoming(self, row: ResumableUpload, actor: Actor) -> Incoming:
        target, details = target_of(row), json.loads(row.details)
        domain = Domain(target.label.classification, target.programme_id)
        try:
            dek = unwrap_underway(self._ring, row.wrapped_dek, domain, row.id)
        except (Damaged, UnknownKey):
            raise models.TamperedRow("resumable_uploads", row.id) from None
        upload = OpenUpload(row.id, row.document_id, row.number, target.programme_id, row.blob)
        return Incoming(actor, Action(details["action"]), target, dek, upload, details["key"])

    # The end

    def _conclude_soon(
        self, row: ResumableUpload, actor: Actor, holder: str | None = None, *, wait: bool = True
    ) -> UploadView:
        """Check and file an upload that is whole beside the caller, who waits for a while."""
        if holder is None:
            holder = self._take(row, None, None)
        running: Future[DepositReceipt] = self._checking.submit(self._conclude, row, actor, holder)
        if not wait:
            return self._shown(row)
        try:
            return self._shown(row, running.result(self.patience))
        except NotYet:
            return self._shown(row)

    def _conclude(self, row: ResumableUpload, actor: Actor, holder: str) -> DepositReceipt:
        try:
            receipt = self._receipt(row)
            if receipt is None:
                with self._alarm.watching(actor):
                    receipt = self._file(row, actor, holder)
            self._ends.filed(row.id)
            self._remembered.forget(row.id)
            return receipt
        except Unavailable as fault:
            if isinstance(fault, Tampered):
                self._refused(row, actor, fault)
            # Otherwise it stays whole, and the next round tries again.
            raise
        except PortalError as fault:
            self._refused(row, actor, fault)
            raise
        except Exception:
            _log.exception("an upload could not be checked; the next round tries again")
            raise
        finally:
            self._leases.let_go(row.id, holder)

    def _file(self, row: ResumableUpload, actor: Actor, holder: str) -> DepositReceipt:
        incoming = self._incoming(row, actor)
        digesting = self._remembered.of(row.id)
        renewed = [self._clock()]

        def step() -> None:
            if self._clock() - renewed[0] > _RENEW:
                renewed[0] = self._clock()
                self._leases.renew(row.id, holder, _CHECKING)

        try:
            digesting.catch_up(self._opener(row, incoming), row.length, step)
        except Damaged as fault:
            self._remembered.forget(row.id)
            raise Tampered(
                "What was stored of this upload failed its integrity check.", mend="Send the file again."
            ) from fault
        self._leases.renew(row.id, holder, _CHECKING)
        sha256 = digesting.sha256.digest()
        expected = json.loads(row.details)["sha256"]
        if expected is not None and expected != sha256.hex():
            raise Invalid(
                "What arrived does not match the digest that was sent with it.",
                mend="Send the file again; nothing was stored.",
            )
        whole = Whole(parts_of(row), sha256, digesting.sha384.digest(), digesting.head)
        return self._receiving.finish(incoming, whole)

    def _refused(self, row: ResumableUpload, actor: Actor, fault: PortalError) -> None:
        # Another node may have filed it meanwhile: then it stands.
        if self._receipt(row) is None:
            self._ends.refuse(row, actor, fault)
