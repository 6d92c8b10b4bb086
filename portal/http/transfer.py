"""Request bodies as streams of memory chunks, and how many transfers may run at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from portal.errors import Invalid, TooLarge, TooMany

CHUNK = 1 << 20
_CUT_OFF = "Send it again; nothing of it was stored."


class Readable(Protocol):
    """What a WSGI server gives as `wsgi.input` (PEP 3333)."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class BodyReader:
    """Yields a request body once, in chunks of at most `chunk` bytes, none of them empty.

    `content_length` is what the client announced, None for chunked transfer encoding. Raises TooLarge at once when
    that is over `limit` bytes, or as soon as the limit is passed; raises Invalid when the body ends early or the
    connection fails. WSGI servers report neither.
    """

    def __init__(
        self, stream: Readable, content_length: int | None, *, limit: int, chunk: int = CHUNK
    ) -> None:
        if content_length is not None and content_length > limit:
            raise _too_large(limit)
        self._stream = stream
        self._announced = content_length
        self._limit = limit
        self._chunk = chunk
        self.received = 0

    def __iter__(self) -> Iterator[bytes]:
        while self._announced is None or self.received < self._announced:
            chunk = self._next()
            if not chunk:
                if self._announced is None:
                    return
                raise Invalid(
                    f"The upload broke off after {self.received:,} of {self._announced:,} bytes.",
                    mend=_CUT_OFF,
                )
            self.received += len(chunk)
            if self.received > self._limit:
                raise _too_large(self._limit)
            yield chunk

    def _next(self) -> bytes:
        # One byte more than is left of the limit tells a body that ends there from one that goes on.
        wanted = min(self._chunk, (self._announced or self._limit + 1) - self.received)
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            chunk: bytes = read(wanted)
        except (OSError, EOFError) as error:
            raise Invalid(f"The upload broke off after {self.received:,} bytes.", mend=_CUT_OFF) from error
        return chunk


class TransferSlots:
    """Bounds how many bodies and contents are on their way at once, in all and for each person or address.

    A thread is held for as long as a client takes to send or receive: whoever is slow must not hold them all.
    """

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def held(self, who: str) -> Iterator[None]:
        """Hold one slot for `who` (a person's id or an address) inside the block; raises TooMany when none is free."""
        self.take(who)
        try:
            yield
        finally:
            self.give_back(who)

    def take(self, who: str) -> None:
        """Take one slot for `who`; raises TooMany when they, or all together, hold as many as they may."""
        with self._lock:
            if self._held[who] >= self._each:
                raise TooMany(
                    f"{self._each} of your transfers are running already.",
                    mend="Wait for one to end.",
                    retry_after=10,
                )
            if self._held.total() >= self._total:
                raise TooMany(
                    "The portal is busy with transfers.", mend="Try again in a moment.", retry_after=10
                )
            self._held[who] += 1

    def give_back(self, who: str) -> None:
        """Give back one slot that `who` took."""
        with self._lock:
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The upload is larger than {limit:,} bytes, the most that this portal takes.",
        mend="Send it in smaller files, or ask the administrator to raise the limit.",
    )
