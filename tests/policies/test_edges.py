"""What no property test is sure to meet: labels told apart by one bit, names after a wrong one, refusals in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from policies import Clearance, InvalidClearance, InvalidRequest, Label, parse_policy
from policies.circumstance_rules import two_person
from policies.places import Hours
from policies.requests import AccessRequest, Act, Action, Briefing, ClearanceGrant, Proposal
from policies.rules import LabelTable, decide, visible_labels
from policies.standing import Cover, document_of, standing, standing_of
from tests.policies.builders import (
    CURRENT,
    ENDED,
    NOW,
    PERMISSIVE,
    RESTRICTIVE,
    SMALL,
    classes,
    clearance,
    environment,
    instruction,
    label,
    request,
    rules,
    small,
    spif,
    subject,
    tag_set,
    value,
)
from tests.policies.test_bulk import POLICY


def held(chosen: list[Label], **values: set[str]) -> set[Label]:
    table = LabelTable(POLICY, chosen)
    return set(table.held(POLICY.mask(POLICY.clearance(["LOW"], values))))


def test_each_of_two_permissive_tags_must_be_met() -> None:
    two = Label.of("2.25.7", "LOW", {"One": ["P"], "Three": ["T"]})
    assert held([two], One={"P"}, Three={"T"}) == {two}
    assert held([two], One={"P"}) == set()
    assert held([two], Three={"T"}) == set()
    assert held([two], One={"Q"}, Three={"T"}) == set()
    assert held([two], One={"P"}, Three={"U"}) == set()


def test_labels_of_every_number_of_permissive_tags_are_held_together() -> None:
    choices: list[dict[str, list[str]]] = [
        {},
        {"One": ["P"]},
        {"One": ["P"], "Two": ["R"]},
        {"One": ["P"], "Two": ["R"], "Three": ["T"]},
    ]
    labels = [Label.of("2.25.7", "LOW", choice) for choice in choices]
    assert held(labels, One={"P"}, Two={"R"}, Three={"T"}) == set(labels)
    assert held(labels) == {labels[0]}


def test_no_clearance_holds_an_invalid_label_whatever_it_has() -> None:
    policy = parse_policy(SMALL)  # one that has compiled nothing yet
    wrong = Label.of(policy.id, "LOW", {"Caveat": ["A"]})
    assert not policy.compiled(wrong).held_by((1 << 64) - 1)
    assert policy.problems(wrong)


def test_in_bulk_a_clearance_holds_its_own_values_and_classifications_alone() -> None:
    low = replace(subject(), clearances=(ClearanceGrant(clearance("RESTRICTED"), CURRENT),))
    labels = [label("NATO RESTRICTED"), label("NATO SECRET"), label("NATO/KFOR RESTRICTED")]
    assert visible_labels(low, labels, environment()) == {labels[0]}


def test_in_bulk_a_briefing_opens_a_label_for_a_time_within_that_time() -> None:
    window = 'notBefore="2026-01-01T00:00:00Z" notAfter="2026-12-31T00:00:00Z"'
    policy = parse_policy(
        spif(classes("LOW", "HIGH"), tag_set("One", PERMISSIVE, value("P", 1, attributes=window)))
    )
    limited = Label.of(policy.id, "LOW", {"One": ["P"]})
    told = Briefing(policy.id, frozenset({"LOW"}), {"One": frozenset({"P"})}, CURRENT)
    person = subject(clearances=(), briefings=(told,))
    place = replace(
        environment(),
        rules=rules(policy=policy, ceiling="HIGH", clearance_from="HIGH", assurance={"LOW": 1, "HIGH": 1}),
    )
    assert visible_labels(person, [limited], place) == {limited}


def test_every_unknown_name_is_told_also_after_an_unknown_tag_set() -> None:
    policy = small()
    unknown = policy.unknown_names(Label.of(policy.id, "LOW", {"Aaa": ["B"], "Nation": ["Q"], "Zzz": ["B"]}))
    assert [reason.code for reason in unknown] == ["unknown-tag-set", "unknown-value", "unknown-tag-set"]
    with pytest.raises(InvalidClearance) as refused:
        policy.clearance(["LOW"], {"Aaa": ["B"], "Nation": ["Q"], "Zzz": ["B"]})
    assert [reason.code for reason in refused.value.reasons] == [
        "unknown-tag-set",
        "unknown-value",
        "unknown-tag-set",
    ]


def test_a_name_that_the_policy_does_not_hold_gives_a_clearance_nothing() -> None:
    policy = small()
    odd = Clearance(policy.id, frozenset({"ULTRA"}), {"Nation": frozenset({"Q"})})
    assert policy.mask(odd) == 0


def test_who_holds_nothing_stands_beyond_every_label() -> None:
    stands = standing(subject(clearances=()), label(), environment())
    assert (stands.cover, stands.in_force) == (Cover.BEYOND, False)
    lapsed = standing(subject(clearances=(ClearanceGrant(clearance(), ENDED),)), label(), environment())
    assert (lapsed.cover, lapsed.in_force) == (Cover.LAPSED, False)


def test_how_a_request_stands_to_its_label_is_found_once() -> None:
    asked = request()
    assert standing_of(asked) is standing_of(asked)


def test_what_was_proposed_counts_for_no_action_that_carries_nothing_out() -> None:
    proposal = Proposal(Act.DESTROY, "a" * 64)
    asked = AccessRequest(subject(), Action.DOCUMENT_READ, None, environment(), proposal)
    assert two_person(asked).reason.code == "nothing-proposed"


def test_the_sentence_of_a_refused_question_names_what_is_missing() -> None:
    asked = AccessRequest(subject(), Action.DOCUMENT_READ, None, environment())
    for ask in (decide, document_of):
        with pytest.raises(InvalidRequest, match=r"^document\.read is decided about a document$"):
            ask(asked)  # type: ignore[operator]
    with pytest.raises(InvalidRequest, match=r"^hours are local times, without an offset of their own$"):
        Hours(time(7, tzinfo=NOW.tzinfo), time(19), NOW.tzinfo)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=r"^days are 0 \(Monday\) to 6, at least one$"):
        Hours(time(7), time(19), NOW.tzinfo, frozenset())  # type: ignore[arg-type]


def test_restrictive_and_informative_tags_alone_decide_nothing_in_bulk() -> None:
    policy = parse_policy(spif(classes("LOW"), tag_set("Caveat", RESTRICTIVE, value("A", 1) + value("B", 2))))
    both = Label.of(policy.id, "LOW", {"Caveat": ["A", "B"]})
    table = LabelTable(policy, [both])
    assert table.held(policy.mask(policy.clearance(["LOW"], {"Caveat": {"A", "B"}}))) == [both]
    assert table.held(policy.mask(policy.clearance(["LOW"], {"Caveat": {"A"}}))) == []


def test_in_bulk_a_restrictive_value_counts_with_a_briefing_alone() -> None:
    atomal = label("COSMIC TOP SECRET ATOMAL")
    held_ = clearance("TOP SECRET", Additional_Sensitivity={"ATOMAL"})
    person = subject(clearances=(ClearanceGrant(held_, CURRENT),), assurance=3)
    place = environment(ceiling="TOP SECRET")
    assert visible_labels(person, [atomal], place) == frozenset()
    told = instruction(Additional_Sensitivity={"ATOMAL"})
    assert visible_labels(replace(person, briefings=(told,)), [atomal], place) == {atomal}
