"""Alternative labels: beside the originator's own, never instead of it; and the form that is stored."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import InvalidLabel, Label

OWN = Label.of("2.25.7", "MID", {"Caveat": ["B"]})
NATO = Label.of("1.3.26.1.3.1", "SECRET", {"Context": ["NATO"]})
EU = Label.of("2.25.9", "SECRET UE/EU SECRET")

policy_ids = st.sampled_from(["1.2", "1.3", "2.25.7", "2.25.8"])
plain = st.builds(
    Label.of,
    policy_ids,
    st.sampled_from(["LOW", "HIGH"]),
    st.dictionaries(st.sampled_from(["A", "B"]), st.sets(st.sampled_from("xyz"), min_size=1), max_size=2),
)


@st.composite
def labels(draw: st.DrawFn) -> Label:
    label = draw(plain)
    for other in draw(st.lists(plain, max_size=4)):
        if other.policy_id != label.policy_id:
            label = label.beside(other)
    return label


def test_stored_form_of_a_plain_label_is_what_it_always_was() -> None:
    assert OWN.canonical() == (
        b'{"categories":[["Caveat",["B"]]],"classification":"MID","policy":"2.25.7","v":1}'
    )
    assert NATO.digest == "7cba7c7a0cd914ffead5f6ccf8953c286728277a46ac4e0e9b0ae892f2f83877"


def test_alternatives_are_part_of_the_stored_form() -> None:
    both = OWN.beside(NATO)
    assert both.canonical() == (
        b'{"alternatives":[{"categories":[["Context",["NATO"]]],"classification":"SECRET",'
        b'"policy":"1.3.26.1.3.1"}],"categories":[["Caveat",["B"]]],"classification":"MID",'
        b'"policy":"2.25.7","v":1}'
    )
    assert both.digest != OWN.digest
    assert both != OWN


def test_label_stands_under_its_own_policy_and_its_alternatives() -> None:
    both = OWN.beside(NATO).beside(EU)
    assert both.under("2.25.7") is both
    assert both.under("1.3.26.1.3.1") == NATO
    assert both.under("2.25.9") == EU
    assert both.under("2.25.10") is None
    assert (both.classification, both.categories) == (OWN.classification, OWN.categories)


def test_one_alternative_in_each_policy() -> None:
    lower = Label.of(NATO.policy_id, "RESTRICTED", {"Context": ["NATO"]})
    assert OWN.beside(NATO).beside(EU).beside(lower).alternatives == (lower, EU)


@pytest.mark.parametrize(
    "alternatives",
    [(OWN,), (NATO, NATO), (EU, NATO), (OWN.beside(NATO),), (EU.beside(NATO),)],
    ids=["own policy", "twice", "not sorted", "own policy, nested", "nested"],
)
def test_wrong_alternatives_are_refused(alternatives: tuple[Label, ...]) -> None:
    with pytest.raises(InvalidLabel):
        Label(OWN.policy_id, OWN.classification, OWN.categories, alternatives)


@given(labels())
def test_label_comes_back_from_its_stored_form(label: Label) -> None:
    assert Label.from_canonical(label.canonical()) == label
    copied = pickle.loads(pickle.dumps(label))
    assert copied == label
    assert hash(copied) == hash(label)


@given(labels(), labels())
def test_equal_bytes_are_equal_labels(one: Label, other: Label) -> None:
    assert (one == other) is (one.canonical() == other.canonical())


REST = b'],"categories":[],"classification":"MID","policy":"2.25.7","v":1}'
OWN_POLICY = b'{"alternatives":[{"categories":[],"classification":"A","policy":"2.25.7"}' + REST
NESTED = b'{"alternatives":[{"alternatives":[],"categories":[],"classification":"A","policy":"1.2"}' + REST


@pytest.mark.parametrize(
    "data",
    [
        b'{"alternatives":[],"categories":[],"classification":"MID","policy":"2.25.7","v":1}',
        b'{"alternatives":1,"categories":[],"classification":"MID","policy":"2.25.7","v":1}',
        b'{"alternatives":["x"],"categories":[],"classification":"MID","policy":"2.25.7","v":1}',
        OWN_POLICY,
        NESTED,
        b"[]",
        b"1",
    ],
)
def test_other_bytes_are_no_stored_label(data: bytes) -> None:
    with pytest.raises(InvalidLabel) as caught:
        Label.from_canonical(data)
    assert caught.value.reasons[0].code == "not-canonical"
