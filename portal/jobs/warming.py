"""Reading the title packs when a server starts, beside its first requests: no search has to wait for them."""

from __future__ import annotations

import threading

from portal.models.database import Database
from portal.services.titles import Titles


class Warming:
    """A thread that reads every title pack once; `stop` ends it early."""

    def __init__(self, titles: Titles, database: Database) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=titles.warm, args=(database, self._ended), name="warming", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the pack that is being read."""
        self._ended.set()
        self._thread.join()
