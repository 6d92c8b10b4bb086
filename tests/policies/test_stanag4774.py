"""STANAG 4774 labels: published ones, our own, broken ones, and the way there and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import InvalidLabel, Label, parse_policy, stanag4774
from policies.nations import load_nations
from policies.stanag4774 import Originator, Succession
from tests.policies.builders import (
    DAY,
    NOW,
    RESTRICTIVE,
    classes,
    label,
    published,
    shipped,
    small,
    spif,
    tag_set,
    value,
)
from tests.policies.test_marking import shipped_labels
from tests.shared import POLICIES

EXAMPLE = (POLICIES / "example-label.4774.xml").read_bytes()
SUCCESSION = (POLICIES / "example-label-succession.4774.xml").read_bytes()


def codes(data: bytes, *, complete: bool = False) -> list[str]:
    with pytest.raises(InvalidLabel) as caught:
        stanag4774.parse(data, shipped(), require_complete=complete)
    return [reason.code for reason in caught.value.reasons]


def test_our_example_is_read_whole() -> None:
    record = stanag4774.read(EXAMPLE, shipped(), require_complete=True)
    assert shipped().marking(record.label) == "NATO RESTRICTED Releasable to Japan, Switzerland, Ukraine"
    assert record.root == "originatorConfidentialityLabel"
    assert record.created == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert record.review == datetime(2031, 11, 23, tzinfo=UTC)
    assert record.originator == Originator("author@example.org", "rfc822Name")
    assert record.succession is None


def test_succession_is_recorded_and_not_applied() -> None:
    record = stanag4774.read(SUCCESSION, shipped(), require_complete=True)
    assert shipped().marking(record.label) == "NATO SECRET ATOMAL"
    assert record.succession is not None
    assert record.succession.moment == datetime(2030, 1, 1, tzinfo=UTC)
    assert record.succession.label == Label.of(shipped().id, "RESTRICTED")


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
def test_published_labels_are_taken_as_input_and_refused_as_complete(number: int) -> None:
    data = (POLICIES / f"label-nato-{number}.4774.xml").read_bytes()
    assert stanag4774.parse(data, published()) == stanag4774.parse(data, shipped())
    expected = "unexpected-attribute" if number == 1 else "incomplete-label"
    assert codes(data, complete=True) == [expected]


def test_label_5_is_refused_with_the_reason() -> None:
    data = (POLICIES / "label-nato-5.4774.xml").read_bytes()
    with pytest.raises(InvalidLabel) as caught:
        stanag4774.parse(data, published())
    assert [reason.text for reason in caught.value.reasons] == [
        "Releasable To EAPC may not stand with CONFIDENTIAL.",
        "Releasable To ISAF may not stand with CONFIDENTIAL.",
    ]


def test_label_outside_the_namespace_is_refused() -> None:
    assert codes((POLICIES / "label-acme-wrong-namespace.4774.xml").read_bytes()) == ["xml-malformed"]
    mended = (
        (POLICIES / "label-acme-wrong-namespace.4774.xml").read_bytes().replace(b"xmlns:4774", b"xmlns:x")
    )
    assert codes(mended) == ["wrong-namespace"]


def changed(old: str, new: str) -> bytes:
    assert old.encode() in EXAMPLE
    return EXAMPLE.replace(old.encode(), new.encode(), 1)


CREATED = "<slab:CreationDateTime>2026-11-23T12:00:00Z</slab:CreationDateTime>"
MARK = "<slab:PrivacyMark>{}</slab:PrivacyMark>"
CLASSIFICATION = "<slab:Classification>RESTRICTED</slab:Classification>"
CATEGORY = (
    '<slab:Category Type="PERMISSIVE" TagName="Context">'
    "<slab:GenericValue>NATO</slab:GenericValue></slab:Category>"
)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml-malformed"),
        (b"<x/>", "wrong-namespace"),
        (b" " * 300_000, "xml-too-large"),
        (EXAMPLE.replace(b"originatorConf", b"succeedingConf"), "wrong-root"),
        (changed(' Id="lab-1"', ' Name="lab-1"'), "unexpected-attribute"),
        (changed('ReviewDateTime="2031-11-23T00:00:00Z"', 'ReviewDateTime="2031"'), "wrong-value"),
        (changed(">NATO</slab:Policy", ">ACME</slab:Policy"), "other-policy"),
        (changed("urn:oid:1.3.26.1.3.1", "urn:oid:1.3.26.1.3.2"), "other-policy"),
        (changed("RESTRICTED", "ULTRA"), "unknown-classification"),
        (changed("<slab:Classification>", '<slab:Classification URI="urn:x">'), "unexpected-attribute"),
        (changed("RESTRICTED", "<slab:x/>"), "unexpected-element"),
        (changed("RESTRICTED", ""), "missing-element"),
        (changed(CLASSIFICATION, ""), "missing-element"),
        (changed(CLASSIFICATION, CLASSIFICATION * 2), "unexpected-element"),
        (changed(CLASSIFICATION, CLASSIFICATION + MARK.format("PRIVATE")), "unknown-privacy-mark"),
        (changed('Type="PERMISSIVE" TagName="Context"', 'Type="PERMISSIVE"'), "missing-attribute"),
        (changed('Type="PERMISSIVE" TagName="Context"', 'TagName="Context"'), "missing-attribute"),
        (changed('Type="PERMISSIVE"', 'Type="permissive"'), "wrong-value"),
        (changed('Type="PERMISSIVE"', 'Type="RESTRICTIVE"'), "wrong-tag-type"),
        (changed('TagName="Context"', 'TagName="Kontext"'), "unknown-tag-set"),
        (changed("urn:oid:1.3.26.1.4.4", "urn:oid:1.3.26.1.4.5"), "wrong-value"),
        (changed("<slab:GenericValue>JPN", "<slab:GenericValue>JPX"), "unknown-value"),
        (changed("<slab:GenericValue>JPN", "<slab:GenericValue> "), "missing-element"),
        (changed("<slab:GenericValue>JPN</slab:GenericValue>", "JPN"), "unexpected-text"),
        (changed("<slab:GenericValue>JPN</slab:GenericValue>", '<o xmlns="urn:o"/>'), "wrong-namespace"),
        (changed("</slab:Category>", "</slab:Category><slab:Category/>"), "missing-attribute"),
        (
            changed("</slab:Category>", "</slab:Category>" + CATEGORY),
            "duplicate-name",
        ),
        (changed('IDType="rfc822Name"', 'IDType="e-mail"'), "wrong-value"),
        (changed(CREATED, CREATED.replace("Z<", "<")), "wrong-value"),
        (changed(CREATED, CREATED.replace("-11-", "-13-")), "wrong-value"),
        (changed(CREATED, CREATED.replace("2026-11-23T12:00:00Z", "20261123T120000Z")), "wrong-value"),
        (changed(CREATED, CREATED + "<slab:SuccessionHandling/>"), "missing-element"),
        (changed(CREATED, CREATED * 2), "unexpected-element"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + EXAMPLE[EXAMPLE.index(b"<slab"):], "xml-declares-types"),
    ],
)  # fmt: skip
def test_broken_label_is_refused_with_its_reason(data: bytes, code: str) -> None:
    assert codes(data) == [code]


def test_complete_label_has_a_date_and_a_review_or_succession() -> None:
    assert codes(changed(CREATED, ""), complete=True) == ["incomplete-label"]
    assert codes(changed(' ReviewDateTime="2031-11-23T00:00:00Z"', ""), complete=True) == ["incomplete-label"]
    inner = SUCCESSION.rindex(b"<slab:CreationDateTime>")
    cut = SUCCESSION[:inner] + SUCCESSION[SUCCESSION.index(b"</slab:Successor", inner) :]
    assert codes(cut, complete=True) == ["incomplete-label"]
    assert stanag4774.read(cut, shipped()).created is not None


def test_old_root_is_read_as_input_only() -> None:
    old = EXAMPLE.replace(b"originatorConf", b"Conf")
    assert stanag4774.read(old, shipped()).root == "ConfidentialityLabel"
    assert codes(old, complete=True) == ["wrong-root"]


def test_privacy_mark_clear_is_informational() -> None:
    record = stanag4774.read(changed(CLASSIFICATION, CLASSIFICATION + MARK.format("Clear")), shipped())
    assert record.privacy_mark == "Clear"
    policy = parse_policy(
        spif(
            classes("A"),
            after='<s:privacyMarks><s:privacyMark name="MINE"/><s:privacyMark/></s:privacyMarks>',
        )
    )
    assert policy.privacy_marks == {"MINE"}


def test_names_are_matched_whatever_their_case() -> None:
    data = EXAMPLE.replace(b">NATO<", b">nato<").replace(b"RESTRICTED", b"restricted").replace(b"JPN", b"jpn")
    assert stanag4774.parse(data, shipped()) == stanag4774.parse(EXAMPLE, shipped())


def test_originator_of_no_named_type_is_an_address() -> None:
    record = stanag4774.read(changed(' IDType="rfc822Name"', ""), shipped())
    assert record.originator == Originator("author@example.org")
    without = EXAMPLE[: EXAMPLE.index(b"<slab:Originator")] + EXAMPLE[EXAMPLE.index(b"<slab:Creation") :]
    assert stanag4774.read(without, shipped()).originator is None


@settings(max_examples=100)
@given(
    shipped_labels(),
    st.integers(0, 40_000).map(lambda days: NOW - timedelta(days=days, seconds=days, microseconds=days)),
    st.none()
    | st.builds(Originator, st.text("abc<>&\"'é ", min_size=1).filter(lambda t: t == " ".join(t.split()))),
)
def test_label_written_reads_back_complete(
    label: Label, created: datetime, originator: Originator | None
) -> None:
    data = stanag4774.serialise(label, created=created, policy=shipped(), originator=originator)
    record = stanag4774.read(data, shipped(), require_complete=True)
    assert (record.label, record.created, record.originator) == (label, created, originator)
    assert record.review is not None
    assert record.review.year == created.year + 5


def test_times_are_written_in_utc() -> None:
    label = shipped().compose("SECRET")
    there = datetime(2024, 2, 29, 1, tzinfo=timezone(timedelta(hours=2)))
    data = stanag4774.serialise(label, created=there, policy=shipped(), review=there + timedelta(days=1))
    assert b">2024-02-28T23:00:00Z<" in data
    assert b'ReviewDateTime="2024-02-29T23:00:00Z"' in data
    leap = stanag4774.serialise(label, created=datetime(2024, 2, 29, tzinfo=UTC), policy=shipped())
    assert b'ReviewDateTime="2029-02-28T00:00:00Z"' in leap


def test_written_categories_have_type_name_and_identifier() -> None:
    label = small().label("MID", {"Caveat": ["B"], "Note": ["N"], "Nation": ["X"]})
    text = stanag4774.serialise(label, created=NOW, policy=small()).decode()
    assert '<slab:Category Type="RESTRICTIVE" TagName="Caveat" URI="urn:oid:2.25.7.1">' in text
    assert '<slab:Category Type="INFORMATIVE" TagName="Note" URI="urn:oid:2.25.7.3">' in text
    assert text.index("Caveat") < text.index("Nation") < text.index("Note")


@pytest.mark.parametrize(
    "originator", [Originator("a", "e-mail"), Originator("a\x00b")], ids=["unknown type", "control character"]
)
def test_originator_that_cannot_be_written_is_refused(originator: Originator) -> None:
    with pytest.raises(InvalidLabel):
        stanag4774.serialise(
            shipped().compose("SECRET"), created=NOW, policy=shipped(), originator=originator
        )


def test_invalid_label_is_not_written() -> None:
    with pytest.raises(InvalidLabel):
        stanag4774.serialise(Label.of(shipped().id, "SECRET"), created=NOW, policy=shipped())


def test_naive_time_is_not_written() -> None:
    with pytest.raises(InvalidLabel):
        stanag4774.serialise(shipped().compose("SECRET"), created=NOW.replace(tzinfo=None), policy=shipped())


def test_value_limited_in_time_is_judged_at_the_time_given_or_claimed() -> None:
    window = 'notAfter="2026-12-31T00:00:00Z"'
    policy = parse_policy(spif(classes("A"), tag_set("T", RESTRICTIVE, value("V", 1, attributes=window))))
    label = policy.label("A", {"T": ["V"]})
    data = stanag4774.serialise(label, created=NOW, policy=policy)
    assert stanag4774.parse(data, policy) == label
    with pytest.raises(InvalidLabel):
        stanag4774.parse(data, policy, at=datetime(2027, 1, 1, tzinfo=UTC))


@settings(max_examples=300)
@given(st.data())
def test_mangled_label_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE)))
    length = data.draw(st.integers(0, 40))
    mangled = EXAMPLE[:start] + data.draw(st.binary(max_size=8)) + EXAMPLE[start + length :]
    try:
        label = stanag4774.parse(mangled, shipped())
    except InvalidLabel:
        return
    assert shipped().problems(label) == ()


def test_succession_is_written_and_read_back_and_stands_for_a_review() -> None:
    open_later = Succession(NOW + 90 * DAY, label("NATO UNCLASSIFIED"), NOW + 30 * DAY)
    first = Succession(NOW + 30 * DAY, label("NATO RESTRICTED"), None, open_later)
    xml = stanag4774.serialise(label(), created=NOW, policy=shipped(), succession=first)
    found = stanag4774.read(xml, shipped(), require_complete=True)
    assert (found.review, found.created) == (None, NOW)
    assert found.succession == Succession(first.moment, first.label, NOW, open_later)


def test_invalid_successor_is_not_written() -> None:
    bare = Succession(NOW + DAY, shipped().label("SECRET"))
    with pytest.raises(InvalidLabel):
        stanag4774.serialise(label(), created=NOW, policy=shipped(), succession=bare)


def test_review_of_a_leap_day_falls_on_the_day_before() -> None:
    leap = NOW.replace(year=2028, month=2, day=29)
    found = stanag4774.read(stanag4774.serialise(label(), created=leap, policy=shipped()), shipped())
    assert found.review == leap.replace(year=2033, day=28)


def test_privacy_mark_is_written_when_the_policy_has_it() -> None:
    xml = stanag4774.serialise(label(), created=NOW, policy=shipped(), privacy_mark="CLEAR")
    assert stanag4774.read(xml, shipped()).privacy_mark == "CLEAR"
    with pytest.raises(InvalidLabel):
        stanag4774.serialise(label(), created=NOW, policy=shipped(), privacy_mark="PRIVATE")


def test_label_is_read_under_that_one_of_several_policies_which_it_names() -> None:
    germany = load_nations()["DEU"]
    xml = stanag4774.serialise(germany.label("GEHEIM"), created=NOW, policy=germany)
    assert stanag4774.parse_any(xml, (shipped(), germany)) == (germany.label("GEHEIM"), germany)
    with pytest.raises(InvalidLabel) as refused:
        stanag4774.parse_any(xml, (shipped(),))
    assert [reason.code for reason in refused.value.reasons] == ["other-policy"]
    invalid = stanag4774.serialise(label(), created=NOW, policy=shipped()).decode()
    start, end = invalid.index("    <slab:Category"), invalid.index("</slab:Category>")
    bare = invalid[:start] + invalid[end + len("</slab:Category>\n") :]
    with pytest.raises(InvalidLabel):
        stanag4774.parse_any(bare.encode(), (shipped(), germany))
    with pytest.raises(InvalidLabel):
        stanag4774.parse_any(b"<nothing/>", (shipped(), germany))
