"""The Merkle tree of RFC 6962 (section 2.1) over SHA-256.

A hash in the tree is addressed by (level, number): level 0 are the leaves' hashes, and the hash at level L, number N
covers the 2^L leaves from N·2^L. Only complete subtrees have an address; the rest is put together from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class HashReader(Protocol):
    """Where the hashes of complete subtrees come from."""

    def read(self, addresses: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the hash at each (level, number); raises TranslogError or what the store raises when absent."""
        ...


def subtrees(start: int, stop: int) -> list[tuple[int, int]]:
    """Return the complete subtrees that make up the leaves [start, stop), left to right.

    `start` must be a multiple of the largest power of two that is smaller than the range, as every range that
    RFC 6962 hashes is.
    """
    found: list[tuple[int, int]] = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        if start & ((1 << level) - 1):
            raise ValueError("the range is not one that the tree hashes")
        found.append((level, start >> level))
        start += 1 << level
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """Put together the hashes of `subtrees` into the hash of their range."""
    if not hashes:
        return EMPTY_ROOT
    whole = hashes[-1]
    for left in reversed(hashes[:-1]):
        whole = node_hash(left, whole)
    return whole


def split(size: int) -> int:
    """Return the largest power of two smaller than `size` (at least 2): where the tree divides."""
    return 1 << ((size - 1).bit_length() - 1)


def root(reader: HashReader, size: int) -> bytes:
    """Return the root over the first `size` leaves."""
    return fold(reader.read(subtrees(0, size)))


class CompactRange:
    """The root of a growing log in memory of a few hashes: the complete subtrees at its right edge.

    Serves to build and to verify a log of any size in one pass.
    """

    def __init__(self, hashes: Sequence[bytes] = (), size: int = 0) -> None:
        if len(hashes) != size.bit_count():
            raise ValueError("a range of this size has another number of hashes")
        self.size = size
        self._hashes = list(hashes)

    def append(self, hashed: bytes, level: int = 0) -> None:
        """Add the hash of one leaf, or of a complete subtree at `level` where the size is a multiple of it."""
        if self.size & ((1 << level) - 1):
            raise ValueError("a subtree is added where one of its size may begin")
        position = self.size >> level
        self.size += 1 << level
        while position & 1:
            hashed = node_hash(self._hashes.pop(), hashed)
            position >>= 1
        self._hashes.append(hashed)

    def root(self) -> bytes:
        """Return the root over everything added so far."""
        return fold(self._hashes)


def level_up(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes one level above an even number of neighbours."""
    sha256 = hashlib.sha256
    return [
        sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)
    ]


def extend(edge: CompactRange, leaves: Iterable[bytes]) -> None:
    """Append leaves (not hashes) to a range, hashing whole blocks of 256 at once where they fit."""
    sha256 = hashlib.sha256
    block: list[bytes] = []
    for leaf in leaves:
        block.append(sha256(b"\x00" + leaf).digest())
        if (edge.size + len(block)) & 255 == 0:
            _add_block(edge, block)
            block = []
    _add_block(edge, block)


def _add_block(edge: CompactRange, block: list[bytes]) -> None:
    if len(block) == 256:
        for _ in range(8):
            block = level_up(block)
        edge.append(block[0], 8)
        return
    for hashed in block:
        edge.append(hashed)
