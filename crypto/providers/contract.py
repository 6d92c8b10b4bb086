"""What every provider of the root key does: one contract, one test suite (tests/crypto/test_providers.py)."""

from __future__ import annotations

from typing import Protocol


class SigningKeys(Protocol):
    """Ed25519 keys that never leave their provider, each under the id that the key ring gave it."""

    def create(self, key_id: str) -> bytes:
        """Make a key and return its 32-byte public half; raises KeyUnavailable."""

    def sign(self, key_id: str, message: bytes) -> bytes:
        """Return the 64-byte signature of `message` (RFC 8032, pure Ed25519); raises KeyUnavailable."""


class RootKey(Protocol):
    """What wraps the key ring. It has versions: the newest wraps, all that it still holds open.

    Every method but `id` may raise KeyUnavailable when the provider is out of reach or refuses; the next call asks it
    again, so that a provider which comes back is used without a restart. Safe for use by several threads.
    """

    kind: str
    """The provider's name in settings: `file`, `pkcs11` or `transit`."""
    protected: bool
    """Whether opening it takes a secret that is kept apart from it: only then can it be sealed."""
    signing: SigningKeys | None
    """Signing keys held by the provider; None where they are kept in the ring, wrapped by the root key."""

    @property
    def id(self) -> str:
        """The root key's id, which every blob that its newest version wrapped carries."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key, bound to `context`."""

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt what any version that is still held wrapped; raises Damaged when blob or context differ."""

    def is_current(self, blob: bytes) -> bool:
        """Tell whether the newest version wrapped `blob`."""

    def rotate(self) -> None:
        """Make a new version, which wraps from now on; the older ones go on opening."""

    def retire(self) -> int:
        """Forget every version but the newest, for ever; returns how many. Only after everything was rewrapped."""

    def check(self) -> None:
        """Wrap and unwrap something: what `doctor` asks."""

    def lock(self) -> None:
        """Drop what was opened: sessions, tokens, and key material."""

    def unlock(self, secret: str) -> None:
        """Prove that `secret` opens the provider; raises KeyUnavailable when it does not."""
