"""Alarm: stored data that fails its integrity check is recorded and reported, wherever it was met."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from portal.audit import AuditLog, Event
from portal.audit.kinds import IDENTIFIER
from portal.errors import Tampered
from portal.models import TamperedRow
from portal.services.actor import Actor

_log = logging.getLogger(__name__)


def _named(key: str) -> str:
    """Return a key as the log takes it: one that an intruder made unreadable must not keep the finding out."""
    if IDENTIFIER.fullmatch(key) is not None:
        return key
    return f"sha-256:{hashlib.sha256(key.encode(errors='replace')).hexdigest()}"


class Alarm:
    """Records tampering in the access log, where officers and auditors see it."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    @contextmanager
    def watching(self, actor: Actor | None) -> Iterator[None]:
        """Record any Tampered raised inside, once, and let it go on."""
        try:
            yield
        except Tampered as fault:
            self.report(fault, actor)
            raise

    def report(self, fault: Tampered, actor: Actor | None) -> None:
        """Record one finding: the table and key of a row, or that stored content did not verify."""
        if fault.recorded:
            return
        if isinstance(fault, TamperedRow):
            found = {"table": fault.table, "row": _named(fault.key)}
        else:
            found = {"store": "blobs", **({"object": _named(fault.place)} if fault.place else {})}
        _log.critical("integrity check failed: %s", found)
        self._log.append(
            Event(
                action="tamper.detected",
                actor=actor.person_id if actor else None,
                session=actor.session if actor else None,
                request=actor.request if actor else None,
                details=found,
            )
        )
        fault.recorded = True
