"""One injective encoding of typed values into bytes: what seals and digests are computed over.

Each value is a type byte followed by a length where the type has no fixed one, so no encoding is the
beginning of another: `encode(a, b) == encode(a) + encode(b)`, and different sequences of values never share
an encoding.

| value | encoding |
|---|---|
| None, False, True | `N`, `F`, `T` |
| int | `i`, u32 length, two's complement big-endian in the fewest bytes |
| str | `s`, u32 length, UTF-8 |
| bytes | `b`, u32 length, the bytes |
| aware datetime | `d`, i64 microseconds since 1970-01-01 UTC |
| tuple | `t`, u32 number of items, the items |
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

Value: TypeAlias = "str | bytes | int | bool | datetime | tuple[Value, ...] | None"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_head = struct.Struct(">cI").pack
_moment = struct.Struct(">cq").pack
_SHORT = 256
_TEXT_HEADS = tuple(_head(b"s", length) for length in range(_SHORT))
_OCTET_HEADS = tuple(_head(b"b", length) for length in range(_SHORT))


def encode(*values: Value) -> bytes:
    """Encode values one after another.

    Raises TypeError for any other type (a float, a naive datetime), ValueError for text that is not UTF-8.
    """
    return b"".join(pieces(values))


def pieces(values: Iterable[Value]) -> list[bytes]:
    """Return the encoding of each value by itself."""
    return [_ENCODERS.get(type(value), _other)(value) for value in values]


def _text(value: str) -> bytes:
    raw = value.encode()
    length = len(raw)
    return (_TEXT_HEADS[length] if length < _SHORT else _head(b"s", length)) + raw


def _octets(value: bytes) -> bytes:
    length = len(value)
    return (_OCTET_HEADS[length] if length < _SHORT else _head(b"b", length)) + value


def _integer(value: int) -> bytes:
    raw = value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)
    return _head(b"i", len(raw)) + raw


def _boolean(value: bool) -> bytes:
    return b"T" if value else b"F"


def _none(_value: None) -> bytes:
    return b"N"


def _time(value: datetime) -> bytes:
    if value.tzinfo is None:
        raise TypeError("a naive datetime has no canonical encoding")
    since = value - _EPOCH
    return _moment(b"d", (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _sequence(value: tuple[Value, ...]) -> bytes:
    return _head(b"t", len(value)) + encode(*value)


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    bytes: _octets,
    int: _integer,
    bool: _boolean,
    type(None): _none,
    datetime: _time,
    tuple: _sequence,
}


def _other(value: object) -> bytes:
    """Encode instances of subclasses (a StrEnum member, a named tuple) as their base type."""
    for base in (str, bytes, int, datetime, tuple):
        if isinstance(value, base):
            return _ENCODERS[base](value)
    raise TypeError(f"{type(value).__name__} has no canonical encoding")
