"""Sealed values and row seals: small things that a database keeps but cannot read, alter, move or invent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.constant_time import bytes_eq

from crypto import canonical, envelope
from crypto.errors import Damaged
from crypto.keyring import KeyRing, RingKey
from crypto.keys import NONCE_BYTES

RowValue: TypeAlias = "str | bytes | int | bool | datetime | None"

_VALUE_START = envelope.PREFIX_BYTES + NONCE_BYTES
_VALUE_LEAST = _VALUE_START + 16
_VALUE_USE = canonical.encode("strongroom value")
_ROW_USE = canonical.encode("strongroom row")
_INDEX_USE = canonical.encode("strongroom index")
_ROW_LENGTH = envelope.PREFIX_BYTES + 32
_VALUE_BYTE = bytes((envelope.VALUE,))


class ValueSealer:
    """Encrypts single values with AES-256-GCM-SIV (RFC 8452), bound to the place where they stand.

    A sealed value is `0x02 ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`: 37 bytes more than it holds.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def seal(self, context: tuple[canonical.Value, ...], plaintext: bytes) -> bytes:
        """Encrypt `plaintext` under the current column key, bound to `context` (table, row id, column, …)."""
        key = self._ring.sealing("column")
        nonce = os.urandom(NONCE_BYTES)
        head = _VALUE_BYTE + bytes.fromhex(key.id)
        bound = _VALUE_USE + head + canonical.encode(*context)
        return head + nonce + key.siv.encrypt(nonce, plaintext, bound)

    def open(self, context: tuple[canonical.Value, ...], blob: bytes) -> bytes:
        """Decrypt what `seal` made; raises Damaged when value, key or context differ."""
        if blob[:1] != _VALUE_BYTE or len(blob) < _VALUE_LEAST:
            raise Damaged("a sealed value is not of the expected format")
        head = blob[: envelope.PREFIX_BYTES]
        key = self._ring.by_id(head[1:].hex())
        if key.kind != "column":
            raise Damaged("a sealed value names a key of another kind")
        bound = _VALUE_USE + head + canonical.encode(*context)
        try:
            return key.siv.decrypt(blob[envelope.PREFIX_BYTES : _VALUE_START], blob[_VALUE_START:], bound)
        except InvalidTag:
            raise Damaged("a sealed value does not open in this place") from None


class RowSealer:
    """Authenticates rows with HMAC-SHA256, and makes blind indexes of texts to be found but not read.

    A seal is `0x03 ‖ key id (8) ‖ HMAC (32)`, 41 bytes.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def seal(
        self, table: str, primary_key: str, row_version: int, values: Sequence[tuple[str, RowValue]]
    ) -> bytes:
        """Return the seal of a row; `values` are all its columns by name, always in the same order."""
        return _row_seal(self._ring.sealing("row"), table, primary_key, row_version, values)

    def verify(
        self,
        table: str,
        primary_key: str,
        row_version: int,
        values: Sequence[tuple[str, RowValue]],
        seal: bytes,
    ) -> None:
        """Check a row against its seal; raises Damaged when anything of it differs from what was sealed."""
        if len(seal) != _ROW_LENGTH or seal[0] != envelope.ROW:
            raise Damaged("a row's seal is not of the expected format")
        key = self._ring.by_id(seal[1 : envelope.PREFIX_BYTES].hex())
        if key.kind != "row":
            raise Damaged("a row's seal names a key of another kind")
        if not bytes_eq(_row_seal(key, table, primary_key, row_version, values), seal):
            raise Damaged("a row differs from its seal")

    def reseal(
        self,
        table: str,
        primary_key: str,
        row_version: int,
        names: tuple[str, ...],
        values: Sequence[RowValue],
        seal: bytes,
        changed: tuple[int, RowValue],
    ) -> bytes:
        """Check a row as `verify` does, and return its seal after one column (by its place) and the version changed.

        What both seals cover alike is encoded once. The next version is one more. Raises Damaged.
        """
        if len(seal) != _ROW_LENGTH or seal[0] != envelope.ROW:
            raise Damaged("a row's seal is not of the expected format")
        old, new = self._ring.by_id(seal[1 : envelope.PREFIX_BYTES].hex()), self._ring.sealing("row")
        if old.kind != "row":
            raise Damaged("a row's seal names a key of another kind")
        columns = _columns(table, names)
        pieces = canonical.pieces(values)
        head = envelope.prefix(envelope.ROW, old.id)
        mac = old.mac.copy()
        mac.update(b"".join([_ROW_USE, head, columns, canonical.encode(primary_key, row_version), *pieces]))
        if not bytes_eq(head + mac.finalize(), seal):
            raise Damaged("a row differs from its seal")
        place, value = changed
        pieces[place] = canonical.encode(value)
        head = envelope.prefix(envelope.ROW, new.id)
        mac = new.mac.copy()
        mac.update(
            b"".join([_ROW_USE, head, columns, canonical.encode(primary_key, row_version + 1), *pieces])
        )
        return head + mac.finalize()

    def blind_index(self, purpose: str, text: str) -> bytes:
        """Return `0x04 ‖ key id (8) ‖ HMAC (32)` of a text under the current index key."""
        return _index(self._ring.sealing("index"), purpose, text)

    def blind_indexes(self, purpose: str, text: str) -> tuple[bytes, ...]:
        """Return a text's index under each version of the index key, current first: what a look-up uses."""
        return tuple(_index(key, purpose, text) for key in self._ring.versions("index"))


def _row_seal(
    key: RingKey, table: str, primary_key: str, row_version: int, values: Sequence[tuple[str, RowValue]]
) -> bytes:
    head = envelope.prefix(envelope.ROW, key.id)
    names = tuple([name for name, _ in values])
    contents = canonical.pieces([value for _, value in values])
    place = canonical.encode(primary_key, row_version)
    mac = key.mac.copy()
    mac.update(b"".join([_ROW_USE, head, _columns(table, names), place, *contents]))
    return head + mac.finalize()


def _index(key: RingKey, purpose: str, text: str) -> bytes:
    mac = key.mac.copy()
    mac.update(_INDEX_USE + canonical.encode(purpose, text))
    return envelope.prefix(envelope.INDEX, key.id) + mac.finalize()


@lru_cache(maxsize=1024)
def _columns(table: str, names: tuple[str, ...]) -> bytes:
    """Encode a table's and its columns' names: there are few tables and many rows."""
    return canonical.encode(table, names)
