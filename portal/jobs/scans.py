"""Scans that are due, made beside the server or by a worker process, several at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from portal.errors import PortalError
from portal.scanning.scanners import ScannerUnavailable

EVERY = 5.0
"""Seconds between two looks for scans that are due, when nobody says so sooner."""
RESTORE = 600.0

_log = logging.getLogger(__name__)
_Claim = TypeVar("_Claim")


class ScansDue(Protocol[_Claim]):
    """What knows the scans to be made: `portal.services.inspections.Inspections`."""

    due: threading.Event

    def prove(self) -> object:
        """Let the scanner prove itself; raises ScannerUnavailable."""
        ...

    def restore(self, *, at_start: bool = False) -> int:
        """Put back what was lost."""
        ...

    def claim(self, most: int) -> Sequence[_Claim]:
        """Take up to so many."""
        ...

    def scan(self, claim: _Claim) -> None:
        """Make one."""
        ...


class Scans(Generic[_Claim]):
    """Makes scans, `at_once` at a time, until it is stopped; one that fails is tried again by the service."""

    def __init__(self, service: ScansDue[_Claim], at_once: int, every: float = EVERY) -> None:
        self._service = service
        self._at_once = at_once
        self._every = every
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Go on beside the caller, in threads of its own."""
        self._thread = threading.Thread(target=self._run, name="scans", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no more scans, and wait a little for those under way."""
        self._stopped = True
        self._service.due.set()
        if self._thread is not None:
            self._thread.join(3)

    def _run(self) -> None:
        restored = -RESTORE
        pool = ThreadPoolExecutor(self._at_once, "scan")
        while not self._stopped:
            self._service.due.clear()
            try:
                self._prove()
                if time.monotonic() - restored > RESTORE:
                    self._service.restore(at_start=restored < 0)
                    restored = time.monotonic()
                while not self._stopped and (claims := self._service.claim(self._at_once)):
                    list(pool.map(self._scan, claims))
            except PortalError as error:
                _log.error("scans: %s %s", error.message, error.mend)
            except Exception:  # the next round must come, whatever this one met
                _log.exception("scans failed")
            self._service.due.wait(self._every)
        pool.shutdown(wait=False)

    def _prove(self) -> None:
        try:
            self._service.prove()
        except ScannerUnavailable as fault:
            _log.warning("the scanner is not used: %s", fault)

    def _scan(self, claim: _Claim) -> None:
        try:
            self._service.scan(claim)
        except PortalError as error:
            _log.error("scan: %s %s", error.message, error.mend)
        except Exception:  # the others go on
            _log.exception("a scan failed")
