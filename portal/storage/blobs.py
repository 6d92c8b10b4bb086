"""What every blob store promises, whatever lies beneath it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from portal.errors import Invalid

Octets = bytes | bytearray | memoryview
MAX_NAME = 512
_NAME = re.compile(r"[a-z0-9-][a-z0-9.-]*(?:/[a-z0-9-][a-z0-9.-]*)*")


def check_name(name: str) -> str:
    """Return `name` when it is a blob's name; raises Invalid otherwise.

    A name is one or more parts of `[a-z0-9.-]` joined by `/`, none of them beginning with a dot, at most 512
    characters in all: the same on every file system and in every object store.
    """
    if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
        raise Invalid(
            "This is not the name of a blob.", mend="Use a-z, 0-9, '.' and '-', in parts joined by '/'."
        )
    return name


class BlobWriter(Protocol):
    """One blob being written. Nothing is to be seen under its name before `close` has returned."""

    def write(self, data: Octets, /) -> int:
        """Append all of `data` and return its length in bytes; raises Unavailable when the store fails."""
        ...

    def close(self) -> None:
        """Make the blob durable and give it its name, in one step; raises Conflict when the name is taken."""
        ...

    def abort(self) -> None:
        """Forget what was written. Does nothing after `close` or `abort`."""
        ...


class BlobStore(Protocol):
    """Named, immutable byte strings. A name is absent or holds one whole blob, also after `kill -9`."""

    def create(self, name: str) -> BlobWriter:
        """Begin a new blob; raises Invalid for a bad name, Conflict when the name is taken."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Return a raw, unbuffered, seekable reader (with `readinto`); raises Unavailable when missing."""
        ...

    def put(self, name: str, data: Octets) -> None:
        """Store a small blob durably in one step, in place of any earlier one of that name."""
        ...

    def get(self, name: str) -> bytes:
        """Return a small blob whole; raises Unavailable when it is missing."""
        ...

    def delete(self, name: str) -> None:
        """Remove a blob durably; one that is absent already is no error."""
        ...

    def size(self, name: str) -> int:
        """Return a blob's length in bytes; raises Unavailable when it is missing."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with `prefix`, in the order of their parts."""
        ...

    def sweep(self) -> int:
        """Remove what writers that died left unfinished; return how many. Live writers are left alone."""
        ...
