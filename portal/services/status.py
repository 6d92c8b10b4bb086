"""The state of the installation's services, for administrators: numbers, never content."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.clock import Clock
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.fsck import Fsck, LastCheck
from portal.settings import Settings

_LONG = timedelta(hours=1)
"""After this time an intent without an outcome is nothing that is still under way."""


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """Sizes in bytes; `log_size` in records; `checkpoint` is the size of the last signed checkpoint.

    `uploads` are under way now; `unsettled` counts intents of the log that are older than an hour and have no outcome.
    """

    disk_total: int
    disk_free: int
    documents: int
    keys: int
    log_size: int
    checkpoint: int | None
    policy_name: str
    policy_digest: str
    uploads: int
    unsettled: int
    last_check: LastCheck | None = None


class Status:
    """Tells administrators how the portal's services are."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        settings: Settings,
        clock: Clock,
        fsck: Fsck,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._settings = settings
        self._clock = clock
        self._fsck = fsck

    def show(self, actor: Actor) -> SystemStatus:
        """Return the state of storage, keys, log and policy; recorded."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.SYSTEM_STATUS)
            documents = session.scalar(select(func.sum(models.Counter.number))) or 0
            uploads = session.scalar(select(func.count()).select_from(models.Upload)) or 0
            keys = session.scalar(select(func.count()).select_from(models.Key)) or 0
        self._log.append(self._access.event(actor, Action.SYSTEM_STATUS, decision="permit"))
        disk = shutil.disk_usage(self._settings.blob_folder)
        checkpoint = self._log.latest_checkpoint()
        policy = self._access.policy
        return SystemStatus(
            disk_total=disk.total,
            disk_free=disk.free,
            documents=int(documents),
            keys=int(keys),
            log_size=self._log.size(),
            checkpoint=checkpoint.size if checkpoint else None,
            policy_name=policy.name,
            policy_digest=policy.digest,
            uploads=int(uploads),
            unsettled=len(self._log.open_intents(self._clock() - _LONG)),
            last_check=self._fsck.last(),
        )
