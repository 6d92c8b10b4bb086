"""Where a stream's ciphertext comes from, a segment at a time: a file, something that only moves on, or memory."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, Protocol, TypeAlias, cast

from crypto.errors import Damaged
from crypto.segments import HEADER, SEGMENT, TAG, Layout

Source: TypeAlias = "BinaryIO | io.RawIOBase | io.BufferedIOBase"
"""A file of ciphertext; it must have `readinto`. Unbuffered ones are the fastest."""

Memory: TypeAlias = "bytes | bytearray | memoryview"


class Segments(Protocol):
    """The segments of one stream. `layout` is None where the length cannot be known beforehand."""

    @property
    def layout(self) -> Layout | None:
        """The stream's layout."""

    def header(self) -> bytes:
        """Return the first 40 bytes, or less when there are less; called once, before `fetch`."""

    def fetch(self, index: int) -> tuple[memoryview, bool]:
        """Return a segment's ciphertext, valid until the next call, and whether it is the last.

        Raises Damaged when the stream ends too early.
        """


def segments_of(source: Source | Memory) -> Segments:
    """Return the segments of a stream; raises Damaged when it is seen at once that the stream is cut off."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _InMemory(memoryview(source))
    file = cast(io.RawIOBase, source)
    return _Seekable(file) if file.seekable() else _Sequential(file)


class _InMemory:
    """A stream in memory, used where it lies."""

    def __init__(self, stream: memoryview) -> None:
        self._stream = stream.cast("B")
        self.layout = Layout.of(len(self._stream))

    def header(self) -> bytes:
        return bytes(self._stream[:HEADER])

    def fetch(self, index: int) -> tuple[memoryview, bool]:
        start, stop = self.layout.bounds(index)
        return self._stream[start:stop], index == self.layout.segments - 1


class _Seekable:
    """A file in which any segment can be looked up."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self.layout = Layout.of(file.seek(0, os.SEEK_END))
        self._buffer = memoryview(bytearray(min(SEGMENT, self.layout.total)))

    def header(self) -> bytes:
        self._file.seek(0)
        return bytes(self._buffer[: _fill(self._file, self._buffer[:HEADER])])

    def fetch(self, index: int) -> tuple[memoryview, bool]:
        start, stop = self.layout.bounds(index)
        self._file.seek(start)
        sealed = self._buffer[: stop - start]
        if _fill(self._file, sealed) < len(sealed):
            raise Damaged(f"the stream was cut off in segment {index} while it was read")
        return sealed, index == self.layout.segments - 1


class _Sequential:
    """A file that only moves on: each call of `fetch` must ask for the next segment."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self.layout: Layout | None = None
        # A byte more than a segment, which tells whether another follows.
        self._buffer = memoryview(bytearray(SEGMENT + 1))
        self._ahead = b""

    def header(self) -> bytes:
        return bytes(self._buffer[: _fill(self._file, self._buffer[:HEADER])])

    def fetch(self, index: int) -> tuple[memoryview, bool]:
        whole = SEGMENT if index else SEGMENT - HEADER
        first = len(self._ahead)
        self._buffer[:first] = self._ahead
        got = first + _fill(self._file, self._buffer[first : whole + 1])
        if got < TAG:
            raise Damaged(f"the stream is cut off in segment {index}")
        if got <= whole:
            return self._buffer[:got], True
        self._ahead = bytes(self._buffer[whole:got])
        return self._buffer[:whole], False


def _fill(file: io.RawIOBase, target: memoryview) -> int:
    """Read until `target` is full or the file ends, and return how many bytes."""
    done = 0
    while done < len(target):
        got = file.readinto(target[done:])
        if got is None:
            raise BlockingIOError("the source of an encrypted stream must block")
        if got == 0:
            break
        done += got
    return done
