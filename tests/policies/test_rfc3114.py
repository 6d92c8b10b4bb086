"""The three company policies of RFC 3114, with their labels and clearances: the library is not NATO's alone."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from policies import (
    Clearance,
    InvalidClearance,
    Label,
    SecurityPolicy,
    clearance_xml,
    load_policy,
    stanag4774,
)

DATA = Path(__file__).with_name("data")
COMPANIES = ("amoco", "caterpillar", "whirlpool")
TSP = "1.2.840.113549.1.9.16.7"
CATEGORIES = "Whirlpool Categories"
LAW, PEOPLE = "LAW DEPARTMENT USE ONLY", "HUMAN RESOURCES USE ONLY"


@cache
def policy(company: str) -> SecurityPolicy:
    return load_policy(DATA / f"rfc3114-{company}.xml")


def label(company: str) -> Label:
    return stanag4774.parse(
        (DATA / f"rfc3114-{company}.label.xml").read_bytes(), policy(company), require_complete=True
    )


def clearance(company: str) -> Clearance:
    data = (DATA / f"rfc3114-{company}.clearance.xml").read_bytes()
    return clearance_xml.parse(data, map(policy, COMPANIES))


@pytest.mark.parametrize(
    ("company", "oid", "levels"),
    [
        ("amoco", f"{TSP}.1", [("GENERAL", 6), ("CONFIDENTIAL", 7), ("HIGHLY CONFIDENTIAL", 8)]),
        (
            "caterpillar",
            f"{TSP}.2",
            [("PUBLIC", 6), ("CONFIDENTIAL GREEN", 7), ("CONFIDENTIAL YELLOW", 8), ("CONFIDENTIAL RED", 9)],
        ),
        ("whirlpool", f"{TSP}.3", [("PUBLIC", 6), ("INTERNAL", 7), ("CONFIDENTIAL", 8)]),
    ],
)
def test_policy_has_the_values_of_the_standard(company: str, oid: str, levels: list[tuple[str, int]]) -> None:
    found = policy(company)
    assert found.id == oid
    assert [(item.name, item.lacv) for item in found.classifications] == levels


@pytest.mark.parametrize(
    ("company", "marking", "permitted"),
    [
        ("amoco", "Amoco HIGHLY CONFIDENTIAL", True),
        ("caterpillar", "Caterpillar CONFIDENTIAL YELLOW", False),
        ("whirlpool", "Whirlpool CONFIDENTIAL - LAW DEPARTMENT USE ONLY", True),
    ],
)
def test_example_label_is_read_marked_and_decided(company: str, marking: str, permitted: bool) -> None:
    found = label(company)
    assert policy(company).marking(found) == marking
    assert policy(company).parse_marking(marking) == found
    assert policy(company).decide(found, clearance(company)).permitted is permitted


@pytest.mark.parametrize("company", COMPANIES)
def test_labels_and_clearances_come_back(company: str) -> None:
    created = datetime(2026, 11, 24, tzinfo=UTC)
    written = stanag4774.serialise(label(company), created=created, policy=policy(company))
    assert stanag4774.parse(written, policy(company), require_complete=True) == label(company)
    held = clearance(company)
    assert clearance_xml.parse(clearance_xml.serialise(held, policy(company)), policy(company)) == held
    assert Label.from_canonical(label(company).canonical()) == label(company)


def test_clearance_of_one_company_opens_nothing_of_another() -> None:
    for company in COMPANIES:
        for other in set(COMPANIES) - {company}:
            decision = policy(company).decide(label(company), clearance(other))
            assert [reason.code for reason in decision.reasons] == ["clearance-of-other-policy"]


def test_department_is_a_restriction() -> None:
    whirlpool = policy("whirlpool")
    people = whirlpool.clearance_up_to("CONFIDENTIAL", {CATEGORIES: [PEOPLE]})
    assert not whirlpool.permits(label("whirlpool"), people)
    assert whirlpool.permits(whirlpool.label("CONFIDENTIAL", {CATEGORIES: [PEOPLE]}), people)
    assert [r.code for r in whirlpool.problems(whirlpool.label("PUBLIC", {CATEGORIES: [LAW]}))] == [
        "excluded-class"
    ]


def test_privacy_mark_of_the_example_is_read() -> None:
    data = (DATA / "rfc3114-whirlpool.label.xml").read_bytes()
    assert stanag4774.read(data, policy("whirlpool")).privacy_mark == "ATTORNEY-CLIENT PRIVILEGED INFORMATION"


def test_one_person_holds_all_three() -> None:
    files = [(DATA / f"rfc3114-{company}.clearance.xml").read_bytes() for company in COMPANIES]
    held = clearance_xml.parse_all(files, map(policy, COMPANIES))
    assert set(held) == {f"{TSP}.{number}" for number in (1, 2, 3)}
    with pytest.raises(InvalidClearance):
        clearance_xml.parse_all(files, [policy("amoco")])
