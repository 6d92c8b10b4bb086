"""Digests beside other work: a digest costs an upload more than its encryption, and needs a processor, not the GIL."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Literal

_WORTH_A_THREAD = 64 << 10


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="digest")


# Threads do not live on in a forked child (a demonstration is built, then served): it makes its own.
os.register_at_fork(after_in_child=_threads.cache_clear)


class SideDigest:
    """A digest whose `update` returns while another thread still reads the data: leave it as it is until `wait`."""

    def __init__(self, algorithm: Literal["sha256", "sha384"] = "sha256") -> None:
        self._hash = hashlib.new(algorithm)
        self._running: Future[None] | None = None

    def copy(self) -> SideDigest:
        """Return one that goes on from here, while this one stays."""
        self.wait()
        other = SideDigest.__new__(SideDigest)
        other._hash, other._running = self._hash.copy(), None
        return other

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes, after those before them."""
        self.wait()
        if len(data) < _WORTH_A_THREAD:
            self._hash.update(data)
        else:
            self._running = _threads().submit(self._hash.update, data)

    def wait(self) -> None:
        """Return when everything is taken in."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def digest(self) -> bytes:
        """Return the digest of everything so far: 32 bytes of SHA-256, 48 of SHA-384."""
        self.wait()
        return self._hash.digest()
