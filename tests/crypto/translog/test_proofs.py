from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.translog.errors import ProofFailed
from crypto.translog.proofs import check_consistency, check_inclusion, prove_consistency, prove_inclusion
from crypto.translog.tree import EMPTY_ROOT, leaf_hash
from tests.crypto.translog.naive import Subtrees, mth, path, subproof

LEAVES = [f"leaf {number}".encode() for number in range(34)]
READER = Subtrees(LEAVES)
ROOTS = [mth(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


def test_every_inclusion_proof_of_small_trees_is_that_of_the_standard_and_holds() -> None:
    for size in range(1, len(LEAVES) + 1):
        for index in range(size):
            proof = prove_inclusion(READER, index, size)
            assert list(proof) == path(index, LEAVES[:size])
            check_inclusion(proof, index, size, leaf_hash(LEAVES[index]), ROOTS[size])


def test_an_inclusion_proof_serves_one_leaf_one_place_and_one_tree_alone() -> None:
    for size in range(1, 20):
        for index in range(size):
            proof = prove_inclusion(READER, index, size)
            hashed = leaf_hash(LEAVES[index])
            for wrong in range(size):
                if wrong != index:
                    with pytest.raises(ProofFailed):
                        check_inclusion(proof, wrong, size, hashed, ROOTS[size])
            with pytest.raises(ProofFailed):
                check_inclusion(proof, index, size, leaf_hash(b"another"), ROOTS[size])
            with pytest.raises(ProofFailed):
                check_inclusion(proof, index, size, hashed, ROOTS[size + 1])
            with pytest.raises(ProofFailed):
                check_inclusion((*proof, hashed), index, size, hashed, ROOTS[size])
            if proof:
                with pytest.raises(ProofFailed):
                    check_inclusion(proof[:-1], index, size, hashed, ROOTS[size])


def test_every_consistency_proof_of_small_trees_is_that_of_the_standard_and_holds() -> None:
    for new in range(len(LEAVES) + 1):
        for old in range(new + 1):
            proof = prove_consistency(READER, old, new)
            if old:
                assert list(proof) == subproof(old, LEAVES[:new], True)
            check_consistency(proof, old, new, ROOTS[old], ROOTS[new])


def test_a_consistency_proof_between_other_trees_is_refused() -> None:
    for new in range(1, 20):
        for old in range(1, new):
            proof = prove_consistency(READER, old, new)
            for false_root in (EMPTY_ROOT, ROOTS[old + 1], ROOTS[old - 1]):
                with pytest.raises(ProofFailed):
                    check_consistency(proof, old, new, false_root, ROOTS[new])
            with pytest.raises(ProofFailed):
                check_consistency(proof, old, new, ROOTS[old], ROOTS[new + 1])
            with pytest.raises(ProofFailed):
                check_consistency((*proof, ROOTS[1]), old, new, ROOTS[old], ROOTS[new])
            with pytest.raises(ProofFailed):
                check_consistency(proof[:-1], old, new, ROOTS[old], ROOTS[new])


def test_nothing_but_the_empty_proof_joins_a_tree_to_itself_or_to_the_empty_one() -> None:
    check_consistency((), 0, 5, EMPTY_ROOT, ROOTS[5])
    for proof, old, first in (((ROOTS[1],), 0, EMPTY_ROOT), ((), 0, ROOTS[1]), ((), 5, ROOTS[4])):
        with pytest.raises(ProofFailed):
            check_consistency(proof, old, 5, first, ROOTS[5])


def test_leaves_and_trees_that_do_not_exist_have_no_proof() -> None:
    for index, size in ((-1, 3), (3, 3), (0, 0)):
        with pytest.raises(ValueError):
            prove_inclusion(READER, index, size)
        with pytest.raises(ProofFailed):
            check_inclusion((), index, size, ROOTS[1], ROOTS[1])
    for old, new in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError):
            prove_consistency(READER, old, new)
        with pytest.raises(ProofFailed):
            check_consistency((), old, new, ROOTS[3], ROOTS[3])


@given(
    st.lists(st.binary(min_size=0, max_size=40) | st.sampled_from(ROOTS), max_size=8),
    st.integers(-2, 40),
    st.integers(-2, 40),
)
def test_checkers_only_ever_refuse_made_up_proofs(proof: list[bytes], first: int, second: int) -> None:
    with pytest.raises(ProofFailed):
        check_inclusion(proof, first, second, bytes(32), bytes(31))
    with pytest.raises(ProofFailed):
        check_consistency(proof, first, second, bytes(31), bytes(30))
