"""Encrypted streams as plain file-like objects, byte for byte Tink `AES256_GCM_HKDF_1MB` (see `segments`)."""

from __future__ import annotations

import io
import mmap
import os
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import Damaged
from crypto.keys import Secret
from crypto.segments import (
    HEADER,
    NONCE_PREFIX,
    PLAIN,
    PLAIN_FIRST,
    SALT,
    SEGMENT,
    TAG,
    Layout,
    locate,
    nonce,
    parse_header,
    stream_key,
)
from crypto.sources import Memory, Source, segments_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class Sink(Protocol):
    """Where ciphertext goes. Each piece must be used before `write` returns: its memory is used again.

    A returned number tells how many bytes were taken; anything else means all of them.
    """

    def write(self, piece: memoryview, /) -> object:
        """Take a piece of ciphertext."""


class EncryptingWriter:
    """Encrypts what is written to it into `sink`, a segment (1 MiB) at a time.

    `key` is 32 bytes. `close` writes the last segment and so makes the stream whole; it leaves the sink open.
    Leaving a `with` block by an exception, an error of the sink, or forgetting the writer leaves a stream that
    every reader refuses as cut off. Raises ValueError on writing to a closed writer.
    """

    def __init__(self, sink: Sink, key: Secret | bytes, associated_data: bytes) -> None:
        salt = os.urandom(SALT)
        self._prefix = os.urandom(NONCE_PREFIX)
        self._cipher = algorithms.AES(stream_key(key, salt, associated_data))
        self._sink = sink
        self._plain = memoryview(bytearray(PLAIN))
        self._filled = 0
        self._room = PLAIN_FIRST
        # Memory of its own pages: a sink may hand whole segments to the disk as they are.
        self._out = memoryview(mmap.mmap(-1, SEGMENT))
        self._out[:HEADER] = bytes((HEADER,)) + salt + self._prefix
        self._out_start = HEADER
        self._index = 0
        self._closed = False
        self._written = 0
        self.whole = False
        """Whether the last segment was written."""
        self.ciphertext_length = 0
        """Bytes given to the sink so far."""

    def write(self, data: ReadableBuffer) -> int:
        """Encrypt `data` and return its length in bytes; what fills no segment yet is kept."""
        if self._closed:
            raise ValueError("write to a closed stream")
        view = memoryview(data)
        if view.ndim != 1 or view.itemsize != 1:
            view = view.cast("B")
        length = len(view)
        start = 0
        # A full segment stays in the buffer until more arrives, because only then it is known not to be the last.
        while length - start > self._room:
            stop = start + self._room
            self._emit(view[start:stop], last=False)
            start = stop
        rest = length - start
        self._plain[self._filled : self._filled + rest] = view[start:]
        self._filled += rest
        self._room -= rest
        self._written += length
        return length

    def close(self) -> None:
        """Write the last segment. Closing again, or after an error, does nothing: see `whole`."""
        if not self._closed:
            self._emit(self._plain[:0], last=True)
            self._closed = self.whole = True

    def abandon(self) -> None:
        """Take no more and write nothing: the stream stays cut off."""
        self._closed = True

    def tell(self) -> int:
        """Return how many plaintext bytes were written."""
        return self._written

    def flush(self) -> None:
        """Do nothing: a segment is written when it is full or the last, and never twice."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return False."""
        return False

    def seekable(self) -> bool:
        """Return False."""
        return False

    @property
    def closed(self) -> bool:
        """Whether the stream takes no more."""
        return self._closed

    def __enter__(self) -> EncryptingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _emit(self, more: memoryview, *, last: bool) -> None:
        """Encrypt the buffer followed by `more` as the next segment, and give it to the sink."""
        # Whatever fails here must not be followed by another segment or an ending.
        self._closed = True
        out = self._out
        end = self._out_start
        encryptor = Cipher(self._cipher, modes.GCM(nonce(self._prefix, self._index, last))).encryptor()
        for piece in (self._plain[: self._filled], more):
            if piece:
                end += encryptor.update_into(piece, out[end:])
        encryptor.finalize()
        out[end : end + TAG] = encryptor.tag
        end += TAG
        piece = out[:end]
        while piece:
            taken = self._sink.write(piece)
            piece = piece[taken if isinstance(taken, int) else len(piece) :]
        self.ciphertext_length += end
        self._index += 1
        self._out_start = 0
        self._filled = 0
        self._room = PLAIN
        self._closed = False


class DecryptingReader(io.RawIOBase):
    """Reads the plaintext of an encrypted stream, seekable when its source is.

    No byte of a segment is handed out before the segment is authenticated. On a seekable source the last segment
    is checked on opening, so a stream that was cut is refused before its first byte. Anything that is not exactly
    what was written raises Damaged, which is final: the reader hands out nothing afterwards. Errors of the source
    pass through. The source is a file, which stays open, or bytes in memory, which are used without a copy. One
    reader may be used by several threads; `read` and `readinto` return less than asked at the end only.
    """

    def __init__(self, source: Source | Memory, key: Secret | bytes, associated_data: bytes) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._segments = segments_of(source)
        self._layout = self._segments.layout
        self._damage: str | None = None
        self._position = 0
        self._end = None if self._layout is None else self._layout.size
        self._held = -1
        salt, self._prefix = parse_header(self._segments.header())
        self._aead = AESGCM(stream_key(key, salt, associated_data))
        self._plain = memoryview(bytearray(PLAIN if self._end is None else min(PLAIN, self._end)))
        self._kept = self._plain[:0]
        if self._layout is not None:
            last = self._layout.segments - 1
            self._hold(last, *self._fetch(last))

    @property
    def size(self) -> int:
        """The plaintext's length in bytes; raises UnsupportedOperation when the source cannot seek."""
        return self._known_layout().size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return whether the source can seek."""
        return self._layout is not None

    def tell(self) -> int:
        """Return the position in the plaintext."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move in the plaintext; reading past the end gives nothing."""
        size = self._known_layout().size
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, target: WriteableBuffer, /) -> int:
        """Fill `target`, or as much of it as is left of the plaintext, and return how many bytes."""
        view = memoryview(target).cast("B")
        with self._lock:
            self._refuse_after_damage()
            done = 0
            while done < len(view) and (step := self._step(view[done:])):
                done += step
                self._position += step
            return done

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes, or all that are left."""
        if size is None or size < 0:
            return self.readall()
        if self._end is not None:
            size = max(0, min(size, self._end - self._position))
        target = bytearray(size)
        done = self.readinto(target)
        return bytes(target) if done == size else bytes(memoryview(target)[:done])

    def readall(self) -> bytes:
        """Return all that is left."""
        if self._end is not None:
            return self.read(max(0, self._end - self._position))
        pieces = []
        while piece := self.read(SEGMENT):
            pieces.append(piece)
        return b"".join(pieces)

    def segments(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the plaintext from `start` up to `stop` (default: the end) without a copy; the position stays.

        Each view is valid until the next step. Raises UnsupportedOperation when the source cannot seek and
        ValueError when the range is not within the plaintext.
        """
        size = self._known_layout().size
        stop = size if stop is None else stop
        if not 0 <= start <= stop <= size:
            raise ValueError("the range is not within the plaintext")
        return self._range(start, stop)

    def open_segment(self, index: int, buffer: memoryview) -> memoryview:
        """Return the plaintext of one segment of a seekable stream, in `buffer` (1 MiB) unless it is at hand."""
        with self._lock:
            self._refuse_after_damage()
            # The only segment of a short stream was opened with it, and nothing takes its place.
            if self._known_layout().segments == 1:
                return self._kept
            return self._open(index, *self._fetch(index), buffer)

    def _range(self, start: int, stop: int) -> Iterator[memoryview]:
        # A buffer of its own, so that a read meanwhile does not change what was handed out.
        buffer = memoryview(bytearray(PLAIN))
        while start < stop:
            index, offset = locate(start)
            piece = self.open_segment(index, buffer)[offset : offset + stop - start].toreadonly()
            start += len(piece)
            yield piece

    def _step(self, target: memoryview) -> int:
        """Copy or decrypt from the segment at the position into `target`; 0 at the end."""
        if self._end is not None and self._position >= self._end:
            return 0
        index, offset = locate(self._position)
        if index != self._held:
            sealed, last = self._fetch(index)
            if offset == 0 and len(target) >= len(sealed) - TAG:
                return len(self._open(index, sealed, last, target))
            self._hold(index, sealed, last)
        piece = self._kept[offset : offset + len(target)]
        target[: len(piece)] = piece
        return len(piece)

    def _hold(self, index: int, sealed: memoryview, last: bool) -> None:
        self._held = -1
        self._kept = self._open(index, sealed, last, self._plain)
        self._held = index

    def _fetch(self, index: int) -> tuple[memoryview, bool]:
        try:
            return self._segments.fetch(index)
        except Damaged as damage:
            self._fail(str(damage))

    def _open(self, index: int, sealed: memoryview, last: bool, target: memoryview) -> memoryview:
        plain = target[: len(sealed) - TAG]
        try:
            self._aead.decrypt_into(nonce(self._prefix, index, last), sealed, None, plain)
        except InvalidTag:
            plain[:] = bytes(len(plain))
            self._fail(self._diagnosis(index, sealed, last))
        if last:
            self._end = PLAIN_FIRST + (index - 1) * PLAIN + len(plain) if index else len(plain)
        return plain

    def _diagnosis(self, index: int, sealed: memoryview, last: bool) -> str:
        try:
            self._aead.decrypt(nonce(self._prefix, index, not last), sealed, None)
        except InvalidTag:
            where = "the last segment" if last else f"segment {index}"
            return f"{where} was altered or moved, the stream was cut off, or key or context are others"
        return (
            f"the stream is cut off after segment {index}" if last else "something follows the last segment"
        )

    def _known_layout(self) -> Layout:
        if self._layout is None:
            raise io.UnsupportedOperation("the source cannot seek")
        return self._layout

    def _refuse_after_damage(self) -> None:
        if self.closed:
            raise ValueError("read from a closed stream")
        if self._damage is not None:
            raise Damaged(self._damage)

    def _fail(self, what: str) -> NoReturn:
        self._damage = what
        raise Damaged(what)
