"""Keys as values that do not leak, and the wrapping of one key by another.

Key material is held in as few objects as Python permits: it is never printed, copied or pickled.
"""

from __future__ import annotations

import os
import secrets
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import envelope
from crypto.errors import Damaged

KEY_BYTES = 32
NONCE_BYTES = 12


class NeverCopied:
    """Base of whatever holds key material: it is not pickled, nor copied."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("key material is never pickled or copied")


class Secret(NeverCopied):
    """Thirty-two bytes of key material, shown only to code that asks for `material`."""

    __slots__ = ("material",)

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            raise ValueError(f"a key is {KEY_BYTES} bytes")
        self.material = material

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Dek(Secret):
    """The data-encryption key of one version of a document."""

    __slots__ = ()

    @classmethod
    def generate(cls) -> Dek:
        """Return a new random key."""
        return cls(secrets.token_bytes(KEY_BYTES))


class Wrapper(NeverCopied):
    """AES-256-GCM with random nonces for other keys: `format ‖ key id ‖ nonce ‖ ciphertext ‖ tag`.

    NIST SP 800-38D 8.3 limits random nonces to 2^32 uses of a key; keys are rotated long before that.
    """

    __slots__ = ("_aead", "_prefix", "key_id")

    def __init__(self, key_id: str, material: bytes) -> None:
        self.key_id = key_id
        self._aead = AESGCM(material)
        self._prefix = envelope.prefix(envelope.WRAPPED, key_id)

    def __repr__(self) -> str:
        return f"<Wrapper {self.key_id}>"

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Encrypt `secret`, bound to `context`."""
        nonce = os.urandom(NONCE_BYTES)
        return self._prefix + nonce + self._aead.encrypt(nonce, secret, context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt what `wrap` made; raises Damaged when blob, key or context differ."""
        start = envelope.PREFIX_BYTES
        if blob[:start] != self._prefix:
            raise Damaged("a wrapped key names another key or format")
        try:
            return self._aead.decrypt(blob[start : start + NONCE_BYTES], blob[start + NONCE_BYTES :], context)
        except (InvalidTag, ValueError):
            raise Damaged("a wrapped key does not open in this place") from None
