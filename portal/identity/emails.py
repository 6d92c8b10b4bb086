"""E-mail addresses as the names of accounts: found by a keyed hash, never stored in the clear."""

from __future__ import annotations

import unicodedata

from crypto.sealed import RowSealer
from portal.errors import Invalid

MAX_LENGTH = 254
"""Longest address in characters (RFC 5321, section 4.5.3.1.3, without the angle brackets)."""

_PURPOSE = "people.email"


def normal_email(text: str) -> str:
    """Return an address in the one form in which accounts are looked up; raises Invalid when it is none.

    Letter case is ignored in the whole address: two accounts that differ in it alone would only serve deceit.
    """
    email = _fold(text)
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or len(email) > MAX_LENGTH:
        raise Invalid("This is not an e-mail address.", mend="Write it as name@example.org.")
    if any(character.isspace() or not character.isprintable() for character in email):
        raise Invalid("An e-mail address has no spaces or control characters.", mend="Remove them.")
    return email


def email_index(sealer: RowSealer, email: str) -> bytes:
    """Return the keyed hash under which an account with this address is stored; raises Invalid."""
    return sealer.blind_index(_PURPOSE, normal_email(email))


def email_indexes(sealer: RowSealer, email: str) -> tuple[bytes, ...]:
    """Return the hashes under every version of the key, to look up whatever somebody typed as their address."""
    # What is no address must cost the same as what is one; what UTF-8 cannot carry stands for no account either way.
    typed = _fold(email)[: MAX_LENGTH + 1].encode("utf-8", "backslashreplace").decode()
    return sealer.blind_indexes(_PURPOSE, typed)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
