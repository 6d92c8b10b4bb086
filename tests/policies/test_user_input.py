"""Values that a person types (SPIF userInput): only where they never decide, and only in their form."""

from __future__ import annotations

import pytest

from policies import InvalidLabel, InvalidPolicy, SecurityPolicy, parse_policy, stanag4774
from tests.policies.builders import INFORMATIVE, NOW, RESTRICTIVE, classes, spif, tag_set, value


def typed(attributes: str, kind: str = INFORMATIVE, more: str = "") -> SecurityPolicy:
    content = value("Typed", 1, attributes=attributes) + more
    return parse_policy(spif(classes("LOW"), tag_set("Note", kind, content)))


@pytest.mark.parametrize(
    ("attributes", "right", "wrong"),
    [
        ('userInput="string"', ["x", "Case 7 / B", "é"], [" x", "x ", "y" * 257]),
        ('userInput="integer"', ["0", "123456789012345678"], ["-1", "1.5", "x", "1234567890123456789"]),
        ('userInput="date"', ["2026-11-24"], ["2026-13-01", "24.11.2026", "2026-1-1", "20261124"]),
        ('userInput="date" dateFormat="YYYYMMDD"', ["20261124"], ["2026-11-24", "20260230"]),
        ('userInput="date" dateFormat="YYYY-MM"', ["2026-11"], ["2026-13", "2026"]),
        ('userInput="date" dateFormat="YYYY"', ["2026"], ["26", "0000"]),
    ],
)
def test_value_has_the_form_that_the_policy_asks_for(
    attributes: str, right: list[str], wrong: list[str]
) -> None:
    policy = typed(attributes)
    for text in right:
        label = policy.label("LOW", {"Note": [text]})
        assert policy.problems(label) == ()
        assert policy.permits(label, policy.clearance(["LOW"]))
        assert text in policy.marking(label)
    for text in wrong:
        with pytest.raises(InvalidLabel) as refused:
            policy.label("LOW", {"Note": [text]})
        assert [reason.code for reason in refused.value.reasons] == ["unknown-value"]


def test_several_values_may_be_typed_and_come_back() -> None:
    policy = typed('userInput="string"', more=value("Fixed", 2))
    label = policy.label("LOW", {"Note": ["one", "two", "fixed"]})
    assert label.values("Note") == ("Fixed", "one", "two")
    xml = stanag4774.serialise(label, created=NOW, policy=policy)
    assert stanag4774.parse(xml, policy, require_complete=True) == label
    assert policy.compose("LOW", {"Note": ["one", "Fixed"]}) == policy.label(
        "LOW", {"Note": ["one", "Fixed"]}
    )


def test_typed_values_are_counted_like_others() -> None:
    content = value("Typed", 1, attributes='userInput="string"')
    policy = parse_policy(
        spif(classes("LOW"), tag_set("Note", INFORMATIVE, content, attributes='maxSelection="1"'))
    )
    two = policy.label("LOW", {"Note": ["one", "two"]})
    assert [reason.code for reason in policy.problems(two)] == ["too-many-values"]


@pytest.mark.parametrize(
    ("attributes", "kind", "more"),
    [
        ('userInput="string"', RESTRICTIVE, ""),
        ('userInput="date" dateFormat="DD.MM.YYYY"', INFORMATIVE, ""),
        ('userInput="string"', INFORMATIVE, value("Other", 2, attributes='userInput="integer"')),
    ],
)
def test_what_could_decide_or_be_read_twice_is_refused(attributes: str, kind: str, more: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        typed(attributes, kind, more)
    assert (refused.value.reason.code, refused.value.line) == ("not-supported", 1)
