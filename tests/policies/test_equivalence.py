"""Mapping a label to another policy: what the file says, and a refusal where it would guess or round down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Clearance, InvalidLabel, Label, SecurityPolicy, parse_policy
from policies.model import Applied
from tests.policies.builders import (
    ENUMERATED_PERMISSIVE,
    ENUMERATED_RESTRICTIVE,
    INFORMATIVE,
    NOW,
    PERMISSIVE,
    RESTRICTIVE,
    SMALL,
    small,
    spif,
    tag_set,
    value,
)

OTHER = parse_policy(
    spif(
        "".join(
            f'<s:securityClassification name="{name}" lacv="{lacv}" hierarchy="{lacv}"/>'
            for lacv, name in enumerate(("GREY", "BLUE", "RED", "BLACK"), 11)
        ),
        tag_set("Secrets", RESTRICTIVE, value("S", 1) + value("T", 2))
        + tag_set("Open To", ENUMERATED_PERMISSIVE, value("P", 1) + value("Q", 2) + value("R", 3), 2)
        + tag_set("Remark", INFORMATIVE, value("M", 1), 3)
        + tag_set("Circle", PERMISSIVE, value("C", 1) + value("D", 2), 4),
    )
    .replace(b'name="TEST" id="2.25.7"', b'name="OTHER" id="2.25.70"')
    .replace(b"2.25.7.", b"2.25.70.")
)
KNOWN = (
    '<s:equivalentPolicies><s:equivalentPolicy name="OTHER" id="2.25.70">{}</s:equivalentPolicy>'
    "</s:equivalentPolicies>"
)
NOTE = 'tagType="tagType7"'


def same_class(lacv: int, applied: str = "both", more: str = "") -> str:
    return (
        f'<s:equivalentClassification policyRef="OTHER" lacv="{lacv}" applied="{applied}">{more}'
        "</s:equivalentClassification>"
    )


def same_value(tag: int, kind: str, lacv: int, applied: str = "both", more: str = "") -> str:
    return (
        f'<s:equivalentSecCategoryTag policyRef="OTHER" tagSetId="2.25.70.{tag}" {kind} lacv="{lacv}" '
        f'applied="{applied}" {more}/>'
    )


def demand(*groups: str, operation: str = 'operation="all"') -> str:
    inner = "".join(f"<s:categoryGroup {group}/>" for group in groups)
    return f"<s:requiredCategory {operation}>{inner}</s:requiredCategory>"


def level(name: str, rank: int, content: str = "") -> str:
    return (
        f'<s:securityClassification name="{name}" lacv="{rank}" hierarchy="{rank}">{content}'
        "</s:securityClassification>"
    )


LEVELS = level("LOW", 1, same_class(11)) + level("MID", 2, same_class(12)) + level("HIGH", 3, same_class(14))
SECRET = same_value(1, RESTRICTIVE, 1)
OPEN = same_value(2, ENUMERATED_PERMISSIVE, 1)
DISCARD = 'action="discard"'


def source(levels: str = LEVELS, sets: str = "", demands: str = "") -> SecurityPolicy:
    return parse_policy(spif(levels, sets, KNOWN.format(demands)))


def mapped(
    policy: SecurityPolicy, level_: str = "MID", side: Applied = Applied.DECRYPT, **values: set[str]
) -> Label:
    return policy.translate(policy.label(level_, values), OTHER, side=side)


def refusal(
    policy: SecurityPolicy, level_: str = "MID", side: Applied = Applied.DECRYPT, **values: set[str]
) -> str:
    with pytest.raises(InvalidLabel) as caught:
        mapped(policy, level_, side, **values)
    (reason,) = caught.value.reasons
    assert "{" not in reason.text
    return reason.code


def test_classification_is_mapped_by_its_value() -> None:
    found = [mapped(source(), name).classification for name in ("LOW", "MID", "HIGH")]
    assert found == ["GREY", "BLUE", "BLACK"]
    assert mapped(source()) == Label.of("2.25.70", "BLUE")


def test_policy_that_the_file_does_not_know_is_refused() -> None:
    assert refusal(small()) == "no-equivalent-policy"
    stranger = parse_policy(spif(LEVELS, "", KNOWN.format("").replace("2.25.70", "2.25.71")))
    assert refusal(stranger) == "no-equivalent-policy"


def test_policy_is_no_equivalent_of_itself() -> None:
    with pytest.raises(InvalidLabel):
        small().translate(small().label("MID"), small())


def test_classification_without_an_equivalent_is_refused_never_rounded_down() -> None:
    policy = source(level("LOW", 1, same_class(11)) + level("MID", 2) + level("HIGH", 3, same_class(14)))
    assert refusal(policy) == "no-equivalent-classification"
    assert mapped(policy, "LOW").classification == "GREY"


def test_equivalent_that_the_other_policy_does_not_hold_is_refused() -> None:
    assert refusal(source(level("MID", 1, same_class(99)))) == "unknown-equivalent"


def test_of_several_equivalents_the_highest_is_taken() -> None:
    policy = source(level("MID", 1, same_class(12) + same_class(13) + same_class(11)))
    assert mapped(policy).classification == "RED"


def test_order_that_turns_round_is_refused() -> None:
    policy = source(level("LOW", 1, same_class(13)) + level("MID", 2, same_class(12)))
    assert refusal(policy) == "equivalence-turns-round"
    assert mapped(policy, "LOW").classification == "RED"
    level_headed = source(level("LOW", 1, same_class(12)) + level("MID", 2, same_class(12)))
    assert mapped(level_headed).classification == "BLUE"


@pytest.mark.parametrize(
    ("applied", "side", "permitted"),
    [
        ("encrypt", Applied.ENCRYPT, True),
        ("encrypt", Applied.DECRYPT, False),
        ("decrypt", Applied.ENCRYPT, False),
        ("decrypt", Applied.DECRYPT, True),
        ("both", Applied.ENCRYPT, True),
        ("both", Applied.DECRYPT, True),
    ],
)
def test_equivalence_serves_the_side_that_it_is_for(applied: str, side: Applied, permitted: bool) -> None:
    by_class = source(level("MID", 1, same_class(12, applied)))
    by_value = source(
        sets=tag_set("Caveat", RESTRICTIVE, value("A", 1, same_value(1, RESTRICTIVE, 1, applied)))
    )
    if permitted:
        assert mapped(by_class, side=side).classification == "BLUE"
        assert mapped(by_value, side=side, Caveat={"A"}).categories == (("Secrets", ("S",)),)
    else:
        assert refusal(by_class, side=side) == "no-equivalent-classification"
        assert refusal(by_value, side=side, Caveat={"A"}) == "no-equivalent-value"


def test_other_policies_equivalences_are_not_looked_at() -> None:
    content = same_class(12).replace("OTHER", "THIRD")
    after = KNOWN.format("").replace(
        "</s:equivalentPolicies>", '<s:equivalentPolicy name="THIRD" id="1.2"/></s:equivalentPolicies>'
    )
    assert refusal(parse_policy(spif(level("MID", 1, content), "", after))) == "no-equivalent-classification"
    sets = tag_set("Caveat", RESTRICTIVE, value("A", 1, SECRET.replace("OTHER", "THIRD")))
    assert refusal(parse_policy(spif(LEVELS, sets, after)), Caveat={"A"}) == "no-equivalent-value"


CAVEATS = tag_set(
    "Caveat",
    RESTRICTIVE,
    value("A", 1, SECRET) + value("B", 2) + value("D", 3, same_value(1, RESTRICTIVE, 1, more=DISCARD)),
)


def test_every_restriction_must_have_an_equivalent() -> None:
    policy = source(sets=CAVEATS)
    assert mapped(policy, Caveat={"A"}).categories == (("Secrets", ("S",)),)
    assert refusal(policy, Caveat={"A", "B"}) == "no-equivalent-value"
    assert refusal(policy, Caveat={"A", "D"}) == "equivalence-widens"


def test_condition_may_lose_a_choice_and_never_all() -> None:
    sets = tag_set(
        "Nation",
        ENUMERATED_PERMISSIVE,
        value("X", 1, OPEN) + value("Y", 2, same_value(2, ENUMERATED_PERMISSIVE, 2, more=DISCARD)),
    )
    policy = source(sets=sets)
    assert mapped(policy, Nation={"X", "Y"}).categories == (("Open To", ("P",)),)
    assert refusal(policy, Nation={"Y"}) == "equivalence-widens"


def test_note_may_go() -> None:
    policy = source(sets=tag_set("Note", INFORMATIVE, value("N", 1, same_value(3, NOTE, 1, more=DISCARD))))
    assert mapped(policy, Note={"N"}).categories == ()


@pytest.mark.parametrize(
    ("kind", "place", "becomes", "permitted"),
    [
        (RESTRICTIVE, 1, RESTRICTIVE, True),
        (ENUMERATED_RESTRICTIVE, 1, RESTRICTIVE, True),
        (RESTRICTIVE, 2, ENUMERATED_PERMISSIVE, False),
        (RESTRICTIVE, 3, INFORMATIVE, False),
        (PERMISSIVE, 2, ENUMERATED_PERMISSIVE, True),
        (PERMISSIVE, 1, RESTRICTIVE, True),
        (PERMISSIVE, 3, INFORMATIVE, False),
        (INFORMATIVE, 3, INFORMATIVE, True),
        (INFORMATIVE, 1, RESTRICTIVE, True),
        (INFORMATIVE, 2, ENUMERATED_PERMISSIVE, True),
    ],
)
def test_value_never_becomes_one_that_asks_for_less(
    kind: str, place: int, becomes: str, permitted: bool
) -> None:
    becomes = becomes.replace(' tag7Encoding="bitSetAttributes"', "")
    policy = source(sets=tag_set("From", kind, value("F", 1, same_value(place, becomes, 1))))
    if permitted:
        assert len(mapped(policy, From={"F"}).categories) == 1
    else:
        assert refusal(policy, From={"F"}) == "equivalence-widens"


def test_two_conditions_never_become_one() -> None:
    sets = tag_set("Nation", PERMISSIVE, value("X", 1, OPEN)) + tag_set(
        "Group", PERMISSIVE, value("G", 1, same_value(2, ENUMERATED_PERMISSIVE, 2)), 2
    )
    policy = source(sets=sets)
    assert mapped(policy, Nation={"X"}).categories == (("Open To", ("P",)),)
    assert refusal(policy, Nation={"X"}, Group={"G"}) == "equivalence-widens"


@pytest.mark.parametrize(
    ("place", "kind", "lacv"), [(9, RESTRICTIVE, 1), (1, PERMISSIVE, 1), (1, RESTRICTIVE, 9)]
)
def test_value_that_the_other_policy_does_not_hold_is_refused(place: int, kind: str, lacv: int) -> None:
    policy = source(sets=tag_set("From", RESTRICTIVE, value("F", 1, same_value(place, kind, lacv))))
    assert refusal(policy, From={"F"}) == "unknown-equivalent"


CIRCLE = f'tagSetRef="Circle" {PERMISSIVE} lacv="1"'
CIRCLE_2 = f'tagSetRef="Circle" {PERMISSIVE} lacv="2"'
ANY_CIRCLE = f'tagSetRef="Circle" {PERMISSIVE}'
ALL_CIRCLE = f'tagSetRef="Circle" {PERMISSIVE} lacv="1" all="true"'
SECRET_S = f'tagSetRef="Secrets" {RESTRICTIVE} lacv="1"'


@pytest.mark.parametrize(
    ("demands", "expected"),
    [
        (demand(CIRCLE), (("Circle", ("C",)),)),
        (demand(CIRCLE, operation=""), (("Circle", ("C",)),)),
        (demand(CIRCLE, operation='operation="onlyOne"'), (("Circle", ("C",)),)),
        (demand(CIRCLE, SECRET_S), (("Circle", ("C",)), ("Secrets", ("S",)))),
        (demand(CIRCLE) + demand(CIRCLE_2), (("Circle", ("C", "D")),)),
        (demand(CIRCLE) + demand(ANY_CIRCLE), (("Circle", ("C",)),)),
        (demand(CIRCLE) + demand(CIRCLE, CIRCLE_2, operation='operation="oneOrMore"'), (("Circle", ("C",)),)),
        (demand(CIRCLE) + demand(CIRCLE, CIRCLE_2, operation='operation="onlyOne"'), (("Circle", ("C",)),)),
        (
            demand(CIRCLE, CIRCLE_2) + demand(CIRCLE, CIRCLE_2, operation='operation="oneOrMore"'),
            (("Circle", ("C", "D")),),
        ),
    ],
)
def test_what_the_file_demands_is_added(demands: str, expected: object) -> None:
    assert mapped(source(demands=demands)).categories == expected
    assert mapped(source(level("MID", 1, same_class(12, more=demands)))).categories == expected


@pytest.mark.parametrize(
    "demands",
    [
        demand(ANY_CIRCLE),
        demand(ALL_CIRCLE),
        demand(CIRCLE, CIRCLE_2, operation='operation="oneOrMore"'),
        demand(CIRCLE, CIRCLE_2, operation='operation="onlyOne"'),
        demand(CIRCLE, CIRCLE_2) + demand(CIRCLE, CIRCLE_2, operation='operation="onlyOne"'),
    ],
)
def test_choice_that_the_file_leaves_open_is_refused(demands: str) -> None:
    assert refusal(source(demands=demands)) == "equivalence-leaves-a-choice"


def test_demand_that_the_other_policy_cannot_meet_is_refused() -> None:
    assert refusal(source(demands=demand(CIRCLE.replace("Circle", "Ring")))) == "unknown-equivalent"
    assert refusal(source(demands=demand(CIRCLE.replace('lacv="1"', 'lacv="7"')))) == "unknown-equivalent"


def test_tag_set_brings_its_own_demands_where_it_is_present() -> None:
    sets = tag_set("Note", INFORMATIVE, value("N", 1, same_value(3, 'tagType="tagType7"', 1))).replace(
        "</s:securityCategoryTagSet>",
        f'<s:equivalentSecurityCategoryTagSet policyRef="OTHER">{demand(CIRCLE)}'
        "</s:equivalentSecurityCategoryTagSet></s:securityCategoryTagSet>",
    )
    policy = source(sets=sets)
    assert mapped(policy).categories == ()
    assert mapped(policy, Note={"N"}).categories == (("Circle", ("C",)), ("Remark", ("M",)))
    stranger = parse_policy(
        spif(
            LEVELS,
            sets.replace('TagSet policyRef="OTHER"', 'TagSet policyRef="THIRD"'),
            KNOWN.format("").replace(
                "<s:equivalentPolicy ", '<s:equivalentPolicy name="THIRD" id="1.2"/><s:equivalentPolicy '
            ),
        )
    )
    assert mapped(stranger, Note={"N"}).categories == (("Remark", ("M",)),)


def test_invalid_label_is_not_mapped() -> None:
    policy = source(
        sets=tag_set("Caveat", RESTRICTIVE, value("A", 1, SECRET + "<s:excludedClass>MID</s:excludedClass>"))
    )
    assert refusal(policy, Caveat={"A"}) == "excluded-class"
    with pytest.raises(InvalidLabel):
        policy.translate(Label.of("2.25.8", "MID"), OTHER)


def test_result_must_be_valid_in_the_other_policy() -> None:
    strict = parse_policy(
        spif(
            '<s:securityClassification name="BLUE" lacv="12" hierarchy="1" obsolete="true"/>',
        ).replace(b'name="TEST" id="2.25.7"', b'name="OTHER" id="2.25.70"')
    )
    with pytest.raises(InvalidLabel) as caught:
        source(level("MID", 1, same_class(12))).translate(Label.of("2.25.7", "MID"), strict)
    assert [reason.code for reason in caught.value.reasons] == ["obsolete-classification"]


def test_time_judges_what_is_limited_in_time() -> None:
    policy = source(
        sets=tag_set("Caveat", RESTRICTIVE, value("A", 1, SECRET, 'notAfter="2026-12-31T00:00:00Z"'))
    )
    label = policy.label("MID", {"Caveat": ["A"]})
    assert policy.translate(label, OTHER, at=NOW).classification == "BLUE"
    with pytest.raises(InvalidLabel):
        policy.translate(label, OTHER)


def test_alternative_of_a_label_is_mapped_when_that_is_the_policy() -> None:
    foreign = Label.of("1.2.3", "ULTRA").beside(source().label("MID"))
    assert source().translate(foreign, OTHER).classification == "BLUE"


# The small policy of every tag type, with an equivalent for each value, against the clearances of both.
EVERY = parse_policy(
    SMALL.replace(
        b'"LOW" lacv="1" hierarchy="1"/>',
        b'"LOW" lacv="1" hierarchy="1">' + same_class(11).encode() + b"</s:securityClassification>",
    )
    .replace(
        b'"MID" lacv="2" hierarchy="2"/>',
        b'"MID" lacv="2" hierarchy="2">' + same_class(12).encode() + b"</s:securityClassification>",
    )
    .replace(
        b'"HIGH" lacv="3" hierarchy="3"/>',
        b'"HIGH" lacv="3" hierarchy="3">' + same_class(14).encode() + b"</s:securityClassification>",
    )
    .replace(b'<s:tagCategory name="A" lacv="1" >', b'<s:tagCategory name="A" lacv="1" >' + SECRET.encode())
    .replace(b'<s:tagCategory name="X" lacv="1" >', b'<s:tagCategory name="X" lacv="1" >' + OPEN.encode())
    .replace(
        b'<s:tagCategory name="Y" lacv="2" >',
        b'<s:tagCategory name="Y" lacv="2" >' + same_value(2, ENUMERATED_PERMISSIVE, 2).encode(),
    )
    .replace(
        b'<s:tagCategory name="K" lacv="1" >',
        b'<s:tagCategory name="K" lacv="1" >' + same_value(1, RESTRICTIVE, 2).encode(),
    )
    .replace(
        b'<s:tagCategory name="G" lacv="1" >',
        b'<s:tagCategory name="G" lacv="1" >' + same_value(4, PERMISSIVE, 1).encode(),
    )
    .replace(b"</s:SPIF>", KNOWN.format("").encode() + b"</s:SPIF>")
)
TWINS = {"LOW": "GREY", "MID": "BLUE", "HIGH": "BLACK"}
VALUE_TWINS = {
    ("Caveat", "A"): ("Secrets", "S"), ("Codeword", "K"): ("Secrets", "T"), ("Nation", "X"): ("Open To", "P"),
    ("Nation", "Y"): ("Open To", "Q"), ("Group", "G"): ("Circle", "C"),
}  # fmt: skip
held = st.sets(st.sampled_from(sorted(VALUE_TWINS)))


@given(st.sampled_from(sorted(TWINS)), held, st.sets(st.sampled_from(sorted(TWINS))), held)
def test_mapped_label_opens_for_nobody_for_whom_the_original_does_not(
    name: str, chosen: set[tuple[str, str]], levels: set[str], cleared: set[tuple[str, str]]
) -> None:
    """A clearance and its twin in the other policy decide the label and its twin alike."""
    own: dict[str, set[str]] = {}
    for tag, item in chosen:
        own.setdefault(tag, set()).add(item)
    label = EVERY.label(name, own)
    if EVERY.problems(label):
        return
    clearance = Clearance(EVERY.id, frozenset(levels), grouped(cleared))
    twin = Clearance(
        OTHER.id, frozenset(TWINS[item] for item in levels), grouped({VALUE_TWINS[pair] for pair in cleared})
    )
    assert OTHER.permits(EVERY.translate(label, OTHER), twin) is EVERY.permits(label, clearance)


def grouped(pairs: set[tuple[str, str]]) -> dict[str, frozenset[str]]:
    return {tag: frozenset(item for other, item in pairs if other == tag) for tag, _ in pairs}


def test_file_that_calls_itself_an_equivalent_is_refused() -> None:
    from policies import InvalidPolicy

    for name, oid in (("TEST", "1.2"), ("OTHER", "2.25.7")):
        after = f'<s:equivalentPolicies><s:equivalentPolicy name="{name}" id="{oid}"/></s:equivalentPolicies>'
        with pytest.raises(InvalidPolicy) as caught:
            parse_policy(spif(level("A", 1), "", after))
        assert caught.value.reason.code == "contradiction"
