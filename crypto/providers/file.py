"""A root key in a file of its own, for one machine or for a file that is handed to each node."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import threading
from pathlib import Path

from crypto import envelope
from crypto.errors import Damaged, KeyUnavailable
from crypto.keys import KEY_BYTES, NeverCopied, Wrapper
from crypto.providers.contract import SigningKeys

_PREFIX = "strongroom-root-key-1"
_MOST_BYTES = 8192
_CHECK = b"strongroom check"


class LooseRootKey(NeverCopied):
    """A root key given as a key file's text, in no file: what a backup carries. It is neither rotated nor sealed.

    Raises KeyUnavailable when the text is not that of a key file.
    """

    __slots__ = ("_versions",)

    kind = "file"
    protected = False
    signing: SigningKeys | None = None

    def __init__(self, text: bytes, origin: Path = Path("backup")) -> None:
        self._versions = _wrappers(origin, text)

    @staticmethod
    def new_text() -> bytes:
        """Return a new root key as a key file's text."""
        return _new_line()

    @property
    def id(self) -> str:
        """The root key's id."""
        return self._versions[0].key_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key with AES-256-GCM, bound to `context`."""
        return self._versions[0].wrap(key, context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt a key; raises Damaged when blob, root key or context differ."""
        held = self._holding(envelope.key_id_of(blob, envelope.WRAPPED))
        if held is None:
            raise Damaged("a wrapped key names another root key")
        return held.unwrap(blob, context)

    def is_current(self, blob: bytes) -> bool:
        """Tell whether the newest version wrapped `blob`."""
        return envelope.key_id_of(blob, envelope.WRAPPED) == self.id

    def rotate(self) -> None:
        """Refuse: there is no place to keep a new version in."""
        raise KeyUnavailable("the root key of a backup is not rotated")

    def retire(self) -> int:
        """Do nothing: a backup stays as it is."""
        return 0

    def check(self) -> None:
        """Wrap and unwrap something."""
        self.unwrap(self.wrap(_CHECK, b""), b"")

    def lock(self) -> None:
        """Do nothing: whoever can read the key's text has the key."""

    def unlock(self, secret: str) -> None:
        """Refuse: there is no secret that the key is kept under."""
        raise KeyUnavailable("a key file is under no secret that could unseal it")

    def _holding(self, key_id: str) -> Wrapper | None:
        return next((version for version in self._versions if version.key_id == key_id), None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class FileRootKey(LooseRootKey):
    """A root key in a file that only its owner can read: one line a version, the newest first.

    Raises KeyUnavailable when the file is missing, is not a regular file, is open to others, belongs to
    somebody else, or is not a key file. Another process may rotate it: a blob of a version that is not known makes
    the file be read again.
    """

    __slots__ = ("_lock", "_path")

    def __init__(self, path: Path) -> None:
        super().__init__(_text(path), path)
        self._path = path
        self._lock = threading.Lock()

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt a key; raises Damaged when blob, root key or context differ."""
        if self._holding(envelope.key_id_of(blob, envelope.WRAPPED)) is None:
            self._read()
        return super().unwrap(blob, context)

    def rotate(self) -> None:
        """Put a new key before those in the file."""
        with self._lock:
            _replace(self._path, _new_line() + _text(self._path))
        self._read()

    def retire(self) -> int:
        """Leave only the newest key in the file."""
        with self._lock:
            lines = _text(self._path).splitlines(keepends=True)
            _replace(self._path, lines[0])
        self._read()
        return len(lines) - 1

    def check(self) -> None:
        """Read the file again, and wrap and unwrap something."""
        self._read()
        super().check()

    def export(self) -> bytes:
        """Return the key file's text, every version of it, for a backup."""
        return _text(self._path)

    def _read(self) -> None:
        with self._lock:
            self._versions = _wrappers(self._path, _text(self._path))


def create_root_key_file(path: Path, text: bytes | None = None) -> str:
    """Write a new root key (or the `text` of one that was exported) to `path` and return its id.

    The file has mode 0600 and is on stable storage. Raises FileExistsError when it exists: a root key is never
    overwritten; KeyUnavailable when `text` is no key file.
    """
    text = text or _new_line()
    key_id = LooseRootKey(text, path).id
    # Written whole under another name and linked, so that a crash never leaves half a key under the real one.
    draft = _draft(path, text)
    try:
        path.hardlink_to(draft)
    finally:
        draft.unlink()
    _sync_folder(path)
    return key_id


def _new_line() -> bytes:
    material = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return f"{_PREFIX}:{envelope.new_key_id()}:{material}\n".encode()


def _draft(path: Path, text: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _replace(path: Path, text: bytes) -> None:
    try:
        _draft(path, text).replace(path)
        _sync_folder(path)
    except OSError as error:
        raise KeyUnavailable(f"the root key file {path} cannot be written: {error.strerror}") from None


def _sync_folder(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _wrappers(path: Path, text: bytes) -> tuple[Wrapper, ...]:
    return tuple(_parse(path, line) for line in text.splitlines() or [b""])


def _text(path: Path) -> bytes:
    """Return the text of a private key file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyUnavailable(f"the root key file {path} does not exist") from None
    except OSError as error:
        raise KeyUnavailable(f"the root key file {path} cannot be opened: {error.strerror}") from None
    try:
        _refuse_unless_private(path, os.fstat(descriptor))
        text = os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)
    return text


def _parse(path: Path, line: bytes) -> Wrapper:
    try:
        prefix, key_id, encoded = line.decode("ascii").strip().split(":")
        material = base64.b64decode(encoded, validate=True)
        envelope.prefix(envelope.WRAPPED, key_id)
    except (ValueError, binascii.Error):
        raise KeyUnavailable(f"the root key file {path} is not a key file") from None
    if prefix != _PREFIX or len(material) != KEY_BYTES:
        raise KeyUnavailable(f"the root key file {path} is not a key file of this version")
    return Wrapper(key_id, material)


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
