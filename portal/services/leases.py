"""Who writes to an upload in pieces: one request at a time, on whichever node."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from portal import models
from portal.clock import Clock
from portal.errors import Locked, Unavailable
from portal.models import UploadLease
from portal.models.database import Database

LEASE = timedelta(seconds=20)
"""How long whoever writes may be silent before another may go on."""
_TAKEN_OVER = "Another request took this upload over."
_MEND = "Ask with HEAD how much is in store."


class Leases:
    """Gives each upload to one holder for a while; one that is not renewed ends by itself."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def take(self, session: Session, upload_id: str) -> str:
        """Become the holder, in the caller's writing transaction; raises Locked while there is another."""
        holder, now = models.new_id(), self._clock()
        lease = session.get(UploadLease, upload_id)
        if lease is None:
            session.add(UploadLease(upload_id=upload_id, holder=holder, until=now + LEASE))
        elif lease.until > now:
            raise Locked(
                "This upload is being written to by another request.", mend="Try again in a few seconds."
            )
        else:
            lease.holder, lease.until = holder, now + LEASE
        return holder

    def renew(self, upload_id: str, holder: str, period: timedelta = LEASE) -> None:
        """Hold it for `period` from now; raises Locked when another took it over."""
        with self._database.write() as session:
            held = session.execute(
                update(UploadLease)
                .where(UploadLease.upload_id == upload_id, UploadLease.holder == holder)
                .values(until=self._clock() + period)
                .returning(UploadLease.upload_id)
            ).first()
        if held is None:
            raise Locked(_TAKEN_OVER, mend=_MEND)

    def held(self, session: Session, upload_id: str, holder: str) -> bool:
        """Tell whether it is still this holder's."""
        lease = session.get(UploadLease, upload_id)
        return lease is not None and lease.holder == holder

    def let_go(self, upload_id: str, holder: str) -> None:
        """Give it back; when the database does not answer, the lease ends by itself."""
        with suppress(Unavailable), self._database.write() as session:
            session.execute(
                delete(UploadLease).where(UploadLease.upload_id == upload_id, UploadLease.holder == holder)
            )
