"""Uploads under way: registered before their first byte, so that one that breaks off leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Event
from portal.clock import Clock
from portal.errors import PortalError
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.storage import BlobStore


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """A registered upload; its blobs lie under the prefix `blob`."""

    id: str
    document_id: str
    number: int
    programme_id: str
    blob: str


class UploadRegister:
    """Opens, abandons and tidies uploads of one node."""

    def __init__(
        self, database: Database, log: AuditLog, access: Access, blobs: BlobStore, clock: Clock, node: str
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._blobs = blobs
        self._clock = clock
        self._node = node

    def open(self, actor: Actor, document_id: str, number: int, programme_id: str) -> OpenUpload:
        """Register an upload before its first byte."""
        upload_id = models.new_id()
        upload = OpenUpload(upload_id, document_id, number, programme_id, _place(document_id, upload_id))
        with self._database.write() as session:
            session.add(
                models.Upload(
                    id=upload.id,
                    document_id=document_id,
                    number=number,
                    blob=upload.blob,
                    person_id=actor.person_id,
                    programme_id=programme_id,
                    node=self._node,
                    started=self._clock(),
                )
            )
        return upload

    def abandon(
        self,
        upload: OpenUpload,
        actor: Actor,
        action: Action,
        marking: str,
        size: int,
        fault: BaseException | None,
    ) -> None:
        """Record that an upload came to nothing and remove what of it was stored; marks `fault` as recorded.

        An upload whose version stands is left alone, whatever failed after that: its row went with the commit.
        When the log or the database does not answer, the row stays, and the next start records and clears the rest.
        """
        if not self._is_open(upload):
            return
        try:
            self._log.append(
                self._access.event(
                    actor,
                    action,
                    decision="permit",
                    programme=upload.programme_id,
                    document=upload.document_id,
                    version=upload.number,
                    label=marking,
                    outcome="aborted",
                    bytes_handed=size,
                )
            )
            if isinstance(fault, PortalError):
                fault.recorded = True
        finally:
            # Also when the log has no room: what nobody can reach must not keep a disk full.
            self._remove(upload.blob)
        with self._database.write() as session:
            session.execute(delete(models.Upload).where(models.Upload.id == upload.id))

    def _is_open(self, upload: OpenUpload) -> bool:
        with self._database.read() as session:
            return session.scalar(select(models.Upload.id).where(models.Upload.id == upload.id)) is not None

    def tidy(self) -> int:
        """At start: clear the uploads that this node left behind when it died; returns how many.

        These rows carry no seal, so one that points at anything but its own place, or at a version that was filed,
        removes nothing: it is reported as tampering.
        """
        with self._database.read() as session:
            left = session.scalars(select(models.Upload).where(models.Upload.node == self._node)).all()
        for row in left:
            with self._database.write() as session:
                if not _claim(session, row.id):
                    continue
                filed = session.scalar(
                    select(models.Version.number).where(models.Version.blob == row.blob).limit(1)
                )
                if filed is not None or row.blob != _place(row.document_id, row.id):
                    self._log.append(Event(action="tamper.detected", details={"table": "uploads"}))
                    continue
                self._log.append(
                    Event(
                        action=(Action.DOCUMENT_UPLOAD if row.number == 1 else Action.DOCUMENT_VERSION).value,
                        actor=row.person_id,
                        decision="permit",
                        programme=row.programme_id,
                        document=row.document_id,
                        version=row.number,
                        outcome="failed",
                    )
                )
                self._remove(row.blob)
        return len(left)

    def _remove(self, prefix: str) -> None:
        for name in self._blobs.list(prefix):
            self._blobs.delete(name)


def _place(document_id: str, upload_id: str) -> str:
    return f"{document_id[:2]}/{document_id}/{upload_id}"


def _claim(session: Session, upload_id: str) -> bool:
    """Take the upload's row away, and tell whether it was there: filing takes it in the transaction that files."""
    removed = session.execute(
        delete(models.Upload).where(models.Upload.id == upload_id).returning(models.Upload.id)
    )
    return removed.first() is not None
