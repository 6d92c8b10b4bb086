"""What people are told of an invalid label: each sentence, word for word."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from policies import (
    Clearance,
    InvalidClearance,
    InvalidLabel,
    InvalidRequest,
    Label,
    SecurityPolicy,
    parse_policy,
)
from policies.places import Hours, network
from tests.policies.builders import (
    PERMISSIVE,
    RESTRICTIVE,
    classes,
    clearance,
    label,
    shipped,
    small,
    spif,
    tag_set,
    value,
)

EARLY, LATE = datetime(2025, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
WINDOW = 'notBefore="2026-01-01T00:00:00Z" notAfter="2026-12-31T00:00:00Z"'
GROUPS = "".join(
    f'<s:categoryGroup tagSetRef="G" tagType="permissive" lacv="{number}"/>' for number in (1, 2)
)


def requiring(operation: str) -> str:
    return f'<s:requiredCategory operation="{operation}">{GROUPS}</s:requiredCategory>'


def policy(
    content: str = "", attributes: str = "", tag: str = "", classification: str = "", of_class: str = ""
) -> SecurityPolicy:
    """A policy with a value V of this content, in a tag of these attributes, beside W and the group G."""
    levels = classes("LOW", "HIGH").replace(
        'name="HIGH" lacv="2" hierarchy="2"/>',
        f'name="HIGH" lacv="2" hierarchy="2" {classification}>{of_class}</s:securityClassification>',
    )
    values = value("V", 1, content, attributes) + value("W", 2)
    group = value("A", 1) + value("B", 2)
    return parse_policy(
        spif(levels, tag_set("T", RESTRICTIVE, values, 1, tag) + tag_set("G", PERMISSIVE, group, 2))
    )


EXCLUDES = '<s:excludedCategory tagSetRef="G" tagType="permissive" lacv="1"/>'


@pytest.mark.parametrize(
    ("under", "values", "sentences"),
    [
        (policy(classification='obsolete="true"'), {}, ["The classification HIGH is obsolete."]),
        (policy(attributes='obsolete="true"'), {"T": "V"}, ["The value V of T is obsolete."]),
        (policy(attributes='requiredClass="LOW"'), {"T": "V"}, ["T V may stand only with LOW."]),
        (policy("<s:excludedClass>HIGH</s:excludedClass>"), {"T": "V"}, ["T V may not stand with HIGH."]),
        (policy(tag='minSelection="1"'), {}, ["T needs at least 1 values."]),
        (policy(tag='maxSelection="1"'), {"T": "VW"}, ["T takes at most 1 values."]),
        (policy(requiring("all")), {"T": "V", "G": "A"}, ["T V requires G A, G B."]),
        (policy(requiring("oneOrMore")), {"T": "V"}, ["T V requires at least one of: G A, G B."]),
        (policy(requiring("onlyOne")), {"T": "V", "G": "AB"}, ["T V requires exactly one of: G A, G B."]),
        (policy(of_class=requiring("all")), {}, ["HIGH requires G A, G B."]),
        (policy(EXCLUDES), {"T": "V", "G": "A"}, ["T V may not stand together with G A."]),
    ],
)
def test_what_is_wrong_with_a_label_is_said_in_full(
    under: SecurityPolicy, values: dict[str, str], sentences: list[str]
) -> None:
    found = under.problems(under.label("HIGH", {name: list(held) for name, held in values.items()}))
    assert [reason.text for reason in found] == sentences


def test_what_is_out_of_time_is_said_with_the_moment() -> None:
    limited = policy(attributes=WINDOW)
    held = limited.label("HIGH", {"T": ["V"]})
    assert [reason.text for reason in limited.problems(held)] == [
        "T V is limited in time, and no time was given to judge it by."
    ]
    assert [reason.text for reason in limited.problems(held, EARLY)] == [
        "T V may be used from 2026-01-01T00:00:00+00:00."
    ]
    assert [reason.text for reason in limited.problems(held, LATE)] == [
        "T V could be used until 2026-12-31T00:00:00+00:00."
    ]


def test_a_decision_is_made_at_its_time() -> None:
    limited = policy(attributes=WINDOW)
    held, cleared = limited.label("HIGH", {"T": ["V"]}), limited.clearance(["HIGH"], {"T": ["V"]})
    assert limited.decide(held, cleared, datetime(2026, 6, 1, tzinfo=UTC)).permitted
    told = [limited.decide(held, cleared, at) for at in (EARLY, LATE, None)]
    assert [decision.permitted for decision in told] == [False] * 3
    codes = [[reason.code for reason in decision.reasons] for decision in told]
    assert codes == [["not-yet-valid"], ["no-longer-valid"], ["time-needed"]]


def test_names_that_the_policy_does_not_hold_are_said() -> None:
    strange = Label.of("2.25.7", "ULTRA", {"Nothing": ["X"], "Caveat": ["Z"]})
    assert [reason.text for reason in small().problems(strange)] == [
        "“ULTRA” is no classification of TEST.",
        "“Z” is no value of Caveat.",
        "“Nothing” is no tag set of TEST.",
    ]
    other = Label.of("2.25.8", "LOW")
    assert [reason.text for reason in small().problems(other)] == [
        "The label is of the policy “2.25.8”, not of TEST."
    ]


def test_labels_that_name_nothing_known_compile_to_what_nobody_holds() -> None:
    for strange in (
        Label.of("2.25.8", "LOW"),
        Label.of("2.25.7", "ULTRA"),
        Label.of("2.25.7", "LOW", {"T": ["X"]}),
    ):
        compiled = small().compiled(strange)
        assert (compiled.any_of, compiled.special, compiled.rank) == ((), 0, 0)
        assert (compiled.windows, compiled.classification) == ((), "")
        assert not compiled.held_by(2**200 - 1)


def test_a_label_compiles_to_its_own_bits() -> None:
    found = small().compiled(
        Label.of("2.25.7", "MID", {"Caveat": ["A", "B"], "Nation": ["X"], "Note": ["N"]})
    )
    bits = {
        name: next(c.bit for tag in small().tags for c in tag.categories if (c.tag_set, c.name) == name)
        for name in (("Caveat", "A"), ("Caveat", "B"), ("Nation", "X"))
    }
    special = bits["Caveat", "A"] | bits["Caveat", "B"]
    level = small().classification("MID")
    assert level is not None
    assert (found.special, found.any_of, found.required) == (
        special,
        (bits["Nation", "X"],),
        level.bit | special,
    )
    assert (found.rank, found.classification, found.windows) == (2, "MID", ())


@pytest.mark.parametrize(
    ("ask", "sentences"),
    [
        (lambda: small().clearance(["ULTRA"]), ["“ULTRA” is no classification of TEST."]),
        (lambda: small().clearance(["LOW"], {"Nothing": ["X"]}), ["“Nothing” is no tag set of TEST."]),
        (lambda: small().clearance(["LOW"], {"Caveat": ["Z", "A"]}), ["“Z” is no value of Caveat."]),
        (lambda: small().clearance_up_to("ULTRA"), ["“ULTRA” is no classification of TEST."]),
        (lambda: small().offer(clearance(), "ULTRA"), ["“ULTRA” is no classification of TEST."]),
    ],
)  # fmt: skip
def test_a_clearance_that_names_nothing_known_is_deniedwith_the_names(
    ask: object, sentences: list[str]
) -> None:
    with pytest.raises(InvalidClearance) as refused:
        ask()  # type: ignore[operator]
    assert [reason.text for reason in refused.value.reasons] == sentences


def test_a_denial_says_everything_that_is_lacking_in_order() -> None:
    asked = Label.of("2.25.7", "HIGH", {"Caveat": ["A", "B"], "Nation": ["X", "Y"], "Codeword": ["K"]})
    held = small().clearance(["LOW"], {"Caveat": ["A"]})
    assert [reason.text for reason in small().decide(asked, held).reasons] == [
        "The clearance does not list HIGH.",
        "The clearance lacks B of Caveat.",
        "The clearance holds none of X, Y of Nation.",
        "The clearance lacks K of Codeword.",
    ]
    foreign = Clearance("2.25.9", frozenset({"HIGH"}))
    denied = small().decide(Label.of("2.25.7", "HIGH"), foreign)
    assert denied.permitted is False
    [reason] = denied.reasons
    assert reason.text == "The clearance is of the policy 2.25.9, not of TEST."
    with pytest.raises(InvalidLabel) as refused:
        small().label("ULTRA")
    assert [reason.text for reason in refused.value.reasons] == ["“ULTRA” is no classification of TEST."]


def test_spelling_is_the_policys_own() -> None:
    assert small().clearance(["low"], {"caveat": ["a"]}) == Clearance(
        "2.25.7", frozenset({"LOW"}), {"Caveat": frozenset("A")}
    )
    assert small().clearance_up_to("mid", {"nation": ["x"]}) == Clearance(
        "2.25.7", frozenset({"LOW", "MID"}), {"Nation": frozenset("X")}
    )
    assert small().label("mid", {"nation": ["x"], "NATION": ["y"]}).values("Nation") == ("X", "Y")
    plain = label("NATO UNCLASSIFIED")
    assert shipped().marking(plain, "fr") == "NATO SANS CLASSIFICATION"
    assert shipped().parse_marking("nato sans classification", "fr") == plain


def test_places_that_are_none_are_deniedwith_the_reason() -> None:
    with pytest.raises(InvalidRequest, match=r"192\.0\.2\.1/24 is no network: .*host bits set"):
        network("192.0.2.1/24")
    with pytest.raises(InvalidRequest, match="hours are local times, without an offset of their own"):
        Hours(time(7, tzinfo=UTC), time(8), UTC)
    with pytest.raises(InvalidRequest, match=r"days are 0 \(Monday\) to 6, at least one"):
        Hours(time(7), time(8), UTC, frozenset())
