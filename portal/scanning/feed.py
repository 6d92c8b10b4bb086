"""A document on its way to the scanner while it is being stored, without holding it up."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from portal.scanning.scanners import Chunk, Scanner, ScannerUnavailable, Verdict

_log = logging.getLogger(__name__)
HELD = 16 << 20
"""How many bytes wait for the scanner at most; what comes when it is that far behind is read back from the store."""

Rest = Callable[[int], Iterable[Chunk]]
"""Returns the stored plaintext from an offset on."""


class _Aborted(Exception):
    """The upload came to nothing."""


class Feed:
    """Feeds one scan in a thread of its own: `write` what arrives, `close` when all is stored, or `abort`.

    `on_end` is called in that thread when it has ended, with a verdict or without.
    """

    def __init__(self, scanner: Scanner, on_end: Callable[[Feed], None]) -> None:
        self.verdict: Verdict | None = None
        self._scanner = scanner
        self._on_end = on_end
        self._held: deque[bytes] = deque()
        self._waiting = 0
        self._size = 0
        self._missed: int | None = None
        self._rest: Rest | None = None
        self._closed = False
        self._aborted = False
        self._ended = False
        self._then: Callable[[Verdict | None], None] | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="scan", daemon=True)
        self._thread.start()

    def write(self, data: Chunk) -> None:
        """Hand over the next bytes; never waits for the scanner."""
        with self._change:
            length = len(data)
            if self._missed is None and not self._ended:
                if self._waiting + length > HELD and self._held:
                    self._missed = self._size
                else:
                    self._held.append(bytes(data))
                    self._waiting += length
                    self._change.notify_all()
            self._size += length

    def close(self, rest: Rest) -> None:
        """Everything is stored: the scan goes on to the end, with `rest` for what it has missed."""
        with self._change:
            self._rest = rest
            self._closed = True
            self._change.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait for the scan's end, and tell whether it has ended."""
        with self._change:
            return self._change.wait_for(lambda: self._ended, seconds)

    def then(self, do: Callable[[Verdict | None], None]) -> None:
        """Call `do` with the verdict (None: there is none) when the scan has ended, at once if it has."""
        with self._change:
            if not self._ended:
                self._then = do
                return
        do(self.verdict)

    def abort(self) -> None:
        """The upload came to nothing, or the portal ends: no verdict is wanted."""
        with self._change:
            self._aborted = True
            self._held.clear()
            self._change.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.verdict = self._scanner.scan(self._chunks())
        except (ScannerUnavailable, _Aborted):
            self.verdict = None
        except Exception:  # the scan is made again, from the store
            _log.exception("a scan broke off")
        finally:
            with self._change:
                self._ended = True
                self._held.clear()
                then = self._then
                self._change.notify_all()
            try:
                if then is not None and not self._aborted:
                    then(self.verdict)
            finally:
                self._on_end(self)

    def _chunks(self) -> Iterator[Chunk]:
        while (chunk := self._next()) is not None:
            yield chunk
        if self._missed is not None and self._rest is not None:
            for piece in self._rest(self._missed):
                if self._aborted:
                    raise _Aborted
                yield piece

    def _next(self) -> bytes | None:
        with self._change:
            self._change.wait_for(lambda: self._held or self._closed or self._aborted)
            if self._aborted:
                raise _Aborted
            if not self._held:
                return None
            chunk = self._held.popleft()
            self._waiting -= len(chunk)
            return chunk
