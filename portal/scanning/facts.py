"""What is learnt about a file's content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice is about; the value is stored and is the key for translation."""

    ENCRYPTED = "encrypted"
    MACROS = "macros"
    EMBEDDED = "embedded"
    SIGNED = "signed"
    EXTENSION_DIFFERS = "extension-differs"
    EXPANDS = "expands"
    DAMAGED = "damaged"
    PARTLY_EXAMINED = "partly-examined"
    POLYGLOT = "polyglot"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a reader or an officer should know of the content, in one English sentence."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """The media type (RFC 6838, without parameters) that the bytes show, and the notices, one a kind."""

    media_type: str
    notices: tuple[Notice, ...] = ()
