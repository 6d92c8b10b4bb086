"""A look into ZIP containers: Office Open XML, OpenDocument, and archives. Nothing is ever extracted to disk."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from portal.scanning.bounded import BoundedReader, BudgetSpent
from portal.scanning.facts import ContentFacts, Notice, NoticeKind

MAX_ENTRIES = 10_000
MAX_PART = 1 << 20
MAX_EXPANDED = 1 << 30
MAX_RATIO = 200

_OOXML = "application/vnd.openxmlformats-officedocument."
# Content type of the main part (ECMA-376 part 1, 15.2) → media type of the file.
_MAIN_PARTS = {
    f"{_OOXML}wordprocessingml.document.main+xml": f"{_OOXML}wordprocessingml.document",
    f"{_OOXML}wordprocessingml.template.main+xml": f"{_OOXML}wordprocessingml.template",
    f"{_OOXML}spreadsheetml.sheet.main+xml": f"{_OOXML}spreadsheetml.sheet",
    f"{_OOXML}spreadsheetml.template.main+xml": f"{_OOXML}spreadsheetml.template",
    f"{_OOXML}presentationml.presentation.main+xml": f"{_OOXML}presentationml.presentation",
    f"{_OOXML}presentationml.slideshow.main+xml": f"{_OOXML}presentationml.slideshow",
    f"{_OOXML}presentationml.template.main+xml": f"{_OOXML}presentationml.template",
    "application/vnd.ms-word.document.macroEnabled.main+xml": "application/vnd.ms-word.document.macroEnabled.12",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml": (
        "application/vnd.ms-word.template.macroEnabled.12"
    ),
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "application/vnd.ms-excel.template.macroEnabled.main+xml": (
        "application/vnd.ms-excel.template.macroEnabled.12"
    ),
    "application/vnd.ms-excel.addin.macroEnabled.main+xml": "application/vnd.ms-excel.addin.macroEnabled.12",
    "application/vnd.ms-excel.sheet.binary.macroEnabled.main": (
        "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
    ),
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml": (
        "application/vnd.ms-powerpoint.presentation.macroEnabled.12"
    ),
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml": (
        "application/vnd.ms-powerpoint.slideshow.macroEnabled.12"
    ),
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml": (
        "application/vnd.ms-powerpoint.template.macroEnabled.12"
    ),
    "application/vnd.ms-visio.drawing.main+xml": "application/vnd.ms-visio.drawing.main+xml",
    "application/vnd.ms-visio.template.main+xml": "application/vnd.ms-visio.template.main+xml",
    "application/vnd.ms-visio.stencil.main+xml": "application/vnd.ms-visio.stencil.main+xml",
    "application/vnd.ms-visio.drawing.macroEnabled.main+xml": (
        "application/vnd.ms-visio.drawing.macroEnabled.main+xml"
    ),
}
_CONTENT_TYPE = re.compile(rb"""ContentType\s*=\s*(?:"([^"<]{1,200})"|'([^'<]{1,200})')""")
_SELF_NAMED = re.compile(r"application/(?:vnd\.oasis\.opendocument\.[a-z-]{1,40}|epub\+zip)")
# What document formats use (OPC annex B; ODF 1.2 part 3). Others reserve as much memory as the archive asks for.
_PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_READ_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    EOFError,
    ValueError,
    struct.error,
)


def look(reader: BoundedReader, media_type: str) -> ContentFacts:
    """Return what a ZIP container is and holds; `media_type` is what its first bytes alone let it seem."""
    try:
        with zipfile.ZipFile(reader) as container:
            return _facts(container, media_type)
    except BudgetSpent:
        text = "The container is too large or too deep to be examined in full."
        return ContentFacts(_plain(media_type), (Notice(NoticeKind.PARTLY_EXAMINED, text),))
    except _READ_FAULTS:
        text = "The container is damaged: its table of contents cannot be read."
        return ContentFacts(_plain(media_type), (Notice(NoticeKind.DAMAGED, text),))


def _facts(container: zipfile.ZipFile, media_type: str) -> ContentFacts:
    entries = container.infolist()
    if len(entries) > MAX_ENTRIES:
        raise BudgetSpent
    names = {entry.filename for entry in entries}
    notices: list[Notice] = []
    if (main := _office_type(container, names)) is not None:
        media_type = main
        notices.extend(_office_notices(names))
    elif (named := _self_named_type(container, entries)) is not None:
        media_type = named
        notices.extend(_open_document_notices(container, names))
    else:
        media_type = _plain(media_type)
    notices.extend(_archive_notices(entries))
    return ContentFacts(media_type, tuple(notices))


def _plain(media_type: str) -> str:
    """Return the type that the first bytes showed, unless it is one that only the container's parts can prove."""
    if media_type.startswith(
        (_OOXML, "application/vnd.ms-", "application/vnd.oasis.", "application/octet-stream")
    ):
        return "application/zip"
    return media_type


def _part(container: zipfile.ZipFile, name: str) -> bytes:
    """Return one part, inflated, nothing of an encrypted one; raises BudgetSpent over 1 MiB."""
    entry = container.getinfo(name)
    if entry.flag_bits & 1:
        return b""
    if entry.compress_type not in _PLAIN_METHODS:
        raise BudgetSpent
    with container.open(name) as part:
        data = part.read(MAX_PART + 1)
    if len(data) > MAX_PART:
        raise BudgetSpent
    return data


def _office_type(container: zipfile.ZipFile, names: set[str]) -> str | None:
    if "[Content_Types].xml" not in names:
        return None
    listing = _part(container, "[Content_Types].xml")
    if listing.startswith((b"\xff\xfe", b"\xfe\xff")):
        listing = listing.decode("utf-16", "replace").encode()
    for quoted, apostrophed in _CONTENT_TYPE.findall(listing):
        if (found := _MAIN_PARTS.get((quoted or apostrophed).decode("utf-8", "replace"))) is not None:
            return found
    return None


def _self_named_type(container: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str | None:
    # OpenDocument 1.2 part 3, 3.3: the first entry is the stored 'mimetype'.
    if not entries or entries[0].filename != "mimetype":
        return None
    named = _part(container, "mimetype").decode("ascii", "replace").strip()
    return named if _SELF_NAMED.fullmatch(named) else None


def _office_notices(names: set[str]) -> Iterator[Notice]:
    lowered = {name.casefold() for name in names}
    if any(name.endswith("vbaproject.bin") or "/activex/" in name for name in lowered):
        yield Notice(NoticeKind.MACROS, "The document carries macros or other active content.")
    embedded = sum("/embeddings/" in name and not name.endswith(("/", ".rels")) for name in lowered)
    if embedded:
        yield Notice(NoticeKind.EMBEDDED, f"Other files are embedded in the document ({embedded}).")
    if any(name.startswith("_xmlsignatures/") for name in lowered):
        yield Notice(NoticeKind.SIGNED, "The document carries a digital signature.")


def _open_document_notices(container: zipfile.ZipFile, names: set[str]) -> Iterator[Notice]:
    manifest = _part(container, "META-INF/manifest.xml") if "META-INF/manifest.xml" in names else b""
    if b":encryption-data" in manifest:
        yield Notice(
            NoticeKind.ENCRYPTED, "The document is protected by a password: nothing can look into it."
        )
    if any(name.startswith(("Basic/", "Scripts/")) and not name.endswith("/") for name in names):
        yield Notice(NoticeKind.MACROS, "The document carries macros or other active content.")
    if any(re.match(r"Object \d+(?:/|$)", name) for name in names):
        yield Notice(NoticeKind.EMBEDDED, "Other files are embedded in the document.")
    if "META-INF/documentsignatures.xml" in names:
        yield Notice(NoticeKind.SIGNED, "The document carries a digital signature.")


def _archive_notices(entries: list[zipfile.ZipInfo]) -> Iterator[Notice]:
    encrypted = sum(entry.flag_bits & 1 for entry in entries)
    if encrypted:
        text = f"{encrypted} of {len(entries)} entries are encrypted: nothing can look into them."
        yield Notice(NoticeKind.ENCRYPTED, text)
    packed = sum(entry.compress_size for entry in entries)
    expanded = sum(entry.file_size for entry in entries)
    if expanded > MAX_EXPANDED and expanded > MAX_RATIO * max(packed, 1):
        yield Notice(
            NoticeKind.EXPANDS, f"Unpacked, the content claims {expanded:,} bytes: open it with care."
        )
