"""What differs between two policies is told item by item, and nothing is told of what does not differ."""

from __future__ import annotations

import pytest

from policies import parse_policy
from policies.differences import Difference, Kind, differences
from tests.policies.builders import SMALL, published, shipped

K = b'name="K" lacv="1" >'
MARKED = b'<s:markingData phrase="KEY"><s:code>pageTop</s:code></s:markingData>'
GROUP = b'tagSetRef="Group" tagType="permissive" lacv="1"/>'
REQUIRES = b'<s:requiredCategory operation="all"><s:categoryGroup ' + GROUP + b"</s:requiredCategory>"
EXCLUDES = b"<s:excludedCategory " + GROUP
X = b'<s:tagCategory name="X" lacv="1"'


def of(old: bytes, new: bytes) -> list[Difference]:
    return list(differences(parse_policy(old), parse_policy(new)))


def changed(before: bytes, after: bytes) -> list[Difference]:
    assert before in SMALL
    return of(SMALL, SMALL.replace(before, after))


def test_same_policy_differs_in_nothing() -> None:
    assert of(SMALL, SMALL) == []
    assert differences(shipped(), shipped()) == ()


@pytest.mark.parametrize(
    ("before", "after", "what", "fact"),
    [
        (b'schemaVersion="2.1"', b'schemaVersion="2.1" version="7"', "The policy", "version"),
        (b'keyIdentifier="00"', b'keyIdentifier="00" notAfter="2030-01-01T00:00Z"', "The policy", "time of validity"),
        (b'name="HIGH" ', b'name="HIGH" obsolete="true" ', "Classification HIGH", "obsolete"),
        (b'name="HIGH" ', b'name="HIGH" color="red" ', "Classification HIGH", "colour"),
        (b'name="B" lacv="2"', b'name="B" lacv="3"', "Value Caveat B", "value"),
        (b">LOW</s:excludedClass>", b">MID</s:excludedClass>", "Value Caveat A", "excluded classes"),
        (b'name="X" lacv="1"', b'name="X" lacv="1" requiredClass="LOW"', "Value Nation X", "required class"),
        (b'<s:securityCategoryTag name="Group" ', b'<s:securityCategoryTag name="Group" minSelection="1" ',
         "Tag Group Group (permissive)", "least number of values"),
        (b'<s:securityCategoryTag name="Group" ', b'<s:securityCategoryTag name="Group" maxSelection="1" ',
         "Tag Group Group (permissive)", "greatest number of values"),
        (b'name="N" lacv="1" >', b'name="N" lacv="1" userInput="string">', "Value Note N", "typed in"),
        (K, K + MARKED, "Value Codeword K", "marking"),
        (K, K + REQUIRES, "Value Codeword K", "required categories"),
        (K, K + EXCLUDES, "Value Codeword K", "excluded categories"),
    ],
)  # fmt: skip
def test_a_change_names_its_item_and_its_fact(before: bytes, after: bytes, what: str, fact: str) -> None:
    (found,) = changed(before, after)
    assert (found.kind, found.what, found.fact) == (Kind.CHANGED, what, fact)
    assert found.before != found.after
    assert found.text.startswith(f"{what}: {fact} was “")


def test_what_is_added_or_removed_is_told_once() -> None:
    more = SMALL.replace(X, b'<s:tagCategory name="Z" lacv="9"/>' + X)
    assert [(item.kind, item.what) for item in of(SMALL, more)] == [(Kind.ADDED, "Value Nation Z")]
    (removed,) = of(more, SMALL)
    assert (removed.kind, removed.text) == (Kind.REMOVED, "Value Nation Z was removed.")


def test_equivalences_are_told() -> None:
    told = [item.text for item in differences(published(), shipped())]
    assert told
    assert all("object at 0x" not in text for text in told)
    equivalent = (
        b'<s:equivalentPolicies><s:equivalentPolicy name="O" id="2.25.9"><s:requiredCategory operation="all">'
        b'<s:categoryGroup tagSetRef="T" tagType="permissive"/></s:requiredCategory></s:equivalentPolicy>'
        b"</s:equivalentPolicies></s:SPIF>"
    )
    other = SMALL.replace(b"</s:SPIF>", equivalent)
    mapped = other.replace(
        b'name="LOW" lacv="1" hierarchy="1"/>',
        b'name="LOW" lacv="1" hierarchy="1"><s:equivalentClassification policyRef="O" lacv="3" applied="both"/>'
        b"</s:securityClassification>",
    ).replace(
        b'name="N" lacv="1" >',
        b'name="N" lacv="1" ><s:equivalentSecCategoryTag policyRef="O" tagSetId="2.25.8" tagType="permissive" lacv="1" '
        b'applied="both" action="discard"/>',
    )  # fmt: skip
    assert [item.what for item in of(SMALL, other)] == ["Equivalent policy O"]
    assert [(item.fact, item.after) for item in of(other, mapped)] == [
        ("equivalents", "O 3 (both; none)"),
        ("equivalents", "O 2.25.8 1 (both), discarded"),
    ]
    (demands,) = of(other, other.replace(b'tagSetRef="T"', b'tagSetRef="U"'))
    assert (demands.before, demands.after) == ("all of T any", "all of U any")
