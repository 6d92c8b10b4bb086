"""Loading a security policy: what loads, what is refused, with line and reason."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from policies import SHIPPED, InvalidPolicy, load_policy, parse_policy
from policies.model import Operation, TagKind
from tests.policies.builders import (
    INFORMATIVE,
    PERMISSIVE,
    RESTRICTIVE,
    SMALL,
    classes,
    published,
    shipped,
    small,
    spif,
    tag_set,
    value,
)
from tests.services import require_program
from tests.shared import POLICIES

XML_ATTRIBUTES = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    'targetNamespace="http://www.w3.org/XML/1998/namespace">'
    '<xs:attribute name="lang" type="xs:language"/></xs:schema>'
)


def refusal(data: bytes) -> InvalidPolicy:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(data)
    return caught.value


@pytest.mark.parametrize(
    ("file", "levels", "values"),
    [
        ("nato-spif-v79.xml", 5, 200),
        ("NATO-SPIF-example.xml", 4, 40),
        ("example-spif.xml", 2, 4),
    ],
)
def test_published_policies_load(file: str, levels: int, values: int) -> None:
    policy = load_policy(POLICIES / file)
    assert len(policy.classifications) == levels
    assert sum(len(tag.categories) for tag in policy.tags) >= values


def test_acme_is_refused_with_the_line() -> None:
    refused = refusal((POLICIES / "ACME-SPIF-example.xml").read_bytes())
    assert refused.line == 46
    assert refused.reason.code == "wrong-namespace"
    assert refused.reason.parameter("element") == "equivalentSecCategoryTag"
    assert str(refused).startswith("line 46: ")


def test_shipped_policy_says_who_it_is() -> None:
    policy = shipped()
    assert (policy.name, policy.id) == ("NATO", "1.3.26.1.3.1")
    assert policy.digest == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert [item.name for item in policy.classifications] == [
        "UNCLASSIFIED",
        "RESTRICTED",
        "CONFIDENTIAL",
        "SECRET",
        "TOP SECRET",
    ]
    assert [item.color for item in policy.classifications] == [
        "#1d6b3a",
        "#0b6577",
        "#2743a3",
        "#b0142b",
        "#e08a00",
    ]
    assert [item.ink for item in policy.classifications] == ["#ffffff"] * 4 + ["#000000"]


def test_shipped_policy_has_the_tag_sets_of_the_published_one() -> None:
    kinds = {s.name: (s.id, s.tags[0].kind) for s in shipped().tag_sets}
    assert kinds == {s.name: (s.id, s.tags[0].kind) for s in published().tag_sets}
    assert kinds["Additional Sensitivity"][1] is TagKind.RESTRICTIVE
    assert kinds["Releasable To"][1] is TagKind.PERMISSIVE
    assert kinds["Administrative"][1] is TagKind.INFORMATIVE


@pytest.mark.parametrize("file", [SHIPPED, POLICIES / "example-spif.xml", POLICIES / "nato-spif-v79.xml"])
def test_policy_is_valid_against_the_published_schema(file: Path, tmp_path: Path) -> None:
    schema = tmp_path / "spif.xsd"
    schema.write_bytes((POLICIES / "spif.xsd").read_bytes())
    # The schema imports the attributes of XML itself from beside it.
    (tmp_path / "xml.xsd").write_text(XML_ATTRIBUTES)
    command = [require_program("xmllint"), "--nonet", "--noout", "--schema", str(schema), str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_small_policy_has_every_kind_of_tag() -> None:
    assert {tag.name: tag.kind for tag in small().tags} == {
        "Caveat": TagKind.RESTRICTIVE,
        "Nation": TagKind.PERMISSIVE,
        "Note": TagKind.INFORMATIVE,
        "Codeword": TagKind.RESTRICTIVE,
        "Group": TagKind.PERMISSIVE,
    }


def test_tags_that_are_not_applicable_never_decide() -> None:
    policy = parse_policy(spif(classes("A"), tag_set("T", 'tagType="notApplicable"', value("V", 1))))
    assert policy.tags[0].kind is TagKind.INFORMATIVE


def test_classifications_are_ordered_by_hierarchy_not_by_file() -> None:
    given = (
        '<s:securityClassification name="TOP" lacv="1" hierarchy="0"/>'
        '<s:securityClassification name="LOW" lacv="2" hierarchy="-1"/>'
    )
    assert [item.name for item in parse_policy(spif(given)).classifications] == ["LOW", "TOP"]


def test_colour_names_are_read_and_may_be_missing() -> None:
    given = (
        '<s:securityClassification name="A" lacv="1" hierarchy="1" color="green"/>'
        '<s:securityClassification name="B" lacv="2" hierarchy="2" color="#ABCDEF"/>'
        '<s:securityClassification name="C" lacv="3" hierarchy="3"/>'
    )
    read = parse_policy(spif(given)).classifications
    assert [item.color for item in read] == ["#008000", "#abcdef", None]
    assert [item.ink for item in read] == ["#ffffff", "#000000", "#000000"]


def test_required_category_without_operation_requires_all() -> None:
    needs = (
        '<s:requiredCategory><s:categoryGroup tagSetRef="T" tagType="permissive" lacv="01"/>'
        "</s:requiredCategory>"
    )
    data = spif(
        f'<s:securityClassification name="A" lacv="1" hierarchy="1">{needs}</s:securityClassification>',
        tag_set("T", PERMISSIVE, value("V", 1)),
    )
    (requirement,) = parse_policy(data).classifications[0].requirements
    assert requirement.operation is Operation.ALL


def test_document_type_is_refused() -> None:
    refused = refusal(b'<!DOCTYPE SPIF [<!ENTITY a "b">]>\n' + SMALL)
    assert refused.reason.code == "xml-declares-types"
    assert refused.line == 1


def test_undeclared_entity_is_refused() -> None:
    assert refusal(SMALL.replace(b"TEST", b"&x;")).reason.code == "xml-malformed"


def test_unknown_encoding_is_refused() -> None:
    assert refusal(b'<?xml version="1.0" encoding="klingon"?>' + SMALL).reason.code.startswith("xml-")


def test_multi_byte_encoding_that_expat_does_not_know_is_refused() -> None:
    assert refusal(b'<?xml version="1.0" encoding="shift_jis"?>' + SMALL).reason.code.startswith("xml-")


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    path.write_bytes(SMALL + b" " * (8 * 1024 * 1024))
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(path)
    assert caught.value.reason.code == "xml-too-large"


def test_too_deep_a_file_is_refused() -> None:
    assert refusal(b"<a>" * 40 + b"</a>" * 40).reason.code == "xml-too-deep"


def test_too_many_elements_are_refused() -> None:
    assert refusal(b"<a>" + b"<b/>" * 200_000 + b"</a>").reason.code == "xml-too-many-elements"


@pytest.mark.parametrize("data", [b"", b"{}", b"<SPIF", b"\x00\xff", b"<a/><b/>"])
def test_what_is_no_xml_is_refused(data: bytes) -> None:
    assert refusal(data).reason.code == "xml-malformed"


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_policy(tmp_path / "nowhere.xml")


ONE = classes("A")
EQUIVALENT = ONE.replace(
    "/>", '><s:equivalentClassification policyRef="P" lacv="1" applied="both"/></s:securityClassification>'
)
OTHER_POLICIES = '<s:equivalentPolicies><s:equivalentPolicy name="P" id="1.2"/>{}</s:equivalentPolicies>'


def tagged(content: str = "", attributes: str = "", more: str = "", tag: str = "") -> bytes:
    """A policy of one value, with this content and these attributes, in one restrictive tag."""
    values = value("V", 1, content, attributes) + more
    return spif(ONE, tag_set("T", RESTRICTIVE, values, attributes=tag))


def requiring(kind: str, lacv: int) -> bytes:
    group = f'<s:categoryGroup tagSetRef="T" tagType="{kind}" lacv="{lacv}"/>'
    return tagged(f'<s:requiredCategory operation="all">{group}</s:requiredCategory>')


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<SPIF/>", "wrong-namespace"),
        (b'<s:SPFI xmlns:s="http://www.xmlspif.org/spif"/>', "wrong-root"),
        (spif(ONE, attributes='colour="red"'), "unexpected-attribute"),
        (spif(ONE, attributes='xmlns:o="urn:other" o:colour="red"'), "unexpected-attribute"),
        (spif(ONE, attributes='version="one"'), "wrong-value"),
        (SMALL.replace(b'schemaVersion="2.1"', b""), "missing-attribute"),
        (SMALL.replace(b'schemaVersion="2.1"', b'schemaVersion="3.0"'), "wrong-value"),
        (spif(""), "missing-element"),
        (spif(ONE, after="<s:unknown/>"), "unexpected-element"),
        (spif(ONE, after="<s:extensions/><s:extensions/>"), "repeated-element"),
        (spif(ONE, after="text"), "unexpected-text"),
        (spif(ONE + ONE), "duplicate-name"),
        (spif(ONE + ONE.replace('"A"', '"a"')), "duplicate-name"),
        (spif(ONE + ONE.replace('"A"', '"B"')), "duplicate-value"),
        (spif(ONE.replace('"A"', '" A"')), "wrong-value"),
        (spif(ONE.replace('"A"', '""')), "wrong-value"),
        (spif(ONE.replace("/>", ' color="#12345"/>')), "wrong-value"),
        (spif(ONE.replace("/>", ' obsolete="yes"/>')), "wrong-value"),
        (spif(ONE, tag_set("T", RESTRICTIVE, "") * 2), "duplicate-name"),
        (spif(ONE, tag_set("T", RESTRICTIVE, "") + tag_set("U", RESTRICTIVE, "")), "duplicate-value"),
        (tagged("<s:markingData><s:code>everywhere</s:code></s:markingData>"), "wrong-value"),
        (tagged(more=value("v", 2)), "duplicate-name"),
        (tagged(more=value("W", 1)), "duplicate-value"),
        (spif(ONE, tag_set("T", 'tagType="enumerated"', value("V", 1))), "missing-attribute"),
        (spif(ONE, tag_set("T", 'tagType="other"', value("V", 1))), "wrong-value"),
        (tagged(attributes='userInput="date"'), "not-supported"),
        (tagged(attributes='requiredClass="Z"'), "unknown-reference"),
        (tagged("<s:excludedClass>Z</s:excludedClass>"), "unknown-reference"),
        (requiring("restrictive", 7), "unknown-reference"),
        (requiring("permissive", 1), "unknown-reference"),
        (tagged(attributes='notBefore="2026"'), "wrong-value"),
        (tagged(attributes='notBefore="2026-01-01T00:00:00"'), "wrong-value"),
        (
            spif(ONE, attributes='notBefore="2027-01-01T00:00:00Z" notAfter="2026-01-01T00:00:00Z"'),
            "contradiction",
        ),
        (tagged(tag='minSelection="2"'), "contradiction"),
        (tagged(more=value("W", 2), tag='singleSelection="true" minSelection="2"'), "contradiction"),
        (spif(EQUIVALENT), "unknown-reference"),
        (
            spif(ONE, after=OTHER_POLICIES.format('<s:equivalentPolicy name="p" id="1.3"/>')),
            "duplicate-name",
        ),
    ],
)
def test_wrong_policy_is_refused_with_reason_and_line(data: bytes, code: str) -> None:
    refused = refusal(data)
    assert refused.reason.code == code
    assert refused.line == 1
    assert str(refused) == f"line 1: {refused.reason}"


def test_line_of_a_wrong_value_is_its_own() -> None:
    data = SMALL.replace(b"<s:tagCategory", b"\n<s:tagCategory").replace(
        b'name="B" lacv="2"', b'name="B" lacv=""'
    )
    assert refusal(data).line == 3


def test_what_stands_in_extensions_is_not_looked_at() -> None:
    parse_policy(
        spif(ONE, after='<s:extensions><o:any xmlns:o="urn:o" policyRef="x">text</o:any></s:extensions>')
    )


def test_equivalent_policies_are_known_by_name() -> None:
    assert parse_policy(spif(EQUIVALENT, after=OTHER_POLICIES.format(""))).name == "TEST"


def test_selection_limits_are_read() -> None:
    tags = tag_set(
        "T",
        INFORMATIVE,
        value("V", 1) + value("W", 2),
        attributes='minSelection="1" maxSelection="unbounded"',
    ) + tag_set("U", INFORMATIVE, value("V", 1), 2, attributes='singleSelection="1" maxSelection="3"')
    first, second = parse_policy(spif(ONE, tags)).tags
    assert (first.minimum, first.maximum) == (1, None)
    assert (second.minimum, second.maximum) == (0, 1)


def test_policy_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        small().name = "OTHER"  # type: ignore[misc]
