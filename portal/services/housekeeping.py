"""Housekeeping: what a crash left open is settled at the next start, checkpoints are signed while there is traffic."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from portal import models
from portal.audit import AuditLog, Event
from portal.audit.catalogue import CATALOGUE
from portal.clock import Clock
from portal.models.database import Database
from portal.services.erasure import Erasure
from portal.services.resumable import Resumable
from portal.services.uploads import UploadRegister
from portal.storage import BlobStore

_STALE = timedelta(hours=24)
_FIELDS = (
    "actor",
    "session",
    "role",
    "organisation",
    "programme",
    "document",
    "version",
    "label",
    "target",
    "request",
)


class Housekeeping:
    """Settles, tidies and signs; each call is idempotent."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        uploads: UploadRegister,
        resumable: Resumable,
        blobs: BlobStore,
        clock: Clock,
        erasure: Erasure,
    ) -> None:
        self._database = database
        self._log = log
        self._uploads = uploads
        self._resumable = resumable
        self._blobs = blobs
        self._clock = clock
        self._erasure = erasure

    def at_start(self) -> None:
        """Record the start, settle every intent without an outcome, clear uploads and blobs that broke off.

        Only for the one node that serves: whatever is open then was left by a process that is gone.
        """
        self.settle(timedelta(0))
        tidied = self._uploads.tidy() + self._resumable.settle() + self._blobs.sweep()
        if tidied:
            self._log.append(Event(action="portal.tidied", details={"objects": tidied}))
        self._log.append(Event(action="portal.start", details={"size": self._log.size()}))

    def at_stop(self) -> None:
        """Record an orderly stop and sign what there is."""
        self._log.append(Event(action="portal.stop"))
        self._log.checkpoint()

    def sweep(self) -> None:
        """The regular round: settle what is old, end uploads that expired, sign a checkpoint when the log has grown.

        Blobs that writers died over are removed; whoever still writes is left alone.
        """
        self.settle(_STALE)
        self._resumable.settle()
        self._blobs.sweep()
        self._erasure.finish_all()
        self._log.checkpoint()

    def settle(self, age: timedelta) -> int:
        """Close intents older than `age` by looking which state stands; returns how many.

        A change is `complete` when rows carry the intent's number, else `failed`; content that may have been
        handed out is `unknown`, which is to be read as disclosed.
        """
        open_intents = self._log.open_intents(self._clock() - age)
        for seq in open_intents:
            record = self._log.record(seq)
            if CATALOGUE[record.action].discloses or record.action == "log.export":
                outcome = "unknown"
            else:
                with self._database.read() as session:
                    outcome = "complete" if _stands(session, seq) else "failed"
            known = {name: record.get(name) for name in _FIELDS}
            self._log.append(Event(action=record.action, outcome=outcome, completes=seq, **known))
        return len(open_intents)


def _stands(session: Session, seq: int) -> bool:
    """Tell whether any sealed row was written under the intent `seq`."""
    for table in models.Base.metadata.sorted_tables:
        if "log_entry" in table.columns and _has(session, table, seq):
            return True
    return False


def _has(session: Session, table: Table, seq: int) -> bool:
    return (
        session.execute(select(table.c.log_entry).where(table.c.log_entry == seq).limit(1)).first()
        is not None
    )
