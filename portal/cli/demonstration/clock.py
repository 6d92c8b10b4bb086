"""The clock of the demonstration's past: its weeks are generated in seconds, so its times are generated too."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from portal.clock import Clock

_STEP = timedelta(milliseconds=3)


class HistoryClock:
    """Stands in the past and goes forward only; `present` hands over to the real clock for good.

    Each reading takes it on by some milliseconds, as work does.
    """

    def __init__(self, real: Clock, start: datetime) -> None:
        self._real = real
        self._now: datetime | None = start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the time of the history, or the real one after `present`."""
        with self._lock:
            if self._now is None:
                return self._real()
            self._now += _STEP
            return self._now

    def move_to(self, moment: datetime) -> None:
        """Go forward to `moment`; raises ValueError for one that is over or lies in the real future."""
        with self._lock:
            if self._now is None or moment < self._now or moment > self._real():
                raise ValueError(f"a history goes forward, up to now: not to {moment.isoformat()}")
            self._now = moment

    def present(self) -> None:
        """Return the real time from now on."""
        with self._lock:
            self._now = None
