"""What this process remembers of uploads in pieces: digests on their way, never written anywhere.

Another node, or this one after its end, computes them again from the encrypted parts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from crypto.parts import PartsReader
from portal.services.digests import SideDigest
from portal.services.receiving import HEAD

_MOST = 1000


class Digesting:
    """The digests of an upload's first `size` bytes, and as many of them as tell what kind of file it is."""

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self.sha256 = SideDigest()
        self.sha384 = SideDigest("sha384")
        self.lock = threading.Lock()

    def copy(self) -> Digesting:
        """Return one that goes on from here, while this one stays."""
        other = Digesting()
        with self.lock:
            other.size, other.head = self.size, self.head
            other.sha256, other.sha384 = self.sha256.copy(), self.sha384.copy()
        return other

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; they stay as they are until `wait`."""
        if len(self.head) < HEAD:
            self.head += bytes(data[: HEAD - len(self.head)])
        self.size += len(data)
        self.sha256.update(data)
        self.sha384.update(data)

    def wait(self) -> None:
        """Return when everything is taken in."""
        self.sha256.wait()
        self.sha384.wait()

    def catch_up(self, open_reader: Callable[[], PartsReader], size: int, step: Callable[[], None]) -> None:
        """Take in what is in store from here to `size`; calls `step` now and then. Raises Damaged, Unavailable."""
        with self.lock:
            if self.size >= size:
                return
            with open_reader() as reader:
                for piece in reader.segments(self.size, size):
                    self.update(piece)
                    self.wait()
                    step()


class Remembered:
    """The digests under way in this process, by upload; the oldest are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Digesting] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, upload_id: str) -> Digesting:
        """Return an upload's digests, at their beginning where nothing is known."""
        with self._lock:
            found = self._known.setdefault(upload_id, Digesting())
            self._known.move_to_end(upload_id)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
            return found

    def keep(self, upload_id: str, digesting: Digesting) -> None:
        """Go on from these."""
        with self._lock:
            self._known[upload_id] = digesting

    def forget(self, upload_id: str) -> None:
        """Drop what is known of an upload."""
        with self._lock:
            self._known.pop(upload_id, None)
