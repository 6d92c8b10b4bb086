"""Labels and clearances as values: canonical form, digest, copies."""

import copy
import hashlib
import pickle
import unicodedata
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Clearance, InvalidClearance, InvalidLabel, Label
from tests.policies.builders import shipped, small

names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8).map(
    partial(unicodedata.normalize, "NFC")
)
labels = st.builds(
    Label.of, names, names, st.dictionaries(names, st.sets(names, min_size=1, max_size=4), max_size=4)
)


@given(labels)
def test_canonical_form_reads_back(label: Label) -> None:
    assert Label.from_canonical(label.canonical()) == label
    assert label.digest == hashlib.sha256(label.canonical()).hexdigest()


@given(labels, labels)
def test_different_labels_have_different_canonical_forms(one: Label, other: Label) -> None:
    assert (one == other) == (one.canonical() == other.canonical())


@given(labels)
def test_copies_are_equal_and_hash_alike(label: Label) -> None:
    for made in (copy.copy(label), copy.deepcopy(label), pickle.loads(pickle.dumps(label))):
        assert made == label
        assert hash(made) == hash(label)


def test_canonical_form_is_fixed() -> None:
    label = Label.of("1.3.26.1.3.1", "SECRET", {"Releasable To": ["NOR", "DEU"], "Context": {"NATO"}})
    assert label.canonical().decode() == (
        '{"categories":[["Context",["NATO"]],["Releasable To",["DEU","NOR"]]],'
        '"classification":"SECRET","policy":"1.3.26.1.3.1","v":1}'
    )


def test_sets_without_values_are_left_out() -> None:
    assert Label.of("1", "A", {"T": []}) == Label("1", "A")
    assert Label("1", "A").values("T") == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ("", "A", ()),
        ("1", "", ()),
        ("1", "A\n", ()),
        ("1", "A\ud800", ()),
        ("1", "e\u0301", ()),
        ("1", 7, ()),
        ("1", "A", (("T", ("b", "a")),)),
        ("1", "A", (("T", ("a", "a")),)),
        ("1", "A", (("T", ()),)),
        ("1", "A", (("T", ("a",)), ("S", ("a",)))),
        ("1", "A", (("T", ("a",)), ("T", ("b",)))),
    ],
)
def test_label_of_the_wrong_shape_is_refused(arguments: tuple[str, str, tuple[()]]) -> None:
    with pytest.raises(InvalidLabel):
        Label(*arguments)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        b'{"categories":[],"classification":"A","policy":"1"}',
        b'{"categories":[],"classification":"A","policy":"1","v":2}',
        b'{"categories":[],"classification":"A","policy":"1","v":1} ',
        b'{"categories":[],"classification":"A","policy":"1","v":1,"x":1}',
        b'{"categories":[["T",["b","a"]]],"classification":"A","policy":"1","v":1}',
        b'{"categories":[["T"]],"classification":"A","policy":"1","v":1}',
        b'{"categories":[["T","ab"]],"classification":"A","policy":"1","v":1}',
        b'{"categories":[],"classification":null,"policy":"1","v":1}',
    ],
)
def test_other_bytes_are_no_canonical_label(data: bytes) -> None:
    with pytest.raises(InvalidLabel):
        Label.from_canonical(data)


def test_clearances_compare_and_hash_by_content() -> None:
    one = Clearance("1", frozenset({"A"}), {"T": frozenset({"x"}), "U": frozenset()})
    other = Clearance("1", frozenset({"A"}), {"T": frozenset({"x"})})
    assert one == other
    assert hash(one) == hash(other)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one != Clearance("1", frozenset({"A"}))


def test_clearance_cannot_be_widened_afterwards() -> None:
    held = {"T": {"x"}}
    clearance = Clearance("1", frozenset({"A"}), held)  # type: ignore[arg-type]
    held["T"].add("y")
    held["U"] = {"z"}
    assert dict(clearance.categories) == {"T": frozenset({"x"})}
    with pytest.raises(TypeError):
        clearance.categories["T"] = frozenset()  # type: ignore[index]


def test_clearance_up_to_lists_every_level() -> None:
    clearance = shipped().clearance_up_to("confidential", {"context": ["nato"]})
    assert clearance.classifications == {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL"}
    assert dict(clearance.categories) == {"Context": frozenset({"NATO"})}


@pytest.mark.parametrize(
    ("level", "categories"),
    [("ULTRA", {}), ("SECRET", {"Nowhere": ["X"]}), ("SECRET", {"Context": ["MOON"]})],
)
def test_clearance_of_unknown_names_is_refused(level: str, categories: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidClearance):
        shipped().clearance_up_to(level, categories)
    with pytest.raises(InvalidClearance):
        shipped().clearance([level], categories)


def test_names_are_spelt_as_the_policy_spells_them() -> None:
    label = small().label("low", {"NATION": ["x"], "nation": ["Y"]})
    assert label == Label.of("2.25.7", "LOW", {"Nation": ["X", "Y"]})


def test_unknown_names_make_no_label() -> None:
    with pytest.raises(InvalidLabel) as caught:
        small().label("ultra", {"Nowhere": ["x"], "Nation": ["Z"]})
    assert [reason.code for reason in caught.value.reasons] == [
        "unknown-classification",
        "unknown-value",
        "unknown-tag-set",
    ]
