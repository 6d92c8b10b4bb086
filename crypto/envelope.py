"""What every stored value begins with: a byte that names its format, and the id of the key that made it.

A key id is 8 random bytes, written as 16 hexadecimal digits outside stored values. A changed algorithm gets
a new format byte, so old values stay readable.
"""

from __future__ import annotations

import secrets

from crypto.errors import Damaged

ID_BYTES = 8
PREFIX_BYTES = 1 + ID_BYTES

WRAPPED = 0x01
"""A key under AES-256-GCM: nonce (12), ciphertext, tag (16)."""
VALUE = 0x02
"""A value under AES-256-GCM-SIV (RFC 8452): nonce (12), ciphertext, tag (16)."""
ROW = 0x03
"""The HMAC-SHA256 of a row (32)."""
INDEX = 0x04
"""The HMAC-SHA256 of a text to be looked up (32)."""
MANIFEST = 0x05
"""A version's manifest under AES-256-GCM."""
PACK = 0x06
PACK = 0x06
"""A piece of a title pack under AES-256-GCM."""
TRANSIT = 0x07
"""A key under a key server's Transit engine: its ciphertext, `vault:vN:…`."""

FORMATS = {"column": VALUE, "row": ROW, "index": INDEX, "pack": PACK}
"""The format of what a data-sealing key seals, by the key's kind."""


def new_key_id() -> str:
    """Return a fresh random key id."""
    return secrets.token_hex(ID_BYTES)


def prefix(format_byte: int, key_id: str) -> bytes:
    """Return the first 9 bytes of a stored value; raises ValueError when `key_id` is not one."""
    raw = bytes.fromhex(key_id)
    if len(raw) != ID_BYTES or raw.hex() != key_id:
        raise ValueError(f"not a key id: {key_id!r}")
    return bytes((format_byte,)) + raw


def key_id_of(blob: bytes, format_byte: int) -> str:
    """Return the id of the key that made `blob`; raises Damaged when it is not of this format."""
    if len(blob) < PREFIX_BYTES or blob[0] != format_byte:
        raise Damaged("a stored value is not of the expected format")
    return blob[1:PREFIX_BYTES].hex()
