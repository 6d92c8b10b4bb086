"""The access control decision function, compared with a naive one that shares nothing with it."""

from itertools import chain, combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Clearance, Label, stanag4774
from tests.policies.builders import published, shipped, small
from tests.shared import POLICIES

LEVELS = ("LOW", "MID", "HIGH")
VALUES = {"Caveat": "AB", "Nation": "XY", "Note": "N", "Codeword": "K", "Group": "GH"}
KINDS = {"Caveat": "all", "Nation": "any", "Note": "none", "Codeword": "all", "Group": "any"}


def subsets(values: str) -> list[frozenset[str]]:
    sized = (combinations(values, size) for size in range(len(values) + 1))
    return [frozenset(chosen) for chosen in chain.from_iterable(sized)]


def every_label() -> list[Label]:
    return [
        Label.of("2.25.7", level, dict(zip(VALUES, chosen, strict=True)))
        for level in LEVELS
        for chosen in product(*(subsets(values) for values in VALUES.values()))
    ]


def naive(label: Label, levels: frozenset[str], held: dict[str, frozenset[str]]) -> bool:
    """The standard's words, one after the other, on names alone."""
    categories = {name: set(values) for name, values in label.categories}
    if label.classification == "LOW" and "A" in categories.get("Caveat", set()):
        return False
    if label.classification not in levels:
        return False
    for name, values in categories.items():
        if KINDS[name] == "all":
            for value in values:
                if value not in held.get(name, frozenset()):
                    return False
        if KINDS[name] == "any":
            found = False
            for value in values:
                if value in held.get(name, frozenset()):
                    found = True
            if not found:
                return False
    return True


def test_every_label_and_clearance_of_the_small_policy_agrees_with_the_naive_function() -> None:
    policy = small()
    labels = every_label()
    tags = ("Caveat", "Nation", "Codeword", "Group")
    compared = permitted = 0
    for levels in map(frozenset, [(), ("LOW",), ("LOW", "MID"), LEVELS, ("LOW", "HIGH"), ("HIGH",)]):
        for chosen in product(*(subsets(VALUES[name]) for name in tags)):
            held = dict(zip(tags, chosen, strict=True))
            clearance = Clearance("2.25.7", levels, held)
            for label in labels:
                expected = naive(label, levels, held)
                assert policy.permits(label, clearance) is expected
                compared, permitted = compared + 1, permitted + expected
    assert compared == 6 * 128 * 768
    assert 0 < permitted < compared


labels = st.sampled_from(every_label())
held_values = st.fixed_dictionaries(
    {}, optional={name: st.frozensets(st.sampled_from([*values, "?"])) for name, values in VALUES.items()}
)
clearances = st.builds(
    Clearance, st.just("2.25.7"), st.frozensets(st.sampled_from([*LEVELS, "?"])), held_values
)


@given(labels, clearances)
def test_decision_gives_reasons_exactly_when_it_denies(label: Label, clearance: Clearance) -> None:
    decision = small().decide(label, clearance)
    assert decision.permitted is small().permits(label, clearance)
    assert decision.permitted is (decision.reasons == ())
    assert all("{" not in reason.text for reason in decision.reasons)


@given(labels, clearances, clearances)
def test_more_clearance_never_permits_less(label: Label, clearance: Clearance, more: Clearance) -> None:
    names = {*clearance.categories, *more.categories}
    union = Clearance(
        "2.25.7",
        clearance.classifications | more.classifications,
        {
            name: clearance.categories.get(name, frozenset()) | more.categories.get(name, frozenset())
            for name in names
        },
    )
    assert small().permits(label, union) or not small().permits(label, clearance)


@given(labels, clearances, st.sampled_from("AB"))
def test_another_restrictive_value_never_permits_more(label: Label, clearance: Clearance, value: str) -> None:
    values = {name: set(held) for name, held in label.categories}
    values.setdefault("Caveat", set()).add(value)
    narrower = Label.of(label.policy_id, label.classification, values)
    assert small().permits(label, clearance) or not small().permits(narrower, clearance)


@given(clearances)
def test_invalid_label_is_denied_to_everybody(clearance: Clearance) -> None:
    invalid = Label.of("2.25.7", "LOW", {"Caveat": ["A"]})
    assert [r.code for r in small().decide(invalid, clearance).reasons] == ["excluded-class"]


@given(clearances)
def test_informative_values_never_decide(clearance: Clearance) -> None:
    plain, noted = Label.of("2.25.7", "MID"), Label.of("2.25.7", "MID", {"Note": ["N"]})
    assert small().permits(plain, clearance) is small().permits(noted, clearance)


def test_nothing_held_permits_nothing() -> None:
    nothing = Clearance("2.25.7", frozenset())
    assert not any(small().permits(label, nothing) for label in every_label())


def test_clearance_of_another_policy_is_denied() -> None:
    everything = Clearance("2.25.8", frozenset(LEVELS), {name: frozenset(v) for name, v in VALUES.items()})
    decision = small().decide(Label.of("2.25.7", "LOW"), everything)
    assert [reason.code for reason in decision.reasons] == ["clearance-of-other-policy"]


def test_label_of_another_policy_is_denied() -> None:
    decision = small().decide(Label.of("2.25.8", "LOW"), Clearance("2.25.7", frozenset(LEVELS)))
    assert [reason.code for reason in decision.reasons] == ["other-policy"]


def test_unknown_names_are_denied_even_to_those_who_claim_them() -> None:
    label = Label.of("2.25.7", "ULTRA", {"Caveat": ["Z"]})
    clearance = Clearance("2.25.7", frozenset({"ULTRA"}), {"Caveat": frozenset({"Z"})})
    assert not small().permits(label, clearance)


def test_levels_are_a_list_and_not_a_height() -> None:
    gap = Clearance("2.25.7", frozenset({"LOW", "HIGH"}))
    assert small().permits(Label.of("2.25.7", "HIGH"), gap)
    assert not small().permits(Label.of("2.25.7", "MID"), gap)


def test_all_reasons_are_given_in_order() -> None:
    label = Label.of("2.25.7", "HIGH", {"Caveat": ["A", "B"], "Nation": ["X", "Y"]})
    decision = small().decide(label, Clearance("2.25.7", frozenset(), {"Caveat": frozenset("B")}))
    assert [reason.text for reason in decision.reasons] == [
        "The clearance does not list HIGH.",
        "The clearance lacks A of Caveat.",
        "The clearance holds none of X, Y of Nation.",
    ]


def nation(code: str, *more: str) -> Clearance:
    """A clearance as of ADatP-4774 Table 18: a nation of the Alliance holds NATO as well."""
    held = {code, *more}
    contexts = {"NATO", "EAPC", "KFOR"} if "NATO" in more else {"Releasable"}
    return published().clearance_up_to(
        "TOP SECRET", {"Context": contexts, "Releasable To": held, "Only": held}
    )


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
def test_labels_of_table_17_are_open_to_a_nation_of_the_alliance_alone(number: int) -> None:
    data = (POLICIES / f"label-nato-{number}.4774.xml").read_bytes()
    label = stanag4774.parse(data, published())
    assert published().permits(label, nation("GBR", "NATO"))
    assert not published().permits(label, nation("NZL"))


def test_label_without_context_is_open_under_the_published_policy_and_closed_under_ours() -> None:
    label = Label.of("1.3.26.1.3.1", "SECRET")
    partner = published().clearance_up_to("SECRET", {"Context": ["Releasable"], "Releasable To": ["JPN"]})
    assert published().permits(label, partner)
    assert not shipped().permits(label, partner)
