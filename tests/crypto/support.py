"""What the tests of `crypto` share: a key ring in memory, plain and encrypted streams, and a reference encryption."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.keyring import KeyRing, WrappedKey
from crypto.providers.contract import RootKey
from crypto.providers.file import FileRootKey, create_root_key_file
from crypto.streams import DecryptingReader, EncryptingWriter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

VECTORS = Path(__file__).parent / "vectors"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = bytes(range(32))
CONTEXT = b"context"
FIRST = 1048520
REST = 1048560
BOUNDARIES = (0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + REST - 1, FIRST + REST, FIRST + REST + 1)


def vectors(name: str) -> Any:
    """Read a frozen file of vectors."""
    return json.loads((VECTORS / name).read_text())


class MemoryStore:
    """A key store of several nodes: like the database, it takes a (kind, domain, version) once."""

    def __init__(self, keys: Iterable[WrappedKey] = ()) -> None:
        self.keys = {key.id: key for key in keys}
        self.loads = 0

    def load(self) -> list[WrappedKey]:
        self.loads += 1
        return list(self.keys.values())

    def add(self, key: WrappedKey) -> None:
        if any(
            (key.kind, key.domain, key.version) == (old.kind, old.domain, old.version)
            for old in self.keys.values()
        ):
            raise RuntimeError("UNIQUE constraint failed")
        self.keys[key.id] = key

    def replace(self, keys: Sequence[WrappedKey]) -> None:
        self.keys.update((key.id, key) for key in keys)


def new_root(folder: Path, name: str = "root.key") -> FileRootKey:
    create_root_key_file(folder / name)
    return FileRootKey(folder / name)


def ring_of(root: RootKey, store: MemoryStore) -> KeyRing:
    return KeyRing(root, store, now=lambda: NOW)


class Unseekable(io.RawIOBase):
    """A source that only moves on, a little at a time, like a socket."""

    def __init__(self, data: bytes, at_once: int = 100_000) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._at_once = at_once

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer, /) -> int:
        return self._data.readinto(memoryview(target)[: self._at_once])


def content(length: int, seed: str = "strongroom") -> bytes:
    """Return bytes that look random and are always the same."""
    return hashlib.shake_256(seed.encode()).digest(length)


def encrypted(plain: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    sink = io.BytesIO()
    with EncryptingWriter(sink, key, context) as writer:
        writer.write(plain)
    return sink.getvalue()


def decrypted(stream: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    return DecryptingReader(io.BytesIO(stream), key, context).read()


def reference(key: bytes, context: bytes, salt: bytes, prefix: bytes, plain: bytes) -> bytes:
    """Encrypt as the published description says, in the plainest way."""
    aead = AESGCM(HKDF(hashes.SHA256(), 32, salt, context).derive(key))
    pieces = [plain[:FIRST]]
    pieces += [plain[start : start + REST] for start in range(FIRST, len(plain), REST)]
    stream = b"\x28" + salt + prefix
    for index, piece in enumerate(pieces):
        last = b"\x01" if index == len(pieces) - 1 else b"\x00"
        stream += aead.encrypt(prefix + index.to_bytes(4, "big") + last, piece, None)
    return stream
