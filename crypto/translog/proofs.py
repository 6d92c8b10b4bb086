"""Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2): a prover and a checker for each.

The checkers follow RFC 9162, sections 2.1.3.2 and 2.1.4.2, and share no code with the provers.
"""

from __future__ import annotations

from collections.abc import Sequence

from crypto.translog.errors import ProofFailed
from crypto.translog.tree import EMPTY_ROOT, HashReader, fold, node_hash, split, subtrees


def prove_inclusion(reader: HashReader, index: int, size: int) -> tuple[bytes, ...]:
    """Prove that leaf `index` is in the tree of `size` leaves; raises ValueError for an index out of it."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in the tree")
    ranges: list[tuple[int, int]] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    return _hash_ranges(reader, ranges[::-1])


def check_inclusion(proof: Sequence[bytes], index: int, size: int, leaf_hash: bytes, root: bytes) -> None:
    """Raise ProofFailed unless `proof` shows that the leaf of this hash is number `index` under `root`."""
    if not 0 <= index < size:
        raise ProofFailed("the proof is for a leaf outside the tree")
    _check_lengths(proof)
    position, last = index, size - 1
    hashed = leaf_hash
    for step in proof:
        if last == 0:
            raise ProofFailed("the inclusion proof is too long")
        if position & 1 or position == last:
            hashed = node_hash(step, hashed)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            hashed = node_hash(hashed, step)
        position >>= 1
        last >>= 1
    if last:
        raise ProofFailed("the inclusion proof is too short")
    if hashed != root:
        raise ProofFailed(f"the inclusion proof of leaf {index} does not lead to the root")


def prove_consistency(reader: HashReader, old: int, new: int) -> tuple[bytes, ...]:
    """Prove that the tree of `new` leaves extends that of `old`; raises ValueError unless 0 ≤ old ≤ new."""
    if not 0 <= old <= new:
        raise ValueError("a log only grows")
    if old in (0, new):
        return ()
    ranges: list[tuple[int, int]] = []
    start, stop = 0, new
    whole = True
    while stop > old:
        middle = start + split(stop - start)
        if old <= middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
            whole = False
    if not whole:
        ranges.append((start, stop))
    return _hash_ranges(reader, ranges[::-1])


def check_consistency(proof: Sequence[bytes], old: int, new: int, old_root: bytes, new_root: bytes) -> None:
    """Raise ProofFailed unless `proof` shows that the tree under `new_root` extends that under `old_root`."""
    if not 0 <= old <= new:
        raise ProofFailed("a log only grows")
    _check_lengths(proof)
    if old == 0 or old == new:
        if proof:
            raise ProofFailed("the consistency proof is too long")
        if (old_root != EMPTY_ROOT) if old == 0 else (old_root != new_root):
            raise ProofFailed("the two roots are not of one log")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    if not path:
        raise ProofFailed("the consistency proof is too short")
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            raise ProofFailed("the consistency proof is too long")
        if position & 1 or position == last:
            first = node_hash(step, first)
            second = node_hash(step, second)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            second = node_hash(second, step)
        position >>= 1
        last >>= 1
    if last:
        raise ProofFailed("the consistency proof is too short")
    if first != old_root or second != new_root:
        raise ProofFailed(f"the log of {new} leaves does not extend that of {old}")


def _hash_ranges(reader: HashReader, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    wanted = [subtrees(start, stop) for start, stop in ranges]
    hashes = iter(reader.read([address for group in wanted for address in group]))
    return tuple(fold([next(hashes) for _ in group]) for group in wanted)


def _check_lengths(proof: Sequence[bytes]) -> None:
    if any(len(step) != 32 for step in proof):
        raise ProofFailed("a step of the proof is not a hash of 32 bytes")
