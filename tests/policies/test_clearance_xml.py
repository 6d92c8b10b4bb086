"""Confidentiality clearances as XML and as a claim: read, refused, written, and several to a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Clearance, InvalidClearance, SecurityPolicy, clearance_xml
from tests.policies.builders import published, shipped, small

SCLR = 'xmlns:sclr="urn:nato:stanag:4774:confidentialityclearance:1:0"'
SLAB = 'xmlns:slab="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"'
POLICY = '<slab:PolicyIdentifier URI="urn:oid:1.3.26.1.3.1">NATO</slab:PolicyIdentifier>'
LEVELS = (
    "<sclr:ClassificationList><slab:Classification>UNCLASSIFIED</slab:Classification>"
    "<slab:Classification>SECRET</slab:Classification></sclr:ClassificationList>"
)
CATEGORY = (
    '<slab:Category Type="PERMISSIVE" TagName="Context" URI="urn:oid:1.3.26.1.4.4">'
    "<slab:GenericValue>NATO</slab:GenericValue></slab:Category>"
)


def xml(*parts: str, root: str = "ConfidentialityClearance", attributes: str = "") -> bytes:
    return f"<sclr:{root} {SCLR} {SLAB} {attributes}>{''.join(parts)}</sclr:{root}>".encode()


WHOLE = xml(POLICY, LEVELS, CATEGORY)


def codes(data: bytes, *policies: SecurityPolicy) -> list[str]:
    with pytest.raises(InvalidClearance) as caught:
        clearance_xml.parse(data, policies or (shipped(),))
    assert all("{" not in reason.text for reason in caught.value.reasons)
    return [reason.code for reason in caught.value.reasons]


def test_every_listed_level_is_held_and_no_other() -> None:
    found = clearance_xml.parse(WHOLE, shipped())
    assert found == Clearance(
        "1.3.26.1.3.1", frozenset({"UNCLASSIFIED", "SECRET"}), {"Context": frozenset({"NATO"})}
    )
    assert not shipped().permits(shipped().parse_marking("NATO CONFIDENTIAL"), found)
    assert shipped().permits(shipped().parse_marking("NATO SECRET"), found)


def test_names_are_read_whatever_their_case() -> None:
    assert clearance_xml.parse(WHOLE.replace(b">NATO<", b">nato<"), shipped()) == clearance_xml.parse(
        WHOLE, shipped()
    )
    lower = WHOLE.replace(b">SECRET<", b">Secret<").replace(b'"Context"', b'"context"')
    assert clearance_xml.parse(lower, shipped()) == clearance_xml.parse(WHOLE, shipped())


def test_policy_is_found_among_several_by_name_and_identifier() -> None:
    assert clearance_xml.parse(WHOLE, [small(), shipped()]).policy_id == shipped().id
    without = WHOLE.replace(b' URI="urn:oid:1.3.26.1.3.1"', b"")
    assert clearance_xml.parse(without, [small(), published()]).policy_id == published().id


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml-malformed"),
        (b" " * 300_000, "xml-too-large"),
        (b"<!DOCTYPE a []>" + WHOLE, "xml-declares-types"),
        (b"<x/>", "wrong-namespace"),
        (xml(POLICY, LEVELS, root="Clearance"), "wrong-root"),
        (xml(POLICY, LEVELS, attributes='Id="x"'), "unexpected-attribute"),
        (xml(LEVELS), "wrong-namespace"),
        (xml(), "missing-element"),
        (xml(POLICY), "missing-element"),
        (xml(POLICY, "<sclr:ClassificationList/>"), "missing-element"),
        (xml(POLICY, LEVELS.replace("sclr:", "slab:")), "wrong-namespace"),
        (xml(POLICY, LEVELS.replace("slab:", "sclr:")), "wrong-namespace"),
        (xml(POLICY, LEVELS.replace("List>", 'List a="b">', 1)), "unexpected-attribute"),
        (xml(POLICY, LEVELS.replace("UNCLASSIFIED", "secret")), "duplicate-name"),
        (xml(POLICY, LEVELS.replace("UNCLASSIFIED", "ULTRA")), "unknown-classification"),
        (xml(POLICY, LEVELS.replace("</sclr:Cl", "x</sclr:Cl")), "unexpected-text"),
        (xml(POLICY, LEVELS, LEVELS), "wrong-namespace"),
        (xml(POLICY, LEVELS, POLICY), "unexpected-element"),
        (xml(POLICY, LEVELS, CATEGORY, CATEGORY), "duplicate-name"),
        (xml(POLICY, LEVELS, CATEGORY.replace("PERM", "perm")), "wrong-value"),
        (xml(POLICY, LEVELS, CATEGORY.replace("PERMISSIVE", "RESTRICTIVE")), "wrong-tag-type"),
        (xml(POLICY, LEVELS, CATEGORY.replace(">NATO<", ">NATOO<")), "unknown-value"),
        (xml(POLICY, LEVELS, CATEGORY.replace("Context", "Kontext")), "unknown-tag-set"),
        (xml(POLICY.replace("3.1", "3.2"), LEVELS), "clearance-of-other-policy"),
        (xml(POLICY.replace("NATO", "ACME"), LEVELS), "clearance-of-other-policy"),
        (xml(POLICY.replace("URI", "URL"), LEVELS), "unexpected-attribute"),
    ],
)
def test_broken_clearance_is_refused_with_its_reason(data: bytes, code: str) -> None:
    assert codes(data) == [code]


def test_more_values_than_anybody_means_are_refused() -> None:
    many = CATEGORY.replace(
        "</slab:Category>", "<slab:GenericValue>NATO</slab:GenericValue>" * 1_000 + "</slab:Category>"
    )
    assert codes(xml(POLICY, LEVELS, many)) == ["too-many-values"]


def test_clearance_of_no_policy_known_here_is_refused() -> None:
    with pytest.raises(InvalidClearance) as caught:
        clearance_xml.parse(WHOLE, [])
    assert str(caught.value) == (
        "The clearance is of the policy NATO urn:oid:1.3.26.1.3.1, not of any policy known here."
    )


LOW = (
    f"<sclr:ConfidentialityClearance {SCLR} {SLAB}>"
    "<slab:PolicyIdentifier>TEST</slab:PolicyIdentifier><sclr:ClassificationList>"
    "<slab:Classification>LOW</slab:Classification></sclr:ClassificationList></sclr:ConfidentialityClearance>"
).encode()


def test_person_has_a_clearance_under_each_policy() -> None:
    found = clearance_xml.parse_all([WHOLE, LOW], [small(), shipped()])
    assert set(found) == {small().id, shipped().id}
    assert found[small().id] == Clearance(small().id, frozenset({"LOW"}), {})


def test_two_clearances_of_one_policy_are_never_joined() -> None:
    with pytest.raises(InvalidClearance) as caught:
        clearance_xml.parse_all([WHOLE, LOW, WHOLE], [small(), shipped()])
    assert [reason.code for reason in caught.value.reasons] == ["duplicate-name"]


LEVEL_NAMES = ["LOW", "MID", "HIGH"]
VALUES = {"Caveat": ["A", "B"], "Nation": ["X", "Y"], "Note": ["N"], "Codeword": ["K"], "Group": ["G", "H"]}
clearances = st.builds(
    Clearance,
    st.just("2.25.7"),
    st.frozensets(st.sampled_from(LEVEL_NAMES), min_size=1),
    st.fixed_dictionaries(
        {}, optional={name: st.frozensets(st.sampled_from(held)) for name, held in VALUES.items()}
    ),
)


@given(clearances)
def test_clearance_written_reads_back(clearance: Clearance) -> None:
    data = clearance_xml.serialise(clearance, small())
    assert clearance_xml.parse(data, small()) == clearance
    assert clearance_xml.from_claim(clearance_xml.to_claim(data)) == data


def test_levels_and_values_are_written_in_the_order_of_the_policy() -> None:
    clearance = small().clearance(["HIGH", "LOW"], {"Group": ["H", "G"], "Caveat": ["B"]})
    text = clearance_xml.serialise(clearance, small()).decode()
    places = [text.index(f">{name}<") for name in ("LOW", "HIGH", "B", "G", "H")]
    assert places == sorted(places)
    assert '<slab:Category Type="PERMISSIVE" TagName="Group" URI="urn:oid:2.25.7.5">' in text
    assert '<slab:PolicyIdentifier URI="urn:oid:2.25.7">TEST</slab:PolicyIdentifier>' in text


@pytest.mark.parametrize(
    ("clearance", "code"),
    [
        (Clearance("2.25.8", frozenset({"LOW"})), "clearance-of-other-policy"),
        (Clearance("2.25.7", frozenset()), "missing-element"),
        (Clearance("2.25.7", frozenset({"ULTRA"})), "unknown-classification"),
        (Clearance("2.25.7", frozenset({"LOW"}), {"Caveat": frozenset({"?"})}), "unknown-value"),
    ],
)
def test_clearance_that_cannot_be_said_is_not_written(clearance: Clearance, code: str) -> None:
    with pytest.raises(InvalidClearance) as caught:
        clearance_xml.serialise(clearance, small())
    assert [reason.code for reason in caught.value.reasons] == [code]


def test_claim_is_base64url_of_the_xml_with_or_without_padding() -> None:
    assert clearance_xml.to_claim(b"\xfb\xff") == "-_8"
    assert clearance_xml.from_claim("-_8") == clearance_xml.from_claim("-_8=") == b"\xfb\xff"


@pytest.mark.parametrize("claim", ["+/8=", "a", "é", "-_8 ", "<xml/>"])
def test_claim_that_is_no_base64url_is_refused(claim: str) -> None:
    with pytest.raises(InvalidClearance):
        clearance_xml.from_claim(claim)


def test_claim_of_megabytes_is_refused_unread() -> None:
    with pytest.raises(InvalidClearance) as caught:
        clearance_xml.from_claim("A" * 600_000)
    assert caught.value.reasons[0].code == "xml-too-large"


@given(st.data())
def test_mangled_clearance_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    start, length = data.draw(st.integers(0, len(WHOLE))), data.draw(st.integers(0, 40))
    mangled = WHOLE[:start] + data.draw(st.binary(max_size=8)) + WHOLE[start + length :]
    try:
        found = clearance_xml.parse(mangled, shipped())
    except InvalidClearance:
        return
    assert shipped().mask(found)
