"""The label picker: what it offers to whom, and the labels that choices make."""

import pytest
from hypothesis import given, settings

from policies import Clearance, InvalidClearance, InvalidLabel, Label, parse_policy
from policies.model import TagKind
from tests.policies.builders import (
    INFORMATIVE,
    PERMISSIVE,
    classes,
    clearance,
    shipped,
    small,
    spif,
    tag_set,
    value,
)
from tests.policies.test_marking import shipped_labels

PLAIN = clearance()


def test_classifications_are_offered_up_to_clearance_and_ceiling() -> None:
    names = [item.name for item in shipped().offer(clearance("TOP SECRET"), "CONFIDENTIAL").classifications]
    assert names == ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL"]
    first, *_, last = shipped().offer(PLAIN, "TOP SECRET").classifications
    assert (first.words, first.lacv, first.color, first.ink) == ("NATO UNCLASSIFIED", 1, "#1d6b3a", "#ffffff")
    assert (last.name, last.words) == ("SECRET", "NATO SECRET")


def test_words_are_in_the_language_asked_for() -> None:
    words = [item.words for item in shipped().offer(PLAIN, "SECRET", "fr").classifications]
    assert words[:2] == ["NATO SANS CLASSIFICATION", "NATO DIFFUSION RESTREINTE"]


def test_only_contexts_that_are_held_are_offered() -> None:
    offer = shipped().offer(clearance(Context={"NATO", "KFOR", "IP"}), "SECRET")
    assert [(tag, item.name, item.words) for tag, item in offer.contexts] == [
        ("Context", "NATO", "NATO"),
        ("Context", "KFOR", "NATO/KFOR"),
    ]


def test_restrictive_values_are_offered_to_those_who_hold_them_only() -> None:
    assert "Additional Sensitivity" not in [tag.name for tag in shipped().offer(PLAIN, "SECRET").tags]
    held = shipped().offer(clearance(Additional_Sensitivity={"ATOMAL", "EXCLUSIVE", "BOHEMIA"}), "SECRET")
    (tag,) = (tag for tag in held.tags if tag.name == "Additional Sensitivity")
    assert tag.kind is TagKind.RESTRICTIVE
    assert [(item.name, item.classifications) for item in tag.values] == [
        ("ATOMAL", ("CONFIDENTIAL", "SECRET"))
    ]


def test_permissive_values_are_offered_to_those_who_hold_one() -> None:
    (tag,) = (tag for tag in shipped().offer(PLAIN, "SECRET").tags if tag.name == "Releasable To")
    held = {item.name: item.held for item in tag.values}
    assert held["NOR"] is True
    assert held["JPN"] is False
    assert "NATO" not in held, "what no marking shows is added by the policy, not chosen"
    none = Clearance(shipped().id, PLAIN.classifications, {"Context": frozenset({"NATO"})})
    assert [tag.name for tag in shipped().offer(none, "SECRET").tags] == ["Administrative"]


def test_informative_values_are_offered_to_everybody() -> None:
    (tag,) = (tag for tag in shipped().offer(PLAIN, "SECRET").tags if tag.name == "Administrative")
    assert {item.classifications for item in tag.values} == {("UNCLASSIFIED",)}
    assert tag.single is False


def test_policy_without_contexts_offers_plain_words() -> None:
    offer = small().offer(small().clearance_up_to("MID"), "HIGH")
    assert [item.words for item in offer.classifications] == ["TEST LOW", "TEST MID"]
    assert offer.contexts == ()


def test_classification_that_no_label_can_have_alone_still_has_words() -> None:
    policy = parse_policy(
        spif(
            classes("A"),
            tag_set("T", PERMISSIVE, value("V", 1) + value("W", 2), attributes='minSelection="1"'),
        )
    )
    (item,) = policy.offer(policy.clearance_up_to("A"), "A").classifications
    assert item.words == "TEST A"


def test_unknown_ceiling_is_refused() -> None:
    with pytest.raises(InvalidClearance):
        shipped().offer(PLAIN, "ULTRA")


def test_nothing_is_offered_to_nobody() -> None:
    offer = shipped().offer(Clearance(shipped().id, frozenset()), "SECRET")
    assert offer.classifications == ()
    assert offer.contexts == ()
    assert offer.tags == ()


def test_choices_are_completed_by_what_the_policy_requires() -> None:
    assert shipped().compose("secret") == Label.of(shipped().id, "SECRET", {"Context": ["NATO"]})
    assert shipped().compose("RESTRICTED", {"Releasable To": ["jpn"]}) == Label.of(
        shipped().id, "RESTRICTED", {"Context": ["NATO", "Releasable"], "Releasable To": ["JPN", "NATO"]}
    )
    assert shipped().compose("SECRET", {"Context": ["KFOR"]}).values("Context") == ("KFOR",)


@pytest.mark.parametrize(
    ("level", "values"),
    [
        ("RESTRICTED", {"Additional Sensitivity": ["ATOMAL"]}),
        ("SECRET", {"Administrative": ["STAFF"]}),
        ("TOP SECRET", {"Releasable To": ["JPN"]}),
        ("SECRET", {"Context": ["NATO", "KFOR"]}),
        ("SECRET", {"Context": ["Releasable"]}),
        ("ULTRA", {}),
        ("SECRET", {"Context": ["MOON"]}),
    ],
)
def test_choices_that_make_no_valid_label_are_refused(level: str, values: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidLabel):
        shipped().compose(level, values)


def test_requirement_of_a_value_that_cannot_stand_is_refused() -> None:
    needs = (
        '<s:requiredCategory operation="oneOrMore">'
        '<s:categoryGroup tagSetRef="T" tagType="permissive" lacv="1"/></s:requiredCategory>'
    )
    tags = tag_set("T", PERMISSIVE, value("V", 1, attributes='obsolete="true"')) + tag_set(
        "U", INFORMATIVE, value("W", 1, needs), 2
    )
    policy = parse_policy(spif(classes("A"), tags))
    with pytest.raises(InvalidLabel):
        policy.compose("A", {"U": ["W"]})


@settings(max_examples=100)
@given(shipped_labels())
def test_composing_a_valid_label_changes_nothing(label: Label) -> None:
    assert shipped().compose(label.classification, dict(label.categories)) == label
