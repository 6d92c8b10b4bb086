"""Whether a 7z archive is encrypted, from its header (7-Zip's own 7zFormat.txt)."""

from __future__ import annotations

import lzma
import struct

from portal.scanning.bounded import BoundedReader
from portal.scanning.facts import ContentFacts, Notice, NoticeKind

MAGIC = b"7z\xbc\xaf\x27\x1c"
MAX_HEADER = 1 << 20
_AES = bytes.fromhex("06f10701")
_LZMA = bytes.fromhex("030101")
_SIGNATURE_LENGTH = 32
_ENCODED_HEADER, _PACK_INFO, _UNPACK_INFO, _SIZE, _FOLDER, _SIZES, _END = (
    0x17,
    0x06,
    0x07,
    0x09,
    0x0B,
    0x0C,
    0x00,
)


def look(reader: BoundedReader, media_type: str) -> ContentFacts:
    """Return whether the archive's entries, or its table of contents too, are encrypted."""
    try:
        offset, length = struct.unpack_from("<QQ", reader.exactly(0, _SIGNATURE_LENGTH), 12)
        if length > MAX_HEADER:
            text = "The archive's table of contents is too large to be examined."
            return ContentFacts(media_type, (Notice(NoticeKind.PARTLY_EXAMINED, text),))
        header = reader.exactly(_SIGNATURE_LENGTH + offset, length)
        if len(header) < length:
            raise ValueError("cut off")
        # The coder's id stands after the byte with its length (4) and flags.
        if _AES not in header and header[:1] == bytes([_ENCODED_HEADER]):
            header = _unpacked(reader, header)
    except (ValueError, IndexError, struct.error, lzma.LZMAError):
        text = "The archive is damaged: its table of contents cannot be read."
        return ContentFacts(media_type, (Notice(NoticeKind.DAMAGED, text),))
    if _AES in header:
        text = "The archive is encrypted: nothing can look into it."
        return ContentFacts(media_type, (Notice(NoticeKind.ENCRYPTED, text),))
    return ContentFacts(media_type)


class _Numbers:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def octets(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        first = self.octets(1)[0]
        value, mask = 0, 0x80
        for index in range(8):
            if not first & mask:
                return value + ((first & (mask - 1)) << (8 * index))
            value |= self.octets(1)[0] << (8 * index)
            mask >>= 1
        return value

    def expect(self, *values: int) -> None:
        for value in values:
            if self.octets(1)[0] != value:
                raise ValueError("not the header that 7-Zip writes")


def _unpacked(reader: BoundedReader, encoded: bytes) -> bytes:
    """Return a header that is itself compressed with LZMA, as 7-Zip writes it."""
    numbers = _Numbers(encoded)
    numbers.expect(_ENCODED_HEADER, _PACK_INFO)
    position = numbers.number()
    numbers.expect(1, _SIZE)
    packed_length = numbers.number()
    numbers.expect(_END, _UNPACK_INFO, _FOLDER, 1, 0, 1, 0x23)
    if numbers.octets(3) != _LZMA or numbers.number() != 5:
        raise ValueError("another coder than LZMA")
    properties = numbers.octets(5)
    numbers.expect(_SIZES)
    length = numbers.number()
    if max(length, packed_length) > MAX_HEADER:
        raise ValueError("a header beyond measure")
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    dictionary = min(struct.unpack_from("<I", properties, 1)[0], MAX_HEADER)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": lc, "lp": lp, "pb": pb}]
    packed = reader.exactly(_SIGNATURE_LENGTH + position, packed_length)
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters).decompress(packed, length)
