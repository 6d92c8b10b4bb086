"""The key ring: every key of the installation but the DEKs, wrapped by the root key, opened on first use.

Key-encryption keys (kind `kek`) are one per security domain, that is classification and programme. The other
kinds have one key at a time for the whole installation. Keys of every kind are versioned: the highest version
seals, all open.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Literal, Protocol, TypeAlias

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from crypto import canonical, envelope
from crypto.errors import Damaged, KeyUnavailable, UnknownKey
from crypto.keys import KEY_BYTES, Dek, NeverCopied, RootKey, Secret, Wrapper

SealingKind: TypeAlias = Literal["column", "row", "pack", "salt", "cursor", "session", "index", "binding"]
SigningKind: TypeAlias = Literal["log-signing", "receipt-signing"]
Kind: TypeAlias = Literal["kek"] | SealingKind | SigningKind


class KeyState(StrEnum):
    """Where a key stands in its life."""

    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key of the ring as it is stored. `domain` is empty but for `kek`; versions count from 1."""

    id: str
    kind: str
    domain: str
    version: int
    state: str
    created: datetime
    wrapped: bytes


class KeyStore(Protocol):
    """Where wrapped keys are kept. At most one key stands for a (kind, domain, version)."""

    def load(self) -> Iterable[WrappedKey]:
        """Return all keys."""

    def add(self, key: WrappedKey) -> None:
        """Keep a new key durably; raises any exception when its (kind, domain, version) is taken."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A security domain: what one key-encryption key covers."""

    classification: str
    programme_id: str

    def __post_init__(self) -> None:
        if not self.classification or not self.programme_id or "/" in self.programme_id:
            raise ValueError("a security domain is a classification and a programme id without a slash")

    @property
    def id(self) -> str:
        """The domain as one string, different for different domains."""
        return f"{self.programme_id}/{self.classification}"


@dataclass(frozen=True, slots=True)
class DekContext:
    """What a wrapped DEK is bound to, besides its security domain and KEK; digests are 32 bytes."""

    document_id: str
    version: int
    label_digest: bytes
    parts_digest: bytes

    def associated_data(self, kek: RingKey) -> bytes:
        """Return the associated data under which `kek` wraps this version's DEK."""
        return canonical.encode(
            "strongroom dek",
            self.document_id,
            self.version,
            self.label_digest,
            self.parts_digest,
            kek.domain,
            kek.version,
            kek.id,
        )


class RingKey(Secret):
    """An opened key of the ring, with the cipher objects made from it."""

    def __init__(self, stored: WrappedKey, material: bytes) -> None:
        super().__init__(material)
        self.id = stored.id
        self.kind = stored.kind
        self.domain = stored.domain
        self.version = stored.version
        self.created = stored.created

    def __repr__(self) -> str:
        return f"<RingKey {self.id}>"

    @cached_property
    def wrapper(self) -> Wrapper:
        """AES-256-GCM for wrapping DEKs."""
        return Wrapper(self.id, self.material)

    @cached_property
    def gcm(self) -> AESGCM:
        """AES-256-GCM for sealed objects."""
        return AESGCM(self.material)

    @cached_property
    def siv(self) -> AESGCMSIV:
        """AES-256-GCM-SIV for sealed values."""
        return AESGCMSIV(self.material)

    @cached_property
    def mac(self) -> hmac.HMAC:
        """HMAC-SHA256 at its start: take a `copy()` for each message."""
        return hmac.HMAC(self.material, hashes.SHA256())


class SigningKey(NeverCopied):
    """An Ed25519 key of the ring (RFC 8032). `public_key` is its 32 raw bytes."""

    __slots__ = ("_private", "created", "id", "public_key", "version")

    def __init__(self, key: RingKey) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(key.material)
        self.id = key.id
        self.version = key.version
        self.created = key.created
        self.public_key = self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"<SigningKey {self.id}>"


class KeyRing:
    """The keys under one root key. Safe for use by several threads; several nodes may share a store.

    `now` tells the time of a key's creation. Methods raise KeyUnavailable when the root key's provider is out
    of reach or the newest key is retired, and Damaged when a stored key was altered or moved.
    """

    def __init__(self, root: RootKey, store: KeyStore, *, now: Callable[[], datetime]) -> None:
        self._root = root
        self._store = store
        self._now = now
        self._lock = threading.RLock()
        self._stored: dict[str, WrappedKey] = {}
        self._current: dict[tuple[str, str], WrappedKey] = {}
        self._opened: dict[str, RingKey] = {}
        self._in_use: dict[tuple[str, str], RingKey] = {}

    def domain_key(self, classification: str, programme_id: str) -> RingKey:
        """Return the current KEK of a security domain, created on first use."""
        return self._sealing("kek", Domain(classification, programme_id).id)

    def sealing(self, kind: SealingKind) -> RingKey:
        """Return the current data-sealing key of a kind, created on first use."""
        return self._sealing(kind, "")

    def signer(self, kind: SigningKind) -> SigningKey:
        """Return the current signing key of a kind, created on first use."""
        return SigningKey(self._sealing(kind, ""))

    def signers(self, kind: SigningKind) -> tuple[SigningKey, ...]:
        """Return every signing key of a kind, oldest first: their public halves are the published history."""
        self.reload()
        with self._lock:
            stored = sorted(
                (key for key in self._stored.values() if key.kind == kind), key=lambda key: key.version
            )
            return tuple(SigningKey(self._open(key)) for key in stored)

    def versions(self, kind: SealingKind) -> tuple[RingKey, ...]:
        """Return every key of a kind that the ring knows, the current one first."""
        current = self.sealing(kind)
        with self._lock:
            older = [
                key for key in self._stored.values() if key.kind == kind and key.version < current.version
            ]
            return (current, *(self._open(key) for key in sorted(older, key=lambda key: -key.version)))

    def by_id(self, key_id: str) -> RingKey:
        """Return a key of any kind and age; raises UnknownKey when the store has none of this id either."""
        key = self._opened.get(key_id)
        if key is not None:
            return key
        with self._lock:
            stored = self._stored.get(key_id)
            if stored is None:
                self.reload()
                stored = self._stored.get(key_id)
            if stored is None:
                raise UnknownKey(f"the key ring has no key {key_id}")
            return self._open(stored)

    def wrap_dek(self, dek: Dek, domain: Domain, context: DekContext) -> bytes:
        """Encrypt a version's DEK under its domain's current KEK, bound to `context` and that KEK."""
        kek = self._sealing("kek", domain.id)
        return kek.wrapper.wrap(dek.material, context.associated_data(kek))

    def reload(self) -> None:
        """Read the store again: other nodes add and retire keys. Keys that it no longer has are dropped."""
        with self._lock:
            self._take({key.id: key for key in self._store.load()})

    def _take(self, stored: dict[str, WrappedKey]) -> None:
        current: dict[tuple[str, str], WrappedKey] = {}
        for key in stored.values():
            place = (key.kind, key.domain)
            if place not in current or current[place].version < key.version:
                current[place] = key
        self._stored = stored
        self._current = current
        self._opened = {key_id: key for key_id, key in self._opened.items() if key_id in stored}
        self._in_use = {}

    def _sealing(self, kind: Kind, domain: str) -> RingKey:
        place = (kind, domain)
        key = self._in_use.get(place)
        if key is not None:
            return key
        with self._lock:
            stored = self._current.get(place)
            if stored is None:
                self.reload()
                stored = self._current.get(place) or self._create(kind, domain)
            # An older version never steps in: who can edit states in the store must not choose the key.
            if stored.state != KeyState.ACTIVE:
                raise KeyUnavailable(f"the newest {kind} key is {stored.state}")
            key = self._in_use[place] = self._open(stored)
            return key

    def _create(self, kind: Kind, domain: str) -> WrappedKey:
        key_id = envelope.new_key_id()
        wrapped = self._root.wrap(secrets.token_bytes(KEY_BYTES), _context(kind, domain, 1, key_id))
        key = WrappedKey(key_id, kind, domain, 1, KeyState.ACTIVE, self._now(), wrapped)
        try:
            self._store.add(key)
        except Exception:
            # Another node may have been first; whatever else went wrong stays an error.
            self.reload()
            existing = self._current.get((kind, domain))
            if existing is None:
                raise
            return existing
        self._take({**self._stored, key.id: key})
        return key

    def _open(self, stored: WrappedKey) -> RingKey:
        key = self._opened.get(stored.id)
        if key is None:
            context = _context(stored.kind, stored.domain, stored.version, stored.id)
            key = self._opened[stored.id] = RingKey(stored, self._root.unwrap(stored.wrapped, context))
        elif (key.kind, key.domain, key.version) != (stored.kind, stored.domain, stored.version):
            raise Damaged(f"the stored key {stored.id} was moved to another place")
        return key


def _context(kind: str, domain: str, version: int, key_id: str) -> bytes:
    """Return what the root key binds a key of the ring to."""
    return canonical.encode("strongroom key", kind, domain, version, key_id)
