"""The kinds of values that the log's records carry in their details."""

from __future__ import annotations

import re
from enum import StrEnum

from portal.clock import parse_rfc3339

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader takes exactly (RFC 8785, section 3.2.2.3, via RFC 7493)."""

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
CODE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,99}/[a-z0-9][A-Za-z0-9.+_-]{0,99}")


class Kind(StrEnum):
    """What a value in `details` may be."""

    IDENTIFIER = "identifier"
    IDENTIFIERS = "list of identifiers"
    CODE = "code (lower-case word)"
    CODES = "list of codes"
    DIGEST = "SHA-256, 64 hexadecimal digits"
    COUNT = "whole number, not negative"
    FLAG = "true or false"
    TIME = "RFC 3339 time"
    MARKING = "words of the security policy"
    MARKINGS = "list of words of the security policy"
    MEDIA_TYPE = "media type"

    def holds(self, value: object) -> bool:
        """Tell whether `value` is of this kind."""
        match self:
            case Kind.IDENTIFIERS:
                return _every(value, IDENTIFIER)
            case Kind.CODES:
                return _every(value, CODE)
            case Kind.MARKINGS:
                return isinstance(value, list | tuple) and all(is_marking(item) for item in value)
            case Kind.COUNT:
                return type(value) is int and 0 <= value <= MAX_INTEGER
            case Kind.FLAG:
                return isinstance(value, bool)
            case Kind.TIME:
                return _is_time(value)
            case Kind.MARKING:
                return is_marking(value)
            case _:
                return isinstance(value, str) and _PATTERNS[self].fullmatch(value) is not None


_PATTERNS = {
    Kind.IDENTIFIER: IDENTIFIER,
    Kind.CODE: CODE,
    Kind.DIGEST: DIGEST,
    Kind.MEDIA_TYPE: MEDIA_TYPE,
}


def is_marking(value: object) -> bool:
    """Tell whether `value` is printable text of at most 1,024 characters, as a policy's words are."""
    return isinstance(value, str) and 0 < len(value) <= 1024 and value.isprintable()


def _every(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, str) and pattern.fullmatch(item) is not None for item in value
    )


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not value.isascii():
        return False
    try:
        parse_rfc3339(value)
    except ValueError:
        return False
    return True
