"""STANAG 4778 binding information: written, read back, and refused when anything is out of place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import InvalidLabel, Label, stanag4774, stanag4778
from policies.nations import load_nations
from policies.stanag4774 import LabelKind
from policies.stanag4778 import BoundData
from tests.policies.builders import NOW, label, shipped

DATA = BoundData("report%20%26%20plan.pdf", "application/pdf")
NATIONS = load_nations()


def written(of: Label | None = None, kind: LabelKind = LabelKind.ORIGINATOR, policy: object = None) -> bytes:
    return stanag4774.serialise(of or label(), created=NOW, policy=policy or shipped(), kind=kind)  # type: ignore[arg-type]


def binding(*labels: bytes, data: BoundData = DATA) -> bytes:
    return stanag4778.serialise(labels or (written(),), data)


def refusal(data: bytes) -> list[str]:
    with pytest.raises(InvalidLabel) as refused:
        stanag4778.read(data, shipped(), NATIONS)
    return [reason.code for reason in refused.value.reasons]


def test_what_is_written_reads_back() -> None:
    found = stanag4778.read(binding(), shipped())
    assert (found.label, found.data, found.signed) == (label(), DATA, False)
    assert [record.root for record in found.records] == [LabelKind.ORIGINATOR]
    assert found.records[0].created == NOW


def test_media_type_may_be_missing() -> None:
    assert stanag4778.read(binding(data=BoundData("a")), shipped()).data == BoundData("a", "")


def test_alternatives_stand_beside_the_originators_label() -> None:
    germany = NATIONS["DEU"]
    own = germany.label("GEHEIM")
    nato = own and germany.translate(own, shipped())
    data = binding(written(own, policy=germany), written(nato, LabelKind.ALTERNATIVE))
    found = stanag4778.read(data, shipped(), NATIONS)
    assert found.label == own.beside(nato)
    assert (found.label.classification, found.label.policy_id) == ("GEHEIM", germany.id)


def test_label_of_the_metadata_is_read_and_bound_to_nothing() -> None:
    low = label("NATO RESTRICTED")
    found = stanag4778.read(binding(written(), written(low, LabelKind.METADATA)), shipped())
    assert found.label == label()
    assert [record.label for record in found.records] == [label(), low]


def test_signature_is_noticed_and_left_to_others() -> None:
    signed = binding().replace(
        b"  <mb:MetadataBindingContainer>",
        b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/><mb:MetadataBindingContainer>',
    )
    assert stanag4778.read(signed, shipped()).signed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<a/>", "wrong-namespace"),
        (b'<mb:Other xmlns:mb="urn:nato:stanag:4778:bindinginformation:1:0"/>', "wrong-root"),
        (binding().replace(b"BindingContainer>", b'BindingContainer x="1">', 1), "unexpected-attribute"),
        (binding().replace(b"mb:DataReference URI=", b"mb:DataReference Uri="), "unexpected-attribute"),
        (binding().replace(b' URI="report%20%26%20plan.pdf"', b""), "missing-attribute"),
        (binding().replace(b'application/pdf"/>', b'application/pdf">text</mb:DataReference>'), "unexpected-text"),
        (binding().replace(b"<mb:Metadata>", b"<mb:Metadata>text", 1), "unexpected-text"),
        (binding().replace(b"<mb:Metadata>", b"<mb:Metadata><a/>", 1), "missing-element"),
        (binding().replace(b"mb:Metadata>", b"mb:MetadataReference>"), "missing-element"),
        (binding(written(), written()), "malformed-label"),
        (binding(written(kind=LabelKind.METADATA)), "malformed-label"),
        (binding(written(), written(kind=LabelKind.ALTERNATIVE)), "duplicate-name"),
        (binding().replace(b">SECRET<", b">SECRETS<"), "unknown-classification"),
        (binding().replace(b">NATO</slab:PolicyIdentifier>", b">NADA</slab:PolicyIdentifier>"), "other-policy"),
        (binding(*[written()] * 33), "repeated-element"),
        (b" " * (stanag4778.MAX_BYTES + 1), "xml-too-large"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml-declares-types"),
    ],
)  # fmt: skip
def test_binding_that_is_not_one_is_refused(data: bytes, code: str) -> None:
    assert refusal(data) == [code]


def test_two_bindings_in_one_file_are_refused() -> None:
    one = binding()
    start, end = one.index(b"<mb:MetadataBinding "), one.index(b"  </mb:MetadataBindingContainer>")
    assert refusal(one[:end] + one[start:end] + one[end:]) == ["unexpected-element"]


def test_invalid_label_is_refused_with_the_policys_reason() -> None:
    without = written().decode()
    start, end = without.index("    <slab:Category"), without.index("</slab:Category>")
    bare = without[:start] + without[end + len("</slab:Category>\n") :]
    assert "required-category-onlyOne" in refusal(binding(bare.encode()))


def test_label_without_its_information_is_refused() -> None:
    data = binding().replace(b"slab:ConfidentialityInformation>", b"slab:Information>")
    assert refusal(data) == ["missing-element"]


@pytest.mark.parametrize("data", [BoundData("a\nb"), BoundData("a", "text/\x00")])
def test_data_that_cannot_be_named_is_not_written(data: BoundData) -> None:
    with pytest.raises(InvalidLabel):
        binding(data=data)


def test_nothing_is_bound_to_nothing() -> None:
    with pytest.raises(InvalidLabel):
        stanag4778.serialise([], DATA)


@given(st.data())
def test_mangled_binding_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    good = binding()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 40)))
    mangled = good[:start] + data.draw(st.binary(max_size=20)) + good[end:]
    try:
        found = stanag4778.read(mangled, shipped())
    except InvalidLabel:
        return
    assert not shipped().problems(found.label)
