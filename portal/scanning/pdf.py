"""A look into PDF files (ISO 32000-2): encryption, attachments, scripts, signatures. Nothing is rendered."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from portal.scanning.bounded import BoundedReader, BudgetSpent
from portal.scanning.facts import ContentFacts, Notice, NoticeKind

WINDOW = 1 << 20
OVERLAP = 64 << 10
MAX_INFLATED = 1 << 20
OBJECT_STREAM_COST = 32 << 10
MAX_PACKED = 256 << 10
MAX_INFLATED_IN_ALL = 32 << 20

# A name ends at white space or a delimiter (7.2.3): /EncryptMetadata is another name than /Encrypt.
_ENDS = rb"(?=[\x00\t\n\f\r ()<>\[\]{}/%])"
_ENCRYPTED = re.compile(rb"/Encrypt" + _ENDS + rb"\s*(?:\d|<<)")
_SCRIPTED = re.compile(rb"/(?:JavaScript|JS|Launch|RichMedia)" + _ENDS)
_ATTACHED = re.compile(rb"/(?:EmbeddedFiles?|FileAttachment)" + _ENDS)
_SIGNED = re.compile(rb"/ByteRange" + _ENDS + rb"\s*\[")
_OBJECT_STREAM = re.compile(rb"/ObjStm" + _ENDS)
_STREAM = re.compile(rb"stream\r?\n")

_SIGNS = (
    (
        _ENCRYPTED,
        Notice(NoticeKind.ENCRYPTED, "The PDF is encrypted: a scanner may be unable to look into it."),
    ),
    (_SCRIPTED, Notice(NoticeKind.MACROS, "The PDF carries scripts or other active content.")),
    (_ATTACHED, Notice(NoticeKind.EMBEDDED, "Other files are embedded in the PDF.")),
    (_SIGNED, Notice(NoticeKind.SIGNED, "The PDF carries a digital signature.")),
)


def look(reader: BoundedReader, media_type: str) -> ContentFacts:
    """Return what a PDF holds, from its plain objects and its (bounded) compressed object streams.

    The end is read first, since the trailer lies there: a file too long to be read in full still tells whether it
    is encrypted.
    """
    found: list[Notice] = []
    try:
        length = reader.length()
        _note(reader.exactly(max(0, length - WINDOW), WINDOW), found)
        inflated = 0
        for window in _windows(reader, length):
            _note(window, found)
            for objects in _object_streams(window):
                inflated += len(objects) + OBJECT_STREAM_COST
                _note(objects, found)
                if inflated > MAX_INFLATED_IN_ALL:
                    raise BudgetSpent
    except BudgetSpent:
        found.append(Notice(NoticeKind.PARTLY_EXAMINED, "The PDF is too large to be examined in full."))
    return ContentFacts(media_type, tuple(found))


def _windows(reader: BoundedReader, length: int) -> Iterator[bytes]:
    for offset in range(0, length, WINDOW):
        yield reader.exactly(offset, WINDOW + OVERLAP)


def _note(data: bytes, found: list[Notice]) -> None:
    found.extend(notice for sign, notice in _SIGNS if notice not in found and sign.search(data))


def _object_streams(window: bytes) -> Iterator[bytes]:
    """Yield the inflated beginnings (at most 1 MiB each) of the object streams (7.5.7) that begin in `window`."""
    for mark in _OBJECT_STREAM.finditer(window):
        begin = _STREAM.search(window, mark.end(), mark.end() + 4096)
        if begin is not None:
            packed = memoryview(window)[begin.end() : begin.end() + MAX_PACKED]
            try:
                yield zlib.decompressobj().decompress(packed, MAX_INFLATED)
            except zlib.error:
                # Encrypted, damaged, or under another filter: it tells nothing, but has cost its time.
                yield b""
