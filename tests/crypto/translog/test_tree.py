from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.translog.tree import EMPTY_ROOT, CompactRange, extend, leaf_hash, root, split, subtrees
from tests.crypto.translog.naive import Subtrees, mth

# The inputs and roots that the Certificate Transparency project publishes for RFC 6962.
KNOWN_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def some_leaves(count: int) -> list[bytes]:
    return [f"leaf {number}".encode() for number in range(count)]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert CompactRange().root() == EMPTY_ROOT == root(Subtrees([]), 0)


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots_are_reproduced(size: int) -> None:
    edge = CompactRange()
    extend(edge, KNOWN_LEAVES[:size])
    assert edge.root().hex() == KNOWN_ROOTS[size - 1]


def test_every_small_tree_agrees_with_the_recursive_definition() -> None:
    leaves = some_leaves(70)
    edge = CompactRange()
    for size in range(71):
        assert edge.size == size
        assert edge.root() == mth(leaves[:size]) == root(Subtrees(leaves), size)
        if size < 70:
            edge.append(leaf_hash(leaves[size]))


@given(st.integers(0, 1200), st.integers(0, 1200))
def test_blocks_and_single_leaves_give_one_root(first: int, second: int) -> None:
    leaves = some_leaves(first + second)
    edge = CompactRange()
    extend(edge, leaves[:first])
    extend(edge, leaves[first:])
    assert edge.root() == mth(leaves)


def test_a_block_is_added_only_where_one_may_begin() -> None:
    edge = CompactRange()
    edge.append(leaf_hash(b"one"))
    with pytest.raises(ValueError):
        edge.append(leaf_hash(b"two"), 8)
    with pytest.raises(ValueError):
        CompactRange([b"x" * 32], 3)


def test_ranges_that_the_tree_does_not_hash_have_no_subtrees() -> None:
    assert subtrees(0, 7) == [(2, 0), (1, 2), (0, 6)]
    assert subtrees(4, 7) == [(1, 2), (0, 6)]
    with pytest.raises(ValueError):
        subtrees(1, 4)


@given(st.integers(2, 2**40))
def test_a_tree_divides_at_the_largest_power_of_two_below_its_size(size: int) -> None:
    at = split(size)
    assert at < size <= 2 * at
    assert at & (at - 1) == 0
