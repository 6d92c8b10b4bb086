"""A second implementation of RFC 6962, written straight from its recursive definitions, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def mth(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


class Subtrees:
    """Hashes of complete subtrees straight from the leaves."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves

    def read(self, addresses: Sequence[tuple[int, int]]) -> list[bytes]:
        found = []
        for level, number in addresses:
            start, stop = number << level, (number + 1) << level
            assert stop <= len(self.leaves)
            found.append(mth(self.leaves[start:stop]))
        return found
