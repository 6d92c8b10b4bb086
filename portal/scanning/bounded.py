"""A reader that stops a hostile container from costing more than its share."""

from __future__ import annotations

import io
from typing import BinaryIO

_FARTHEST = 2**63 - 1


class BudgetSpent(Exception):
    """The look into the content went as far as it may."""


class BoundedReader(io.RawIOBase):
    """Reads `source` but raises BudgetSpent after `total` bytes in all, or for more than `largest` bytes at once."""

    def __init__(self, source: BinaryIO, *, total: int, largest: int) -> None:
        super().__init__()
        self._source = source
        self._left = total
        self._largest = largest

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:  # noqa: D102
        if whence == io.SEEK_END:
            offset += self._source.seek(0, io.SEEK_END)
        elif whence == io.SEEK_CUR:
            offset += self._source.tell()
        if offset < 0:
            # Both an OSError, as zipfile expects of a file, and a ValueError.
            raise io.UnsupportedOperation("before the beginning")
        if offset > _FARTHEST:
            # A damaged archive may name any place; further than this a file answers with an OverflowError.
            raise io.UnsupportedOperation("beyond the end of any file")
        return self._source.seek(offset)

    def tell(self) -> int:  # noqa: D102
        return self._source.tell()

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; raises BudgetSpent when that is more than may be read."""
        if size < 0:
            # Whoever asks for everything is served as long as everything is little.
            data = self._source.read(self._largest + 1)
        elif size > self._largest:
            raise BudgetSpent
        else:
            data = self._source.read(size)
        self._left -= len(data)
        if len(data) > self._largest or self._left < 0:
            raise BudgetSpent
        return data

    def exactly(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`, fewer at the end of the source."""
        self.seek(offset)
        pieces = []
        while size > 0 and (piece := self.read(min(size, self._largest))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def length(self) -> int:
        """Return the source's length in bytes."""
        return self.seek(0, io.SEEK_END)
