"""The content type of an upload, from its bytes, with a bounded look into containers."""

from __future__ import annotations

from typing import BinaryIO

# pylibmagic puts its libmagic where python-magic finds it: it must come first.
import pylibmagic  # noqa: F401 # isort: skip
import magic

from portal.scanning import compound, envelopes, pdf, sevenzip, zipped
from portal.scanning.bounded import BoundedReader
from portal.scanning.extensions import promise_broken
from portal.scanning.facts import ContentFacts, Notice, NoticeKind

HEAD_LENGTH = 64 << 10
MAX_READ = 128 << 20
MAX_READ_AT_ONCE = 2 << 20
_UNKNOWN = "application/octet-stream"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL = 66_000
# These have no business ending as a ZIP archive does; an Office file of the older kind may hold one whole.
_NEVER_ZIP_TOO = ("application/pdf", "image/", "video/", "audio/", "text/")


def identify(head: bytes, reader: BinaryIO, file_name: str) -> ContentFacts:
    """Return the media type and the notices of a file.

    `head` holds its first bytes (64 KiB suffice), `reader` its plaintext, seekable, of which at most 128 MiB are
    read, some MiB at a time; `file_name` serves to compare its extension with the bytes, never to guess the type.
    """
    facts = _look(head, BoundedReader(reader, total=MAX_READ, largest=MAX_READ_AT_ONCE))
    if promise_broken(file_name, facts.media_type):
        text = f"The extension of the file name does not fit its content ({facts.media_type})."
        return ContentFacts(facts.media_type, (*facts.notices, Notice(NoticeKind.EXTENSION_DIFFERS, text)))
    return facts


def _look(head: bytes, reader: BoundedReader) -> ContentFacts:
    if (envelope := envelopes.recognise(head)) is not None:
        return envelope
    media_type = _seems(head)
    if head.startswith(_ZIP):
        return zipped.look(reader, media_type)
    if head.startswith(compound.MAGIC):
        return compound.look(reader, media_type)
    if head.startswith(sevenzip.MAGIC):
        return sevenzip.look(reader, media_type)
    zip_too = media_type.startswith(_NEVER_ZIP_TOO) and _ends_as_zip(reader)
    facts = pdf.look(reader, media_type) if media_type == "application/pdf" else ContentFacts(media_type)
    if zip_too:
        text = "The file can be read as a ZIP archive as well: it may hold other files."
        return ContentFacts(media_type, (*facts.notices, Notice(NoticeKind.POLYGLOT, text)))
    return facts


def _seems(head: bytes) -> str:
    if not head:
        return _UNKNOWN
    try:
        media_type = str(magic.from_buffer(head[:HEAD_LENGTH], mime=True))
    except magic.MagicException:
        return _UNKNOWN
    return media_type if "/" in media_type else _UNKNOWN


def _ends_as_zip(reader: BoundedReader) -> bool:
    length = reader.length()
    return _ZIP_END in reader.exactly(max(0, length - _ZIP_TAIL), _ZIP_TAIL)
