"""The table of compiled labels: the same answers as one by one, for labels of every shape."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Clearance, Label, bulk, parse_policy
from policies.requests import Action
from policies.rules import LabelTable, visible_labels
from tests.policies.builders import (
    ENDED,
    NOW,
    PERMISSIVE,
    RESTRICTIVE,
    classes,
    environment,
    instruction,
    label,
    shipped,
    spif,
    subject,
    tag_set,
    value,
)

WINDOW = 'notBefore="2026-01-01T00:00:00Z" notAfter="2026-12-31T00:00:00Z"'
POLICY = parse_policy(
    spif(
        classes("LOW", "HIGH"),
        tag_set("Caveat", RESTRICTIVE, value("A", 1) + value("B", 2))
        + tag_set("One", PERMISSIVE, value("P", 1) + value("Q", 2), 2)
        + tag_set("Two", PERMISSIVE, value("R", 1) + value("S", 2, attributes=WINDOW), 3)
        + tag_set("Three", PERMISSIVE, value("T", 1) + value("U", 2), 4),
    )
)
VALUES = {"Caveat": "AB", "One": "PQ", "Two": "RS", "Three": "TU"}
values = st.fixed_dictionaries(
    {}, optional={name: st.frozensets(st.sampled_from(held)) for name, held in VALUES.items()}
)
ids = st.sampled_from(["2.25.7"] * 9 + ["2.25.8"])
labels = st.builds(Label.of, ids, st.sampled_from(["LOW", "HIGH", "TOP"]), values)
clearances = st.builds(Clearance, ids, st.frozensets(st.sampled_from(["LOW", "HIGH"])), values)


@settings(max_examples=300)
@given(st.lists(labels, max_size=30), clearances, st.sampled_from([None, NOW, NOW + timedelta(days=99)]))
def test_table_holds_what_each_label_alone_permits(
    chosen: list[Label], clearance: Clearance, at: object
) -> None:
    table = LabelTable(POLICY, chosen)
    alone = {label for label in chosen if POLICY.permits(label, clearance, at)}  # type: ignore[arg-type]
    held = table.held(POLICY.mask(clearance), at=at)  # type: ignore[arg-type]
    assert set(held) == alone
    assert len(held) == len(alone)
    assert (set(table), len(table)) == (set(chosen), len(set(chosen)))


def test_classifications_narrow_what_is_held() -> None:
    low, high = Label.of("2.25.7", "LOW"), Label.of("2.25.7", "HIGH")
    table = LabelTable(POLICY, [low, high])
    both = POLICY.mask(POLICY.clearance(["LOW", "HIGH"]))
    [bit] = [item.bit for item in POLICY.classifications if item.name == "LOW"]
    assert table.held(both, bit) == [low]
    assert table.held(both, 0) == []


def test_every_permissive_tag_must_be_met() -> None:
    choice = {"One": ["P", "Q"], "Two": ["R"], "Three": ["T", "U"]}
    label = Label.of("2.25.7", "LOW", choice)
    table = LabelTable(POLICY, [label])
    held = {"One": {"Q"}, "Two": {"R"}, "Three": {"T"}}
    assert table.held(POLICY.mask(POLICY.clearance(["LOW"], held))) == [label]
    for name in held:
        fewer = {other: values for other, values in held.items() if other != name}
        assert table.held(POLICY.mask(POLICY.clearance(["LOW"], fewer))) == []


def test_a_table_that_was_kept_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table = LabelTable(shipped(), [label()])
    other = LabelTable(POLICY, [label()])
    assert visible_labels(subject(), other, environment()) == {label()}

    def made(*_: object) -> None:
        raise AssertionError("a table was made")

    monkeypatch.setattr(bulk.LabelTable, "__init__", made)
    assert visible_labels(subject(), table, environment()) == {label()}


def test_a_briefing_opens_what_lies_below_the_level_of_clearances_and_no_more() -> None:
    values = {"Context": {"NATO"}}
    told = instruction("RESTRICTED", "CONFIDENTIAL", **values)
    person = subject(clearances=(), briefings=(told,))
    low, middle = label("NATO RESTRICTED"), label("NATO CONFIDENTIAL")
    assert visible_labels(person, [low, middle], environment()) == {low}
    assert visible_labels(person, [low], environment(ceiling="UNCLASSIFIED")) == frozenset()
    ended = replace(told, period=ENDED)
    assert visible_labels(replace(person, briefings=(ended,)), [low], environment()) == frozenset()
    bare = instruction("RESTRICTED")
    assert visible_labels(replace(person, briefings=(bare,)), [low], environment()) == frozenset()
    assert visible_labels(person, [low], environment(), Action.LOG_READ) == frozenset()
