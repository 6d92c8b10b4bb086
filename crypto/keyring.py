"""The key ring: every key of the installation but the DEKs, wrapped by the root key, opened on first use.

Key-encryption keys (kind `kek`) are one per security domain, that is classification and programme. The other
kinds have one key at a time for the whole installation. Keys of every kind are versioned: the highest version
seals, all open.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property, partial
from typing import Literal, Protocol, TypeAlias, TypeVar, get_args

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from crypto import canonical, envelope
from crypto.errors import Damaged, KeyUnavailable, UnknownKey
from crypto.keys import KEY_BYTES, Dek, NeverCopied, Secret, Wrapper
from crypto.providers.contract import RootKey, SigningKeys

SealingKind: TypeAlias = Literal["column", "row", "pack", "salt", "cursor", "session", "index", "binding"]
SigningKind: TypeAlias = Literal["log-signing", "receipt-signing"]
Kind: TypeAlias = Literal["kek"] | SealingKind | SigningKind

SEALING_KINDS: tuple[SealingKind, ...] = get_args(SealingKind)
SIGNING_KINDS: tuple[SigningKind, ...] = get_args(SigningKind)
_Answer = TypeVar("_Answer")
_HELD = b"\x01"
"""Before a public key that stands in the place of key material: the provider holds the private half."""
_RETRY_SECONDS = 2.0
"""A provider that did not answer is not asked again for this long: requests must not queue up behind it."""


class KeyState(StrEnum):
    """Where a key stands in its life.

    The newest version is active and seals; an older one is superseded and opens what is not rewrapped yet, then
    retired, when nothing is under it any more, then destroyed: its row stays, without the key.
    """

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    RETIRED = "retired"
    DESTROYED = "destroyed"


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

    def replace(self, keys: Sequence[WrappedKey]) -> None:
        """Write state and wrapping of keys that are kept already, all of them or none."""


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
        return self.encoded() + kek.place

    def encoded(self) -> bytes:
        """Return the part of the associated data that is the same under every KEK."""
        return canonical.encode(
            "strongroom dek", self.document_id, self.version, self.label_digest, self.parts_digest
        )


class RingKey(Secret):
    """An opened key of the ring, with the cipher objects made from it.

    `held` says that the provider holds it: then `material` is the public half of a signing key.
    """

    def __init__(self, stored: WrappedKey, material: bytes) -> None:
        self.held = len(material) == 1 + KEY_BYTES and material[:1] == _HELD
        super().__init__(material[1:] if self.held else material)
        self.id = stored.id
        self.kind = stored.kind
        self.domain = stored.domain
        self.version = stored.version
        self.created = stored.created

    def __repr__(self) -> str:
        return f"<RingKey {self.id}>"

    @cached_property
    def place(self) -> bytes:
        """The key's domain, version and id, encoded: what ends the associated data of DEKs."""
        return canonical.encode(self.domain, self.version, self.id)

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
    """An Ed25519 key of the ring or of its provider (RFC 8032). `public_key` is its 32 raw bytes."""

    __slots__ = ("_sign", "created", "id", "public_key", "version")

    def __init__(self, key: RingKey, held: SigningKeys | None = None) -> None:
        self.id = key.id
        self.version = key.version
        self.created = key.created
        self._sign: Callable[[bytes], bytes]
        if key.held:
            self.public_key = key.material
            self._sign = partial(_sign_held, held, key.id)
        else:
            private = Ed25519PrivateKey.from_private_bytes(key.material)
            self.public_key = private.public_key().public_bytes_raw()
            self._sign = private.sign

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`; raises KeyUnavailable when its provider is out of reach."""
        return self._sign(message)

    def __repr__(self) -> str:
        return f"<SigningKey {self.id}>"


def _sign_held(held: SigningKeys | None, key_id: str, message: bytes) -> bytes:
    if held is None:
        raise KeyUnavailable(
            "a signing key is held by a provider that this installation does not use any more"
        )
    return held.sign(key_id, message)


class KeyRing:
    """The keys under one root key. Safe for use by several threads; several nodes may share a store.

    `now` tells the time of a key's creation. Opened keys are kept for `keep` seconds (None: as long as the ring), then
    opened anew, from the store as it is then. Methods raise KeyUnavailable when the root key's provider is out of
    reach, the ring is sealed or the newest key is retired, and Damaged when a stored key was altered or moved.
    """

    def __init__(
        self,
        root: RootKey,
        store: KeyStore,
        *,
        now: Callable[[], datetime],
        keep: float | None = None,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._store = store
        self._now = now
        self._keep = math.inf if keep is None else keep
        self._tick = tick
        self._lock = threading.RLock()
        self._stored: dict[str, WrappedKey] = {}
        self._current: dict[tuple[str, str], WrappedKey] = {}
        self._opened: dict[str, RingKey] = {}
        self._in_use: dict[tuple[str, str], RingKey] = {}
        self._until = tick() + self._keep
        self._away_until = -math.inf
        self._away = ""
        self._sealed = False

    @property
    def root(self) -> RootKey:
        """The root key's provider."""
        return self._root

    @property
    def sealed(self) -> bool:
        """Whether `seal` was called and `unseal` not yet."""
        return self._sealed

    def seal(self) -> None:
        """Drop every opened key and what the provider was opened with; nothing opens until `unseal`."""
        with self._lock:
            self._sealed = True
            self._drop()
            self._root.lock()

    def unseal(self) -> None:
        """Let keys be opened again."""
        with self._lock:
            self._sealed = False
            self._away_until = -math.inf

    def domain_key(self, classification: str, programme_id: str) -> RingKey:
        """Return the current KEK of a security domain, created on first use."""
        return self._sealing("kek", Domain(classification, programme_id).id)

    def sealing(self, kind: SealingKind) -> RingKey:
        """Return the current data-sealing key of a kind, created on first use."""
        return self._sealing(kind, "")

    def signer(self, kind: SigningKind) -> SigningKey:
        """Return the current signing key of a kind, created on first use."""
        return SigningKey(self._sealing(kind, ""), self._root.signing)

    def signers(self, kind: SigningKind) -> tuple[SigningKey, ...]:
        """Return every signing key of a kind, oldest first: their public halves are the published history."""
        self.reload()
        with self._lock:
            stored = sorted(
                (key for key in self._stored.values() if key.kind == kind and key.wrapped),
                key=lambda key: key.version,
            )
            return tuple(SigningKey(self._open(key), self._root.signing) for key in stored)

    def versions(self, kind: SealingKind) -> tuple[RingKey, ...]:
        """Return every key of a kind that the ring knows, the current one first."""
        current = self.sealing(kind)
        with self._lock:
            older = [
                key
                for key in self._stored.values()
                if key.kind == kind and key.version < current.version and key.wrapped
            ]
            return (current, *(self._open(key) for key in sorted(older, key=lambda key: -key.version)))

    def by_id(self, key_id: str) -> RingKey:
        """Return a key of any kind and age; raises UnknownKey when the store has none of this id either."""
        if self._tick() >= self._until:
            self._expire()
        key = self._opened.get(key_id)
        if key is not None:
            return key
        with self._lock:
            stored = self._stored.get(key_id)
            if stored is None:
                self.reload()
                stored = self._stored.get(key_id)
            if stored is None or not stored.wrapped:
                raise UnknownKey(f"the key ring has no key {key_id}")
            return self._open(stored)

    def wrap_dek(self, dek: Dek, domain: Domain, context: DekContext) -> bytes:
        """Encrypt a version's DEK under its domain's current KEK, bound to `context` and that KEK."""
        kek = self._sealing("kek", domain.id)
        return kek.wrapper.wrap(dek.material, context.associated_data(kek))

    def rewrap_dek(self, wrapped: bytes, context: DekContext) -> bytes:
        """Return a DEK under the current KEK of its domain; one that is under it already comes back as it is.

        The DEK is never handed out. Raises Damaged when it does not open in `context`, UnknownKey without its KEK.
        """
        old = self.by_id(envelope.key_id_of(wrapped, envelope.WRAPPED))
        if old.kind != "kek":
            raise Damaged("a wrapped DEK names a key of another kind")
        new = self._sealing("kek", old.domain)
        if new.id == old.id:
            return wrapped
        shared = context.encoded()
        return new.wrapper.wrap(old.wrapper.unwrap(wrapped, shared + old.place), shared + new.place)

    def rotate(self, kind: Kind, domain: str = "") -> WrappedKey:
        """Make the next version of a key, which is used from now on; the older ones go on opening.

        Other nodes use it once their opened keys have ended. Raises KeyUnavailable.
        """
        with self._lock:
            self._sealing(kind, domain)
            old = self._current[kind, domain]
            new = self._create(kind, domain, old.version + 1)
            if self._stored[old.id].state == KeyState.ACTIVE:
                self._store.replace([replace(self._stored[old.id], state=KeyState.SUPERSEDED)])
            self.reload()
            return new

    def stored(self) -> tuple[WrappedKey, ...]:
        """Return every key of the store as it is now, the destroyed ones too."""
        self.reload()
        with self._lock:
            return tuple(self._stored.values())

    def change_state(self, key_id: str, state: KeyState) -> WrappedKey:
        """Retire or destroy an older version of a key; destroying forgets its wrapping, for ever.

        Raises UnknownKey, and ValueError for the newest version, for a step backwards, or when a version that is not
        retired is to be destroyed.
        """
        with self._lock:
            key = {key.id: key for key in self.stored()}.get(key_id)
            if key is None:
                raise UnknownKey(f"the key ring has no key {key_id}")
            steps = {
                KeyState.RETIRED: (KeyState.ACTIVE, KeyState.SUPERSEDED),
                KeyState.DESTROYED: (KeyState.RETIRED,),
            }
            newest = self._current[key.kind, key.domain].version == key.version
            if newest or key.state not in steps.get(state, ()):
                raise ValueError(f"a key that is {key.state} does not become {state}")
            wrapped = b"" if state is KeyState.DESTROYED else key.wrapped
            changed = replace(key, state=state, wrapped=wrapped)
            self._store.replace([changed])
            self._opened.pop(key_id, None)
            self.reload()
            return changed

    def rewrap(self, most: int) -> int:
        """Wrap at most `most` keys anew that an older version of the root key wrapped; returns how many."""
        old = [key for key in self.stored() if key.wrapped and not self._root.is_current(key.wrapped)][:most]
        self._store.replace([rewrapped(key, self._root, self._root) for key in old])
        self.reload()
        return len(old)

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
        if self._tick() >= self._until:
            self._expire()
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

    def _create(self, kind: Kind, domain: str, version: int = 1) -> WrappedKey:
        key_id = envelope.new_key_id()
        held = self._root.signing if kind in SIGNING_KINDS else None
        material = self._ask(
            lambda: secrets.token_bytes(KEY_BYTES) if held is None else _HELD + held.create(key_id)
        )
        wrapped = self._ask(lambda: self._root.wrap(material, _context(kind, domain, version, key_id)))
        key = WrappedKey(key_id, kind, domain, version, KeyState.ACTIVE, self._now(), wrapped)
        try:
            self._store.add(key)
        except Exception:
            # Another node may have been first; whatever else went wrong stays an error.
            self.reload()
            existing = self._current.get((kind, domain))
            if existing is None or existing.version < version:
                raise
            return existing
        self._take({**self._stored, key.id: key})
        return key

    def _open(self, stored: WrappedKey) -> RingKey:
        key = self._opened.get(stored.id)
        if key is None:
            context = _context(stored.kind, stored.domain, stored.version, stored.id)
            key = self._opened[stored.id] = RingKey(stored, self._unwrap(stored, context))
        elif (key.kind, key.domain, key.version) != (stored.kind, stored.domain, stored.version):
            raise Damaged(f"the stored key {stored.id} was moved to another place")
        return key

    def _unwrap(self, stored: WrappedKey, context: bytes) -> bytes:
        try:
            return self._ask(lambda: self._root.unwrap(stored.wrapped, context))
        except Damaged:
            # Another node may have rewrapped it since, and the root key that wrapped this copy may be gone.
            self.reload()
            fresh = self._stored.get(stored.id)
            if fresh is None or fresh.wrapped == stored.wrapped:
                raise
            return self._ask(lambda: self._root.unwrap(fresh.wrapped, context))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask the provider, unless it failed a moment ago or the ring is sealed."""
        if self._sealed:
            raise KeyUnavailable("the keys are sealed: an administrator runs `strongroom keys unseal`")
        if self._tick() < self._away_until:
            raise KeyUnavailable(self._away)
        try:
            return question()
        except KeyUnavailable as fault:
            self._away, self._away_until = str(fault), self._tick() + _RETRY_SECONDS
            raise

    def _expire(self) -> None:
        with self._lock:
            if self._tick() >= self._until:
                self._until = self._tick() + self._keep
                self._drop()

    def _drop(self) -> None:
        self._stored, self._current, self._opened, self._in_use = {}, {}, {}, {}


def rewrapped(key: WrappedKey, old: RootKey, new: RootKey) -> WrappedKey:
    """Return a stored key under another root key; one that was destroyed stays as it is. Raises as the providers do."""
    if not key.wrapped:
        return key
    context = _context(key.kind, key.domain, key.version, key.id)
    return replace(key, wrapped=new.wrap(old.unwrap(key.wrapped, context), context))


def opens(key: WrappedKey, root: RootKey) -> bool:
    """Tell whether a root key opens a stored key; raises KeyUnavailable when its provider is away."""
    try:
        root.unwrap(key.wrapped, _context(key.kind, key.domain, key.version, key.id))
    except Damaged:
        return False
    return True


def _context(kind: str, domain: str, version: int, key_id: str) -> bytes:
    """Return what the root key binds a key of the ring to."""
    return canonical.encode("strongroom key", kind, domain, version, key_id)
