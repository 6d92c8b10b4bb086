"""Blobs as files of one folder."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from portal.errors import Conflict, Unavailable
from portal.storage.blobs import Octets, check_name

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNFINISHED = ".unfinished"
_WRITE_BACK_EVERY = 8 << 20
# Whole blocks go past the page cache where the system can: a cache filled with what nobody has asked for yet costs
# more than the disk does (six times, measured). What a file system asks for is at most a page.
_DIRECT = getattr(os, "O_DIRECT", 0)
_BLOCK = 4096


class FileBlobStore:
    """Keeps each blob as a file of mode 0600 under `root`, its name being the path below it.

    A blob is written under a random name in `root/.unfinished`, synced, linked under its own name, and the
    folder synced. The writer holds a lock on its unfinished file while it lives, by which `sweep` knows it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unfinished = root / _UNFINISHED
        with _told(f"The blob folder {root} cannot be made."):
            self._unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)

    def create(self, name: str) -> FileBlobWriter:
        """Begin a new blob; raises Invalid for a bad name, Conflict when the name is taken."""
        path = self._path(name)
        if path.exists():
            raise _taken()
        return self._writer(path, replace=False)

    def open(self, name: str) -> BinaryIO:
        """Return the raw file, unbuffered and seekable; raises Unavailable when it is missing."""
        with _told("A stored blob is missing or cannot be read."):
            return FileIO(self._path(name), "rb")

    def put(self, name: str, data: Octets) -> None:
        """Store `data` durably under `name`, in place of any earlier blob of that name."""
        writer = self._writer(self._path(name), replace=True)
        try:
            writer.write(data)
            writer.close()
        finally:
            writer.abort()

    def get(self, name: str) -> bytes:
        """Return a blob whole; raises Unavailable when it is missing."""
        with self.open(name) as file, _told("A stored blob cannot be read."):
            return file.read()

    def delete(self, name: str) -> None:
        """Remove a blob durably; one that is absent already is no error."""
        path = self._path(name)
        with _told("A stored blob cannot be removed."), suppress(FileNotFoundError):
            path.unlink()
            _sync_folder(path.parent)

    def size(self, name: str) -> int:
        """Return a blob's length in bytes; raises Unavailable when it is missing."""
        with _told("A stored blob is missing or cannot be read."):
            return self._path(name).stat().st_size

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with `prefix`, in the order of their parts."""
        folder, _, _ = prefix.rpartition("/")
        if folder:
            check_name(folder)
        with _told("The blob folder cannot be listed."):
            for name in _names(self._root / folder, f"{folder}/" if folder else ""):
                if name.startswith(prefix):
                    yield name

    def sweep(self) -> int:
        """Remove the unfinished files of writers that no longer live; return how many."""
        removed = 0
        with _told("The blob folder cannot be swept."):
            for path in self._unfinished.iterdir():
                with suppress(FileNotFoundError, BlockingIOError), FileIO(path, "rb") as file:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)

    def _writer(self, path: Path, *, replace: bool) -> FileBlobWriter:
        with _told("A new blob cannot be begun."):
            while True:
                unfinished = self._unfinished / secrets.token_hex(16)
                descriptor = _new_file(unfinished)
                file = FileIO(descriptor, "wb")
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # A sweep may have come between the two calls above: then the file has no name any more.
                    if os.fstat(descriptor).st_nlink:
                        return FileBlobWriter(file, unfinished, path, self._root, replace=replace)
                file.close()


class FileBlobWriter:
    """One file being written; see `portal.storage.blobs.BlobWriter`."""

    def __init__(self, file: FileIO, unfinished: Path, path: Path, root: Path, *, replace: bool) -> None:
        self._file = file
        self._unfinished = unfinished
        self._path = path
        self._root = root
        self._replace = replace
        self._written = 0
        self._written_back = 0
        self._direct = bool(_DIRECT and fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & _DIRECT)

    def write(self, data: Octets, /) -> int:
        """Append all of `data` and return its length in bytes; raises Unavailable when the disk fails."""
        with memoryview(data).cast("B") as view, _told("The blob cannot be written."):
            length = len(view)
            while view:
                view = view[self._put(view) :]
            if self._written - self._written_back >= _WRITE_BACK_EVERY:
                self._write_back()
        return length

    def _put(self, view: memoryview) -> int:
        if self._direct and (len(view) % _BLOCK or self._written % _BLOCK):
            self._leave_direct()
        try:
            written: int = self._file.write(view)
        except OSError as error:
            # The memory does not begin where this file system wants it to.
            if error.errno != errno.EINVAL or not self._direct:
                raise
            self._leave_direct()
            written = self._file.write(view)
        self._written += written
        return written

    def _leave_direct(self) -> None:
        flags = fcntl.fcntl(self._file.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(self._file.fileno(), fcntl.F_SETFL, flags & ~_DIRECT)
        self._direct = False

    def _write_back(self) -> None:
        # The kernel starts writing now what it would otherwise hold back until fsync: twice the rate, measured.
        if hasattr(os, "posix_fadvise") and not self._direct:
            length = self._written - self._written_back
            os.posix_fadvise(self._file.fileno(), self._written_back, length, os.POSIX_FADV_DONTNEED)
        self._written_back = self._written

    def close(self) -> None:
        """Sync the file, name it, sync the folder; raises Conflict when the name is taken, Unavailable."""
        try:
            with _told("The blob cannot be made durable."):
                os.fsync(self._file.fileno())
                _make_folder(self._path.parent, self._root)
                if self._replace:
                    self._unfinished.rename(self._path)
                else:
                    # A link, unlike a rename, never replaces what lies under the name already.
                    self._path.hardlink_to(self._unfinished)
                _sync_folder(self._path.parent)
        finally:
            self.abort()

    def abort(self) -> None:
        """Forget what was written. Does nothing after `close` or `abort`."""
        if not self._file.closed:
            self._unfinished.unlink(missing_ok=True)
            self._file.close()


def _new_file(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags | _DIRECT, 0o600)
    except OSError as error:
        if error.errno != errno.EINVAL or not _DIRECT:
            raise
    # A file system that cannot go past the page cache says so after it made the file.
    path.unlink(missing_ok=True)
    return os.open(path, flags, 0o600)


def _taken() -> Conflict:
    return Conflict("A blob of this name exists already.", mend="Blobs are never changed: choose a new name.")


@contextmanager
def _told(message: str) -> Iterator[None]:
    """Turn the operating system's errors into the portal's, without a path in what a person reads."""
    try:
        yield
    except FileExistsError as error:
        raise _taken() from error
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable(
                "The storage of the portal is full; nothing was stored.",
                mend="Tell the administrator to free or add space in the blob folder, then try again.",
            ) from error
        raise Unavailable(
            message, mend="Tell the administrator: 'strongroom fsck' names what is missing or damaged."
        ) from error


def _make_folder(folder: Path, root: Path) -> None:
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True, mode=0o700)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _names(folder: Path, before: str) -> Iterator[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _names(Path(entry.path), f"{before}{entry.name}/")
            else:
                yield before + entry.name
