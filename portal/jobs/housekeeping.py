"""The regular round of housekeeping: a thread beside the server, or all that a worker process does."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from portal.errors import PortalError

EVERY = 60.0
"""Seconds between two rounds."""
KEYS_EVERY = 10.0
"""Seconds between two looks for rotations of keys to carry on."""

_log = logging.getLogger(__name__)


class Sweeps(Protocol):
    """What is called once a round: `portal.services.housekeeping.Housekeeping`."""

    def sweep(self) -> None:
        """Settle, tidy and sign; raises PortalError when that cannot be done now."""


class Rounds:
    """Calls `sweep` every `every` seconds until it is stopped; a round that fails is reported and tried again."""

    def __init__(self, service: Sweeps, every: float = EVERY) -> None:
        self._service = service
        self._every = every
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Go on beside the caller, in a thread of its own, with the first round after one period."""
        self._thread = threading.Thread(target=self._go_round, name="housekeeping", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Sweep at once and then every period; returns when `stop` is called (from a signal's handler, too)."""
        self._sweep()
        self._go_round()

    def stop(self) -> None:
        """End the rounds, after the one that is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _go_round(self) -> None:
        while not self._stop.wait(self._every):
            self._sweep()

    def _sweep(self) -> None:
        try:
            self._service.sweep()
        except PortalError as error:
            _log.error("housekeeping: %s %s", error.message, error.mend)
        except Exception:  # the next round must come, whatever this one met
            _log.exception("housekeeping failed")
