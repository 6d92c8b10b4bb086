"""Dominance and the dominant label of a collection, rule by rule, and where it is wider than a member."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Clearance, Label, parse_policy, stanag4774
from policies.aggregates import Aggregate, aggregate, dominates, permits_all
from tests.policies.builders import (
    INFORMATIVE,
    NOW,
    RESTRICTIVE,
    classes,
    published,
    shipped,
    small,
    spif,
    tag_set,
    value,
)
from tests.shared import POLICIES

LEVELS = ["LOW", "MID", "HIGH"]
VALUES = {"Caveat": "AB", "Nation": "XY", "Note": "N", "Codeword": "K", "Group": "GH"}

values = st.fixed_dictionaries(
    {}, optional={name: st.frozensets(st.sampled_from(held)) for name, held in VALUES.items()}
)
labels = st.builds(Label.of, st.just("2.25.7"), st.sampled_from(LEVELS), values).filter(
    lambda label: not small().problems(label)
)
# Cleared up to a level: a list with a gap is no level, and dominance is about levels.
clearances = st.builds(
    lambda level, held: small().clearance_up_to(level, held), st.sampled_from(LEVELS), values
)


def label(level: str, **held: set[str]) -> Label:
    return small().label(level, held)


def found(*members: Label) -> Aggregate:
    return aggregate(members, small())


def codes(combined: Aggregate) -> tuple[list[str], list[str]]:
    reasons, wider = combined.reasons, combined.wider
    assert all("{" not in reason.text for reason in (*reasons, *wider))
    return [reason.code for reason in reasons], [reason.code for reason in wider]


def test_rule_3_the_highest_classification() -> None:
    assert found(label("LOW"), label("HIGH"), label("MID")) == Aggregate(label("HIGH"))


def test_rule_4_permissive_values_are_those_that_all_share() -> None:
    combined = found(label("LOW", Nation={"X", "Y"}), label("LOW", Nation={"Y"}))
    assert combined == Aggregate(label("LOW", Nation={"Y"}))


def test_rule_5_permissive_tag_without_a_shared_value_is_dropped_and_that_is_said() -> None:
    combined = found(label("LOW", Nation={"X"}), label("MID", Nation={"Y"}))
    assert combined.label == label("MID")
    assert codes(combined) == ([], ["permissive-dropped-not-shared"])
    assert combined.wider[0].text == (
        "Nation is dropped, for the members share no value of it (X; Y): "
        "the combined label is wider than they are."
    )


def test_rule_6_permissive_tag_that_a_member_lacks_is_dropped_and_that_is_said() -> None:
    combined = found(label("LOW", Nation={"X", "Y"}, Group={"G"}), label("MID", Group={"G", "H"}))
    assert combined.label == label("MID", Group={"G"})
    assert codes(combined) == ([], ["permissive-dropped-absent"])
    assert combined.wider[0].parameter("values") == "X, Y"


def test_rule_7_restrictive_values_are_united() -> None:
    combined = found(label("MID", Caveat={"A"}, Codeword={"K"}), label("MID", Caveat={"B"}))
    assert combined == Aggregate(label("MID", Caveat={"A", "B"}, Codeword={"K"}))


def test_rule_8_informative_values_are_united() -> None:
    assert found(label("LOW", Note={"N"}), label("HIGH")) == Aggregate(label("HIGH", Note={"N"}))


def test_rule_8_informative_values_that_may_not_stand_together_are_left_out() -> None:
    policy = parse_policy(
        spif(
            classes("LOW", "HIGH"),
            tag_set("Note", INFORMATIVE, value("N", 1, "<s:excludedClass>HIGH</s:excludedClass>"))
            + tag_set("Caveat", RESTRICTIVE, value("A", 1), 2),
        )
    )
    low, high = policy.label("LOW", {"Note": {"N"}}), policy.label("HIGH", {"Caveat": {"A"}})
    assert aggregate([low, high], policy) == Aggregate(high)


def test_rule_9_what_is_not_valid_together_needs_a_decision() -> None:
    policy = parse_policy(
        spif(
            classes("LOW", "HIGH"),
            tag_set("T", RESTRICTIVE, value("V", 1) + value("W", 2), attributes='singleSelection="true"'),
        )
    )
    combined = aggregate([policy.label("LOW", {"T": {"V"}}), policy.label("HIGH", {"T": {"W"}})], policy)
    assert combined.label is None
    assert codes(combined) == (["too-many-values"], [])


def test_rules_1_and_2_label_of_another_policy_counts_by_its_alternative_or_not_at_all() -> None:
    foreign = Label.of("1.2.3", "ULTRA")
    assert codes(found(label("LOW"), foreign)) == (["other-policy"], [])
    assert found(label("LOW"), foreign.beside(label("HIGH"))) == Aggregate(label("HIGH"))


def test_contexts_of_the_shipped_policy_are_never_merged_silently() -> None:
    combined = aggregate(
        [shipped().parse_marking("NATO/EAPC CONFIDENTIAL"), shipped().parse_marking("NATO/KFOR SECRET")],
        shipped(),
    )
    assert combined.label is None
    assert codes(combined) == (["required-category-onlyOne"], ["permissive-dropped-not-shared"])


def test_published_policy_permits_more_than_a_member_and_the_aggregate_says_so() -> None:
    """The hazard of the standard's own examples: without a Context everybody's clearance opens the label."""
    members = {
        number: stanag4774.parse((POLICIES / f"label-nato-{number}.4774.xml").read_bytes(), published())
        for number in (1, 2, 3, 4, 6)
    }
    wider = {
        pair
        for pair in combinations(members, 2)
        if aggregate([members[pair[0]], members[pair[1]]], published()).wider
    }
    assert wider
    for one, other in combinations(members, 2):
        combined = aggregate([members[one], members[other]], published())
        assert combined.label is not None
        stays = all(dominates(published(), combined.label, members[number]) for number in (one, other))
        assert stays is ((one, other) not in wider)


def test_nothing_to_combine_and_invalid_members() -> None:
    assert codes(aggregate([], small())) == (["nothing-to-combine"], [])
    wrong = Label.of("2.25.7", "LOW", {"Caveat": ["A"]})
    assert codes(found(label("MID"), wrong, wrong)) == (["excluded-class"], [])


def test_time_judges_what_is_limited_in_time() -> None:
    window = 'notAfter="2026-12-31T00:00:00Z"'
    policy = parse_policy(spif(classes("A"), tag_set("T", RESTRICTIVE, value("V", 1, attributes=window))))
    member = policy.label("A", {"T": {"V"}})
    assert aggregate([member], policy, NOW) == Aggregate(member)
    assert codes(aggregate([member], policy)) == (["time-needed"], [])


@given(labels)
def test_label_alone_is_its_own_dominant_label(member: Label) -> None:
    assert found(member) == found(member, member) == Aggregate(member)


@given(st.lists(labels, min_size=1, max_size=4), clearances)
def test_combined_label_is_never_wider_than_a_member_unless_it_says_so(
    members: list[Label], clearance: Clearance
) -> None:
    combined = found(*members)
    assert combined.label is not None
    opens, all_open = small().permits(combined.label, clearance), permits_all(members, clearance, small())
    if not combined.wider:
        assert all_open or not opens
        assert all(dominates(small(), combined.label, member) for member in members)
    else:
        assert not all(dominates(small(), combined.label, member) for member in members)


@given(st.lists(labels, min_size=1, max_size=4), clearances)
def test_order_and_repetition_do_not_matter(members: list[Label], clearance: Clearance) -> None:
    again = found(*reversed(members), *members)
    assert again.label == found(*members).label
    assert {reason.code for reason in again.wider} == {reason.code for reason in found(*members).wider}


@given(st.lists(labels, max_size=4), clearances)
def test_collection_is_permitted_only_when_every_member_is(
    members: list[Label], clearance: Clearance
) -> None:
    single = [small().permits(member, clearance) for member in members]
    assert permits_all(members, clearance, small()) is (bool(single) and all(single))


@given(labels, labels, clearances)
def test_what_opens_the_higher_label_opens_the_lower(
    higher: Label, lower: Label, clearance: Clearance
) -> None:
    if dominates(small(), higher, lower):
        assert small().permits(lower, clearance) or not small().permits(higher, clearance)


@given(labels, labels)
def test_dominance_is_exactly_what_all_clearances_say(higher: Label, lower: Label) -> None:
    every = small().clearance_up_to("HIGH", {name: set(held) for name, held in VALUES.items()})
    smaller = [
        Clearance(every.policy_id, every.classifications, {**every.categories, name: kept})
        for name, held in every.categories.items()
        for size in range(len(held))
        for kept in map(frozenset, combinations(sorted(held), size))
    ]
    levels = [small().clearance_up_to(level, every.categories) for level in LEVELS]
    found_all = all(
        small().permits(lower, clearance) or not small().permits(higher, clearance)
        for clearance in (*smaller, *levels)
    )
    assert dominates(small(), higher, lower) is found_all


@given(labels, labels, labels)
def test_dominance_is_an_order(one: Label, two: Label, three: Label) -> None:
    assert dominates(small(), one, one)
    if dominates(small(), one, two) and dominates(small(), two, three):
        assert dominates(small(), one, three)


@pytest.mark.parametrize(
    ("higher", "lower"),
    [
        (Label.of("1.2.3", "HIGH"), Label.of("2.25.7", "LOW")),
        (Label.of("2.25.7", "HIGH"), Label.of("1.2.3", "LOW")),
        (Label.of("2.25.7", "ULTRA"), Label.of("2.25.7", "LOW")),
        (Label.of("2.25.7", "HIGH"), Label.of("2.25.7", "ULTRA")),
        (Label.of("2.25.7", "HIGH"), Label.of("2.25.7", "LOW", {"Caveat": ["?"]})),
    ],
)
def test_what_the_policy_does_not_hold_dominates_nothing(higher: Label, lower: Label) -> None:
    assert not dominates(small(), higher, lower)


def test_alternatives_are_compared_where_the_label_is_of_another_policy() -> None:
    foreign = Label.of("1.2.3", "ULTRA").beside(label("MID"))
    assert dominates(small(), label("HIGH"), foreign)
    assert dominates(small(), foreign, label("LOW"))
    assert not dominates(small(), foreign, label("HIGH"))
