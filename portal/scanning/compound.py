"""A look into OLE2 compound files ([MS-CFB]): the older Office formats, and encrypted Office Open XML."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from portal.scanning.bounded import BoundedReader
from portal.scanning.facts import ContentFacts, Notice, NoticeKind

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_DIRECTORY_SECTORS = 2048
_END = 0xFFFFFFFA  # at and above: not a sector
_HEADER_TABLES = 109
_FILEPASS = 0x2F
_KINDS = {
    "WordDocument": "application/msword",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "VisioDocument": "application/vnd.visio",
    "__properties_version1.0": "application/vnd.ms-outlook",
}
_MACRO_STORAGES = frozenset({"Macros", "_VBA_PROJECT_CUR", "_VBA_PROJECT", "VBA"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One storage or stream of the directory ([MS-CFB] 2.6.1)."""

    name: str
    start: int
    size: int


class _File:
    def __init__(self, reader: BoundedReader) -> None:
        self._reader = reader
        header = reader.exactly(0, 512)
        # [MS-CFB] 2.2: sector shift; number of tables, first directory sector; size under which a stream is "mini".
        (shift,) = struct.unpack_from("<H", header, 30)
        tables, directory, cutoff, further = struct.unpack_from("<II4xI8xI", header, 44)
        if shift not in (9, 12):
            raise ValueError("no such sector size")
        self._sector_size = 1 << shift
        self._directory: int = directory
        self.cutoff: int = cutoff
        self._tables = list(struct.unpack_from(f"<{_HEADER_TABLES}I", header, 76))
        self._load_further_tables(further, tables)
        self._cached: tuple[int, bytes] = (-1, b"")

    def _load_further_tables(self, sector: int, tables: int) -> None:
        slots = self._sector_size // 4
        while sector < _END and len(self._tables) < min(tables, 65_536):
            *more, sector = struct.unpack(f"<{slots}I", self.sector(sector))
            self._tables.extend(more)

    def sector(self, number: int) -> bytes:
        data = self._reader.exactly((number + 1) * self._sector_size, self._sector_size)
        if len(data) < self._sector_size:
            raise ValueError("cut off")
        return data

    def _next(self, sector: int) -> int:
        table, slot = divmod(sector, self._sector_size // 4)
        if table >= len(self._tables) or self._tables[table] >= _END:
            raise ValueError("a sector outside the table")
        if self._cached[0] != table:
            self._cached = (table, self.sector(self._tables[table]))
        (following,) = struct.unpack_from("<I", self._cached[1], slot * 4)
        return int(following)

    def entries(self) -> Iterator[Entry]:
        sector = self._directory
        for _ in range(MAX_DIRECTORY_SECTORS):
            if sector >= _END:
                return
            data = self.sector(sector)
            for offset in range(0, len(data), 128):
                (name_length, kind) = struct.unpack_from("<HB", data, offset + 64)
                if kind and 2 <= name_length <= 64:
                    name = data[offset : offset + name_length - 2].decode("utf-16-le", "replace")
                    yield Entry(name, *struct.unpack_from("<II", data, offset + 116))
            sector = self._next(sector)


def look(reader: BoundedReader, media_type: str) -> ContentFacts:
    """Return what a compound file is and holds; `media_type` is kept where its streams tell nothing better."""
    try:
        file = _File(reader)
        entries = {entry.name: entry for entry in file.entries()}
        encrypted = "EncryptedPackage" in entries or _encrypted(file, entries)
    except (ValueError, struct.error):
        text = "The file is damaged: its directory cannot be read."
        return ContentFacts(media_type, (Notice(NoticeKind.DAMAGED, text),))
    if "EncryptedPackage" in entries:
        media_type = "application/encrypted"
    else:
        media_type = next((kind for name, kind in _KINDS.items() if name in entries), media_type)
    notices = []
    if encrypted:
        text = "The document is protected by a password: nothing can look into it."
        notices.append(Notice(NoticeKind.ENCRYPTED, text))
    if entries.keys() & _MACRO_STORAGES:
        notices.append(Notice(NoticeKind.MACROS, "The document carries macros or other active content."))
    if any(name in ("ObjectPool", "\x01Ole10Native") or name.startswith("MBD") for name in entries):
        notices.append(Notice(NoticeKind.EMBEDDED, "Other files are embedded in the document."))
    if "_signatures" in entries or "_xmlsignatures" in entries:
        notices.append(Notice(NoticeKind.SIGNED, "The document carries a digital signature."))
    return ContentFacts(media_type, tuple(notices))


def _encrypted(file: _File, entries: dict[str, Entry]) -> bool:
    if "EncryptedSummary" in entries or "EncryptedSummaryInfo" in entries:
        return True
    word = entries.get("WordDocument")
    if word is not None and word.size >= file.cutoff:
        # [MS-DOC] 2.5.2 FibBase: bit 8 of the flags at offset 10 is fEncrypted.
        return bool(struct.unpack_from("<H", file.sector(word.start), 10)[0] & 0x0100)
    book = entries.get("Workbook") or entries.get("Book")
    if book is not None and book.size >= file.cutoff:
        return _FILEPASS in _records(file.sector(book.start))
    return False


def _records(data: bytes) -> Iterator[int]:
    """Yield the types of the [MS-XLS] records (2.1.4) that begin in `data`."""
    offset = 0
    while offset + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, offset)
        yield kind
        offset += 4 + length
