"""Proving that a version's stored parts are what was written and open with its key, without handing plaintext out.

Who checks storage needs a DEK for a moment, but never content: everything that is decrypted here stays here.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from crypto.errors import Damaged
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek
from crypto.parts import Part, part_context
from crypto.segments import PLAIN, Layout
from crypto.sources import Source
from crypto.streams import DecryptingReader
from crypto.unwrapping import unwrap_dek

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_IN_MEMORY = 4 << 20


@dataclass(frozen=True, slots=True)
class PartFault:
    """What is wrong with one part; `found` is the SHA-256 of what lies there, when not the listed one."""

    number: int
    problem: str
    found: bytes | None = None


def check_content(
    ring: KeyRing,
    wrapped: bytes,
    domain: Domain,
    context: DekContext,
    parts: Sequence[Part],
    open_part: Callable[[int], Source],
) -> tuple[PartFault, ...]:
    """Unwrap a version's DEK, read every part once and return what does not hold, in the order of the parts.

    Every part's length and SHA-256 are compared with the list, and every segment is authenticated. `open_part(number)`
    opens a part's ciphertext, seekable; this function closes it and lets its errors pass. Raises Damaged when the DEK
    does not open in this place, UnknownKey when its KEK is gone, KeyUnavailable.
    """
    dek = unwrap_dek(ring, wrapped, domain, context)
    faults = []
    for number, part in enumerate(parts, 1):
        with open_part(number) as source:
            fault = _check(cast(io.RawIOBase, source), dek, context, number, part)
        if fault is not None:
            faults.append(fault)
    return tuple(faults)


def _check(source: io.RawIOBase, dek: Dek, context: DekContext, number: int, part: Part) -> PartFault | None:
    length = source.seek(0, os.SEEK_END)
    source.seek(0)
    digest = hashlib.sha256()
    problem = ""
    place = part_context(context.document_id, context.version, number)
    try:
        if length <= _IN_MEMORY:
            stream = memoryview(bytearray(length))
            _fill(source, stream)
            digest.update(stream)
            _authenticate(DecryptingReader(stream, dek, place), Layout.of(length).segments)
        else:
            _drain(DecryptingReader(_Digesting(source, digest), dek, place))
    except Damaged as damage:
        problem = str(damage)
    if length != part.ciphertext_length:
        problem = f"it is {length:,} bytes long, not {part.ciphertext_length:,} as listed"
    if problem and length > _IN_MEMORY:
        # The reader stopped at the first bad segment: what lies there is told by the digest of all of it.
        digest = _digest_of(source)
    if digest.digest() == part.sha256:
        return PartFault(number, problem) if problem else None
    return PartFault(number, problem or "its bytes are not those that were written", digest.digest())


def _authenticate(reader: DecryptingReader, segments: int) -> None:
    if segments == 1:
        return
    buffer = memoryview(bytearray(PLAIN))
    for index in range(segments):
        reader.open_segment(index, buffer)


def _drain(reader: DecryptingReader) -> None:
    buffer = memoryview(bytearray(PLAIN))
    while reader.readinto(buffer):
        pass


def _fill(source: io.RawIOBase, target: memoryview) -> None:
    done = 0
    while done < len(target):
        got = source.readinto(target[done:])
        if not got:
            raise Damaged("the stream was cut off while it was read")
        done += got


def _digest_of(source: io.RawIOBase) -> hashlib._Hash:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PLAIN))
    source.seek(0)
    while got := source.readinto(buffer):
        digest.update(buffer[:got])
    return digest


class _Digesting(io.RawIOBase):
    """Passes a file on, forwards only, and digests it: one reading serves both checks."""

    def __init__(self, source: io.RawIOBase, digest: hashlib._Hash) -> None:
        super().__init__()
        self._source = source
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer, /) -> int:
        view = memoryview(target).cast("B")
        got = self._source.readinto(view) or 0
        self._digest.update(view[:got])
        return got
