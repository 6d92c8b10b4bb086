"""How uploads in pieces end: filed, refused, given up or expired, each with what is removed and recorded."""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import delete, func, select

from portal import models
from portal.audit import AuditLog, Event
from portal.clock import Clock
from portal.errors import PortalError
from portal.models import ResumableUpload
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.upload_views import target_of
from portal.storage import BlobStore

_TOLD = timedelta(days=1)
"""How long the outcome of an upload is told after it is over."""


class UploadEnds:
    """Ends uploads; whoever calls holds the upload's lease."""

    def __init__(
        self, database: Database, log: AuditLog, access: Access, blobs: BlobStore, clock: Clock
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._blobs = blobs
        self._clock = clock

    def filed(self, upload_id: str) -> None:
        """Note that an upload became a version."""
        self._set(upload_id, "filed", None)

    def refuse(self, row: ResumableUpload, actor: Actor, fault: PortalError) -> None:
        """Record that an upload was refused, remove what is stored of it, and keep why for its owner."""
        self._record(row, "refused", actor)
        fault.recorded = True
        self._remove(row)
        self._set(row.id, "refused", fault)

    def end(self, row: ResumableUpload, cause: str, actor: Actor | None) -> None:
        """Record why an upload came to nothing, remove what is stored of it, forget it."""
        self._record(row, cause, actor)
        self._remove(row)
        self.drop(row.id)

    def drop(self, upload_id: str) -> None:
        """Forget an upload that was over before."""
        with self._database.write() as session:
            session.execute(delete(ResumableUpload).where(ResumableUpload.id == upload_id))

    def _set(self, upload_id: str, state: str, fault: PortalError | None) -> None:
        with self._database.write() as session:
            row = session.get(ResumableUpload, upload_id)
            if row is None:
                return
            if fault is not None:
                row.details = json.dumps({**json.loads(row.details), "refusal": [fault.message, fault.mend]})
            row.state, row.expires = state, self._clock() + _TOLD

    def _record(self, row: ResumableUpload, cause: str, actor: Actor | None) -> None:
        target = target_of(row)
        self._log.append(
            Event(
                action="upload.end",
                actor=actor.person_id if actor else None,
                session=actor.session if actor else None,
                request=actor.request if actor else None,
                organisation=row.organisation_id,
                programme=target.programme_id,
                document=row.document_id,
                version=row.number,
                label=self._access.marking(target.label),
                details={"upload": row.id, "size": row.stored, "cause": cause},
            )
        )

    def _remove(self, row: ResumableUpload) -> None:
        query = select(func.count()).select_from(models.Version).where(models.Version.blob == row.blob)
        with self._database.read() as session:
            if session.scalar(query):
                return
        for name in list(self._blobs.list(f"{row.blob}/")):
            self._blobs.delete(name)
