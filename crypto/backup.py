"""The key ring's backup: one file, encrypted with age (age-encryption.org/v1) to recipients or under a passphrase.

Inside is JSON: the root key as a key file's text, and every key of the ring wrapped by it. A provider that lets its key
out (the file) gives it; for the others the ring is wrapped anew by a fresh recovery key, which is in the backup alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyrage

from crypto.errors import CryptoError, Damaged, KeyUnavailable
from crypto.keyring import KeyRing, WrappedKey, rewrapped
from crypto.keys import NeverCopied
from crypto.providers.contract import RootKey
from crypto.providers.file import FileRootKey, LooseRootKey

_FORMAT = "strongroom-key-backup-1"


class BackupError(CryptoError):
    """A backup cannot be written or opened: a recipient, an identity or a passphrase does not fit."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyBackup(NeverCopied):
    """What a backup holds: `installation` is the portal's name, `provider` what held its root key.

    `root_text` is a key file's text, and opens `keys`. It prints its installation and time alone.
    """

    installation: str
    provider: str
    created: datetime
    root_text: bytes
    keys: tuple[WrappedKey, ...]

    def root(self) -> RootKey:
        """Return the root key that opens `keys`."""
        return LooseRootKey(self.root_text)

    def ring(self) -> KeyRing:
        """Return a key ring that opens with the backup alone; it makes no new keys."""
        return KeyRing(self.root(), _Kept(self.keys), now=lambda: self.created)

    def __repr__(self) -> str:
        return f"<KeyBackup {self.installation} {self.created.isoformat()}>"


class _Kept:
    """A key store that only reads."""

    def __init__(self, keys: tuple[WrappedKey, ...]) -> None:
        self._keys = keys

    def load(self) -> Iterable[WrappedKey]:
        return self._keys

    def add(self, key: WrappedKey) -> None:
        raise KeyUnavailable(f"the backup has no {key.kind} key of this domain, and makes none")

    def replace(self, keys: Sequence[WrappedKey]) -> None:
        raise KeyUnavailable("a backup is not changed")


def write_backup(
    root: RootKey,
    keys: Iterable[WrappedKey],
    *,
    installation: str,
    created: datetime,
    recipients: Sequence[str] = (),
    passphrase: str = "",
) -> bytes:
    """Return the backup of a ring's stored keys, encrypted to age recipients (`age1…`) or under a passphrase.

    Raises BackupError unless exactly one of the two is given and fits, KeyUnavailable when the provider is away.
    """
    if bool(recipients) == bool(passphrase):
        raise BackupError("a backup is for age recipients, or under a passphrase: give one of the two")
    known = [_recipient(text) for text in recipients]
    if isinstance(root, FileRootKey):
        text, kept = root.export(), list(keys)
    else:
        text = LooseRootKey.new_text()
        recovery = LooseRootKey(text)
        kept = [rewrapped(key, root, recovery) for key in keys]
    record = {
        "format": _FORMAT,
        "installation": installation,
        "provider": root.kind,
        "created": created.astimezone(UTC).isoformat(),
        "root": text.decode(),
        "keys": [_written(key) for key in kept],
    }
    plain = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    if known:
        return bytes(pyrage.encrypt(plain, known))
    return bytes(pyrage.passphrase.encrypt(plain, passphrase))


def read_backup(blob: bytes, *, identity: str = "", passphrase: str = "") -> KeyBackup:
    """Open a backup with an age identity (`AGE-SECRET-KEY-1…`) or its passphrase.

    Raises BackupError when they do not open it or it was altered, Damaged when what is inside is no key backup.
    """
    return _parsed(_decrypted(blob, identity, passphrase))


def _decrypted(blob: bytes, identity: str, passphrase: str) -> bytes:
    if bool(identity) == bool(passphrase):
        raise BackupError("a backup opens with an age identity, or with its passphrase: give one of the two")
    try:
        if passphrase:
            return bytes(pyrage.passphrase.decrypt(blob, passphrase))
        lines = [line.strip() for line in identity.splitlines()]
        known = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        return bytes(pyrage.decrypt(blob, known))
    except pyrage.IdentityError:
        raise BackupError("this is no age identity: one begins with AGE-SECRET-KEY-1") from None
    except pyrage.DecryptError:
        raise BackupError(
            "the backup does not open with this, or was altered: it needs the identity of one of its recipients, "
            "or the passphrase that it was made with"
        ) from None


def _recipient(text: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise BackupError(f"{text[:80]!r} is no age recipient: one begins with age1") from None


def _written(key: WrappedKey) -> dict[str, object]:
    return {
        "id": key.id,
        "kind": key.kind,
        "domain": key.domain,
        "version": key.version,
        "state": key.state,
        "created": key.created.astimezone(UTC).isoformat(),
        "wrapped": base64.b64encode(key.wrapped).decode(),
    }


def _parsed(plain: bytes) -> KeyBackup:
    try:
        record = json.loads(plain)
        if record["format"] != _FORMAT:
            raise ValueError
        text = str(record["root"]).encode()
        LooseRootKey(text)
        return KeyBackup(
            installation=str(record["installation"]),
            provider=str(record["provider"]),
            created=datetime.fromisoformat(record["created"]),
            root_text=text,
            keys=tuple(_key(item) for item in record["keys"]),
        )
    except (ValueError, TypeError, KeyError, KeyUnavailable):
        raise Damaged("this is no key backup of a format that is known here") from None


def _key(item: dict[str, Any]) -> WrappedKey:
    return WrappedKey(
        id=str(item["id"]),
        kind=str(item["kind"]),
        domain=str(item["domain"]),
        version=int(item["version"]),
        state=str(item["state"]),
        created=datetime.fromisoformat(item["created"]),
        wrapped=base64.b64decode(item["wrapped"], validate=True),
    )
