"""Keys as values that do not leak, and the root key that wraps all others.

Key material is held in as few objects as Python permits: it is never printed, copied or pickled.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from typing import NoReturn, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import envelope
from crypto.errors import Damaged, KeyUnavailable

KEY_BYTES = 32
NONCE_BYTES = 12
_FILE_PREFIX = "strongroom-root-key-1"


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


class RootKey(Protocol):
    """What wraps the key ring: a file, a token or a key service."""

    @property
    def id(self) -> str:
        """The root key's id, which every blob that it wrapped carries."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key, bound to `context`; raises KeyUnavailable when the provider is out of reach."""

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt a key; raises Damaged, or KeyUnavailable when the provider is out of reach."""


class FileRootKey(NeverCopied):
    """A root key in a file that only its owner can read.

    Raises KeyUnavailable when the file is missing, is not a regular file, is open to others, belongs to
    somebody else, or is not a key file.
    """

    __slots__ = ("_wrapper",)

    def __init__(self, path: Path) -> None:
        self._wrapper = Wrapper(*_read_key_file(path))

    @property
    def id(self) -> str:
        """The root key's id."""
        return self._wrapper.key_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key with AES-256-GCM, bound to `context`."""
        return self._wrapper.wrap(key, context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt a key; raises Damaged when blob, root key or context differ."""
        return self._wrapper.unwrap(blob, context)

    def __repr__(self) -> str:
        return f"<FileRootKey {self.id}>"


def create_root_key_file(path: Path) -> str:
    """Write a new root key to `path` (mode 0600, on stable storage) and return its id.

    Raises FileExistsError when the file exists: a root key is never overwritten.
    """
    key_id = envelope.new_key_id()
    line = f"{_FILE_PREFIX}:{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"
    # Written whole under another name and linked, so that a crash never leaves half a key under the real one.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return key_id


def _read_key_file(path: Path) -> tuple[str, bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyUnavailable(f"the root key file {path} does not exist") from None
    except OSError as error:
        raise KeyUnavailable(f"the root key file {path} cannot be opened: {error.strerror}") from None
    try:
        _refuse_unless_private(path, os.fstat(descriptor))
        text = os.read(descriptor, 512)
    finally:
        os.close(descriptor)
    try:
        prefix, key_id, encoded = text.decode("ascii").strip().split(":")
        material = base64.b64decode(encoded, validate=True)
        envelope.prefix(envelope.WRAPPED, key_id)
    except (ValueError, binascii.Error):
        raise KeyUnavailable(f"the root key file {path} is not a key file") from None
    if prefix != _FILE_PREFIX or len(material) != KEY_BYTES:
        raise KeyUnavailable(f"the root key file {path} is not a key file of this version")
    return key_id, material


def _refuse_unless_private(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise KeyUnavailable(f"the root key file {path} is not a regular file")
    if facts.st_mode & 0o077:
        mode = stat.S_IMODE(facts.st_mode)
        raise KeyUnavailable(
            f"the root key file {path} is open to others (mode {mode:04o}): run chmod 600 on it"
        )
    if facts.st_uid not in (os.geteuid(), 0):
        raise KeyUnavailable(f"the root key file {path} belongs to another account")
