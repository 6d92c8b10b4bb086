"""Input that is wrong on purpose: a clear error each, never a guess and never a permit."""

from __future__ import annotations

import pytest

from policies import Clearance, InvalidClearance, InvalidLabel, InvalidPolicy, Label, parse_policy, stanag4774
from policies.dialect import MAX_VALUES
from policies.errors import PolicyError
from tests.policies.builders import (
    NOW,
    PERMISSIVE,
    RESTRICTIVE,
    classes,
    clearance,
    label,
    shipped,
    spif,
    tag_set,
    value,
)

XML = stanag4774.serialise(label(), created=NOW, policy=shipped()).decode()
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
)


def level(name: str, number: int, rank: int) -> str:
    return f'<s:securityClassification name="{name}" lacv="{number}" hierarchy="{rank}"/>'


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS + "]><a>&j;</a>",
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "http://127.0.0.1:1/">]><a>&b;</a>',
        "<a", "<a></b>", "<a>&nothing;</a>", "", "\x00", "no xml at all", "<a>" * 40 + "</a>" * 40,
    ],
)  # fmt: skip
def test_xml_that_is_none_or_does_more_than_hold_text_is_refused_by_every_reader(text: str) -> None:
    data = text.encode()
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(data)
    assert refused.value.line is not None
    with pytest.raises(InvalidLabel):
        stanag4774.parse(data, shipped())


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        (level("A", 1, 1) + level("B", 2, 3), "contradiction"),
        (level("A", 1, 1) + level("B", 2, 1), "duplicate-value"),
        (level("A", 1, 1) + level("B", 1, 2), "duplicate-value"),
        (level("A", 1, 1) + level("a", 2, 2), "duplicate-name"),
    ],
)
def test_order_of_classifications_that_leaves_something_to_guess_is_refused(levels: str, code: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(spif(levels))
    assert refused.value.reason.code == code


def test_values_that_demand_one_another_are_no_endless_way() -> None:
    def needs(lacv: int) -> str:
        group = f'<s:categoryGroup tagSetRef="T" tagType="restrictive" lacv="{lacv}"/>'
        return f'<s:requiredCategory operation="all">{group}</s:requiredCategory>'

    policy = parse_policy(
        spif(classes("LOW"), tag_set("T", RESTRICTIVE, value("A", 1, needs(2)) + value("B", 2, needs(1))))
    )
    assert [reason.code for reason in policy.problems(Label.of("2.25.7", "LOW", {"T": ["A"]}))] == [
        "required-category-all"
    ]
    assert policy.compose("LOW", {"T": ["A"]}).values("T") == ("A", "B")


def test_value_that_demands_and_excludes_the_same_can_never_stand() -> None:
    group = 'tagSetRef="T" tagType="restrictive" lacv="2"/>'
    both = (
        f'<s:requiredCategory operation="all"><s:categoryGroup {group}</s:requiredCategory>'
        f"<s:excludedCategory {group}"
    )
    policy = parse_policy(
        spif(classes("LOW"), tag_set("T", RESTRICTIVE, value("A", 1, both) + value("B", 2)))
    )
    for values in (["A"], ["A", "B"]):
        assert policy.problems(Label.of("2.25.7", "LOW", {"T": values}))
    with pytest.raises(InvalidLabel):
        policy.compose("LOW", {"T": ["A"]})


def test_two_values_where_one_may_be_chosen_are_refused() -> None:
    content = value("A", 1) + value("B", 2)
    policy = parse_policy(
        spif(classes("LOW"), tag_set("T", PERMISSIVE, content, attributes='singleSelection="true"'))
    )
    both = policy.label("LOW", {"T": ["A", "B"]})
    assert [reason.code for reason in policy.problems(both)] == ["too-many-values"]
    assert not policy.permits(both, policy.clearance(["LOW"], {"T": ["A", "B"]}))


def test_value_of_another_tag_set_is_unknown() -> None:
    with pytest.raises(InvalidLabel) as refused:
        shipped().label("SECRET", {"Context": ["ATOMAL"]})
    assert [reason.code for reason in refused.value.reasons] == ["unknown-value"]
    with pytest.raises(InvalidClearance):
        shipped().clearance(["SECRET"], {"Context": ["ATOMAL"]})
    swapped = XML.replace("urn:oid:1.3.26.1.4.4", "urn:oid:1.3.26.1.4.1")
    with pytest.raises(InvalidLabel) as refused:
        stanag4774.parse(swapped.encode(), shipped())
    assert [reason.code for reason in refused.value.reasons] == ["wrong-value"]


LOOK_ALIKES = {
    "Cyrillic A": "N\u0410TO",
    "fullwidth": "\uff2e\uff21\uff34\uff2f",
    "zero-width": "NA\u200bTO",
    "right-to-left": "\u202eOTAN",
    "soft hyphen": "NA\u00adTO",
    "trailing space": "NATO ",
    "Greek": "\u039dATO",
    "combining": "NATO\u0301",
}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_name_that_only_looks_like_one_of_the_policy_is_another(name: str) -> None:
    text = LOOK_ALIKES[name]
    with pytest.raises(PolicyError):
        shipped().label("SECRET", {"Context": [text]})
    held = Clearance(shipped().id, frozenset({"SECRET"}), {"Context": frozenset({text})})
    assert not shipped().permits(label(), held)
    if name != "trailing space":  # white space at the end is none of a name in XML
        with pytest.raises(InvalidLabel):
            stanag4774.parse(
                XML.replace(">NATO</slab:GenericValue>", f">{text}</slab:GenericValue>").encode(), shipped()
            )
    with pytest.raises(InvalidLabel):
        shipped().parse_marking(f"{text} SECRET" if name != "trailing space" else "NAT O SECRET")


def test_upper_and_lower_case_are_the_same_and_accents_in_either_form_too() -> None:
    policy = parse_policy(spif(classes("LOW"), tag_set("T", RESTRICTIVE, value("CAFÉ", 1))))
    assert policy.label("low", {"t": ["café"]}).values("T") == ("CAFÉ",)
    decomposed = parse_policy(spif(classes("LOW"), tag_set("T", RESTRICTIVE, value("CAFE\u0301", 1))))
    assert decomposed.category("T", "CAFÉ") is not None


def test_ten_thousand_categories_load_and_more_values_than_anybody_means_are_refused() -> None:
    many = "".join(value(f"V{number}", number) for number in range(10_000))
    policy = parse_policy(spif(classes("LOW"), tag_set("T", RESTRICTIVE, many)))
    wanted = [f"V{number}" for number in range(10_000)]
    everything = policy.label("LOW", {"T": wanted})
    assert policy.permits(everything, policy.clearance(["LOW"], {"T": wanted}))
    assert not policy.permits(everything, policy.clearance(["LOW"], {"T": wanted[1:]}))
    values = "".join(f"<slab:GenericValue>V{number}</slab:GenericValue>" for number in range(MAX_VALUES + 1))
    told = XML.replace("<slab:GenericValue>NATO</slab:GenericValue>", values)
    with pytest.raises(InvalidLabel) as refused:
        stanag4774.parse(told.encode(), shipped())
    assert [reason.code for reason in refused.value.reasons] == ["too-many-values"]


def test_label_of_a_megabyte_is_refused_unread() -> None:
    padded = XML.replace("<slab:Classification>", "<slab:Classification>" + " " * 1_000_000)
    with pytest.raises(InvalidLabel) as refused:
        stanag4774.parse(padded.encode(), shipped())
    assert [reason.code for reason in refused.value.reasons] == ["xml-too-large"]
    with pytest.raises(InvalidLabel):
        shipped().parse_marking("NATO SECRET " * 100_000)


def test_what_a_clearance_claims_beyond_the_policy_grants_nothing() -> None:
    claimed = clearance()
    more = Clearance(
        claimed.policy_id,
        claimed.classifications | {"ULTRA"},
        {**claimed.categories, "Nothing": frozenset({"X"})},
    )
    assert shipped().mask(more) == shipped().mask(claimed)
