"""The content of a version: one plaintext in one or several encrypted streams, its parts, numbered from 1.

A resumed upload starts a new part. The list of parts is authenticated with the DEK (`parts_digest` is in its
associated data) and each part names its place in its own associated data, so none can be dropped, added or moved.
"""

from __future__ import annotations

import bisect
import hashlib
import io
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from crypto import canonical
from crypto.errors import Damaged
from crypto.keys import Secret
from crypto.segments import PLAIN, SEGMENT, ciphertext_length, locate
from crypto.sources import Source
from crypto.streams import DecryptingReader, EncryptingWriter, Sink

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One encrypted stream of a version: lengths in bytes, SHA-256 of the ciphertext (32 bytes)."""

    plaintext_length: int
    ciphertext_length: int
    sha256: bytes


def parts_digest(parts: Sequence[Part]) -> bytes:
    """Return the SHA-256 of the parts list in its order, 32 bytes."""
    listed = tuple((part.plaintext_length, part.ciphertext_length, part.sha256) for part in parts)
    return hashlib.sha256(canonical.encode("strongroom parts", _FORMAT, listed)).digest()


def part_context(document_id: str, version: int, number: int) -> bytes:
    """Return the associated data of a part's stream: format version, document id, version number, part number."""
    return canonical.encode(_FORMAT, document_id, version, number)


class PartWriter:
    """Encrypts one part into `sink` and tells what to keep of it (a Part) once it is closed."""

    def __init__(self, sink: Sink, key: Secret | bytes, document_id: str, version: int, number: int) -> None:
        self._tee = _Tee(sink)
        self._stream = EncryptingWriter(self._tee, key, part_context(document_id, version, number))

    def write(self, data: ReadableBuffer) -> int:
        """Encrypt `data` and return its length in bytes."""
        return self._stream.write(data)

    def close(self) -> Part:
        """Write the last segment and return the finished part; the sink stays open.

        Raises ValueError when the part was abandoned or its sink failed.
        """
        self._stream.close()
        if not self._stream.whole:
            raise ValueError("the part was left unfinished")
        return Part(self._stream.tell(), self._stream.ciphertext_length, self._tee.digest.digest())

    def abandon(self) -> None:
        """Leave the part cut off, so that every reader refuses it."""
        self._stream.abandon()


class _Tee:
    """Passes ciphertext on and digests it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.digest = hashlib.sha256()

    def write(self, piece: memoryview, /) -> int:
        taken = self._sink.write(piece)
        count = taken if isinstance(taken, int) else len(piece)
        self.digest.update(piece[:count])
        return count


class PartsReader(io.RawIOBase):
    """Reads the plaintext of all parts of a version as one seekable file.

    `open_part(number)` opens a part's ciphertext, unbuffered and seekable; this reader closes it. `parts` must be the
    list that the DEK was unwrapped with. Opening raises Damaged when a part's length is not the listed one, and
    whatever `open_part` raises when a part is missing, before any plaintext is handed out; afterwards Damaged is
    raised, finally, as by DecryptingReader. At most one part is held open, with a few MiB of memory.
    """

    def __init__(
        self,
        open_part: Callable[[int], Source],
        parts: Sequence[Part],
        key: Secret | bytes,
        document_id: str,
        version: int,
    ) -> None:
        super().__init__()
        self._open_part = open_part
        self._parts = tuple(parts)
        self._key = key
        self._place = (document_id, version)
        self._ends = list(itertools.accumulate(part.plaintext_length for part in parts))
        self._size = self._ends[-1] if parts else 0
        self._position = 0
        self._lock = threading.Lock()
        self._current: tuple[int, Source, DecryptingReader] | None = None
        self._damage: str | None = None
        if not parts:
            raise Damaged("a version has no parts")
        try:
            for number in range(2, len(parts) + 1):
                self._check_length(number)
            self._reader(1)
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """The plaintext's length in bytes."""
        return self._size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the plaintext."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move in the plaintext; reading past the end gives nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, target: WriteableBuffer, /) -> int:
        """Fill `target`, or as much of it as is left of the plaintext, and return how many bytes."""
        view = memoryview(target).cast("B")
        with self._lock:
            self._refuse_when_closed()
            done = 0
            while done < len(view) and self._position < self._size:
                number, offset = self._locate(self._position)
                with self._noting_damage():
                    reader = self._reader(number)
                    reader.seek(offset)
                    step = reader.readinto(view[done:])
                done += step
                self._position += step
            return done

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes, or all that are left."""
        left = max(0, self._size - self._position)
        target = bytearray(left if size is None or size < 0 else min(size, left))
        done = self.readinto(target)
        return bytes(target) if done == len(target) else bytes(memoryview(target)[:done])

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read(-1)

    def segments(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the plaintext from `start` up to `stop` (default: the end) without a copy; the position stays.

        Each view is valid until the next step. Raises ValueError when the range is not within the plaintext.
        """
        stop = self._size if stop is None else stop
        if not 0 <= start <= stop <= self._size:
            raise ValueError("the range is not within the plaintext")
        return self._range(start, stop)

    def verify_digests(self) -> None:
        """Read the ciphertext of all parts and compare it with the listed digests; raises Damaged on a difference.

        Reading needs no such pass: segments are authenticated one by one. This one proves the stored bytes unchanged.
        """
        buffer = memoryview(bytearray(SEGMENT))
        for number, part in enumerate(self._parts, 1):
            digest = hashlib.sha256()
            with self._open_part(number) as source:
                while got := cast(io.RawIOBase, source).readinto(buffer):
                    digest.update(buffer[:got])
            if digest.digest() != part.sha256:
                raise Damaged(f"part {number} is not the one that was written")

    def close(self) -> None:
        """Close the part that is open."""
        if self._current is not None:
            self._current[1].close()
            self._current = None
        super().close()

    def _range(self, start: int, stop: int) -> Iterator[memoryview]:
        # A buffer of its own, so that a read meanwhile does not change what was handed out.
        buffer = memoryview(bytearray(PLAIN))
        while start < stop:
            number, place = self._locate(start)
            index, offset = locate(place)
            with self._lock, self._noting_damage():
                plain = self._reader(number).open_segment(index, buffer)
            piece = plain[offset : offset + stop - start].toreadonly()
            start += len(piece)
            yield piece

    def _locate(self, position: int) -> tuple[int, int]:
        """Return the number of the part in which a byte of the plaintext stands, and its place there."""
        index = bisect.bisect_right(self._ends, position)
        return index + 1, position - (self._ends[index - 1] if index else 0)

    def _check_length(self, number: int) -> None:
        with self._open_part(number) as source:
            self._compare_length(number, source)

    def _compare_length(self, number: int, source: Source) -> None:
        part = self._parts[number - 1]
        found = source.seek(0, os.SEEK_END)
        if found != part.ciphertext_length or found != ciphertext_length(part.plaintext_length):
            raise Damaged(f"part {number} is {found} bytes long, not {part.ciphertext_length} as listed")

    def _reader(self, number: int) -> DecryptingReader:
        self._refuse_when_closed()
        if self._current is not None:
            if self._current[0] == number:
                return self._current[2]
            self._current[1].close()
            self._current = None
        source = self._open_part(number)
        try:
            self._compare_length(number, source)
            reader = DecryptingReader(source, self._key, part_context(*self._place, number))
        except BaseException:
            source.close()
            raise
        self._current = (number, source, reader)
        return reader

    def _refuse_when_closed(self) -> None:
        if self.closed:
            raise ValueError("read from a closed version")

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        """Raise the damage that was met before, if any, and remember that which is met now."""
        if self._damage is not None:
            raise Damaged(self._damage)
        try:
            yield
        except Damaged as damage:
            self._damage = str(damage)
            raise
