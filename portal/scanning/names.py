"""File names and titles as people send them: kept as they are, or refused with what is wrong."""

from __future__ import annotations

import unicodedata

from portal.errors import Invalid

MAX_NAME_BYTES = 255
MAX_TITLE = 200
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u200b\u2060\ufeff")
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})
# The device names of Windows, which no extension makes harmless.
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"}
)
_RENAME = "Rename the file and send it again."


def clean_file_name(raw: str) -> str:
    """Return `raw` unchanged when it may be a document's file name; raises Invalid saying what is wrong.

    Refused are path parts, control characters, bidirectional controls and invisible characters, names that are
    empty or over 255 bytes of UTF-8, that begin or end with a space or end with a dot, and device names.
    """
    if not raw.strip():
        raise Invalid("The file has no name.", mend="Give the file a name and send it again.")
    _check_characters(raw, "The file name")
    if "/" in raw or "\\" in raw or ":" in raw or raw in (".", ".."):
        raise Invalid(
            "The file name contains parts of a path ('/', '\\', ':', or only dots).",
            mend="Send the name alone, without folder or drive.",
        )
    if len(raw.encode()) > MAX_NAME_BYTES:
        raise Invalid(f"The file name is longer than {MAX_NAME_BYTES} bytes.", mend=f"Shorten it. {_RENAME}")
    if raw != raw.strip() or raw.endswith("."):
        raise Invalid("The file name begins or ends with a space, or ends with a dot.", mend=_RENAME)
    if raw.partition(".")[0].rstrip().casefold() in _RESERVED:
        raise Invalid("The file name is a device's name on some systems (such as CON or LPT1).", mend=_RENAME)
    return raw


def clean_title(raw: str) -> str:
    """Return a document's title without spaces around it; raises Invalid.

    A title has 1 to 200 characters and no line breaks, control, invisible or bidirectional control characters.
    """
    title = raw.strip(" \t\r\n")
    if not title:
        raise Invalid("The document has no title.", mend="Write a title.")
    if len(title) > MAX_TITLE:
        raise Invalid(
            f"The title has {len(title)} characters; {MAX_TITLE} are allowed.", mend="Shorten the title."
        )
    _check_characters(title, "The title")
    return title


def _check_characters(text: str, what: str) -> None:
    for character in text:
        if character in _BIDI:
            fault = "a character that turns the direction of writing"
        elif character in _INVISIBLE:
            fault = "an invisible character"
        elif unicodedata.category(character) in _CONTROL_CATEGORIES:
            fault = "a control character"
        else:
            continue
        raise Invalid(
            f"{what} contains {fault} (U+{ord(character):04X}).",
            mend="Remove this character and send it again.",
        )
