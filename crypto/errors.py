"""The errors of this library. No message ever carries key material or plaintext."""

from __future__ import annotations


class CryptoError(Exception):
    """Base of everything that `crypto` raises on purpose."""


class Damaged(CryptoError):
    """What was read is not what was written here: altered, cut off, moved, or of another key or context."""


class KeyUnavailable(CryptoError):
    """A key cannot be used now: its file or provider is out of reach or refused, or the key is retired."""


class UnknownKey(Damaged):
    """A stored value names a key that is not in the key ring.

    It is a kind of damage, so that a forged key id in a row is refused wherever a forged seal is.
    """
