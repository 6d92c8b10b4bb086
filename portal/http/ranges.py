"""Byte ranges (RFC 9110, section 14): one range, or the whole."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.http import parse_range_header

from portal.errors import RangeNotSatisfiable


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` (inclusive) to `stop` (exclusive) of `size`; `partial` says whether a range was asked for."""

    start: int
    stop: int
    size: int
    partial: bool

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start

    @property
    def content_range(self) -> str:
        """The Content-Range header's value."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def wanted_range(headers: Headers, size: int, etag: str) -> ByteRange:
    """Read the Range header for content of `size` bytes; several ranges, or an If-Range that differs, give the whole.

    Raises RangeNotSatisfiable for a range that cannot be read or lies outside.
    """
    whole = ByteRange(0, size, size, partial=False)
    value = headers.get("Range")
    if value is None or ("If-Range" in headers and headers["If-Range"] != etag):
        return whole
    if not value.strip().lower().startswith("bytes"):
        return whole
    parsed = parse_range_header(value)
    if parsed is None or parsed.units != "bytes":
        raise RangeNotSatisfiable(
            "The Range header cannot be read.", mend="Write it as `bytes=0-1023`, or leave it out.", size=size
        )
    if len(parsed.ranges) > 1:
        return whole
    start = parsed.ranges[0][0]
    if size and start < -size:
        return ByteRange(0, size, size, partial=True)
    found = parsed.range_for_length(size)
    if found is None:
        raise RangeNotSatisfiable(
            f"The document has {size:,} bytes; the range lies outside.",
            mend="Ask for a range within.",
            size=size,
        )
    return ByteRange(found[0], found[1], size, partial=True)
