"""Validity of labels: everything that a policy may demand, one thing at a time."""

from datetime import UTC, datetime

import pytest

from policies import Label, SecurityPolicy, parse_policy
from tests.policies.builders import (
    ENUMERATED_PERMISSIVE,
    INFORMATIVE,
    PERMISSIVE,
    RESTRICTIVE,
    classes,
    published,
    shipped,
    small,
    spif,
    tag_set,
    value,
)


def codes(policy: SecurityPolicy, label: Label, at: datetime | None = None) -> list[str]:
    return [reason.code for reason in policy.problems(label, at)]


def group(tag: str, kind: str, lacv: int | None = None, name: str = "categoryGroup") -> str:
    which = 'all="true"' if lacv is None else f'lacv="{lacv}"'
    return f'<s:{name} tagSetRef="{tag}" {kind} {which}/>'


def required(operation: str, *groups: str) -> str:
    return f'<s:requiredCategory operation="{operation}">{"".join(groups)}</s:requiredCategory>'


def demanding(operation: str, *groups: str) -> SecurityPolicy:
    """Value W of tag Other demands these groups of tag T (values 1 to 3)."""
    values = "".join(value(f"V{number}", number) for number in (1, 2, 3))
    return parse_policy(
        spif(
            classes("A"),
            tag_set("T", PERMISSIVE, values)
            + tag_set("Other", INFORMATIVE, value("W", 1, required(operation, *groups)), 2),
        )
    )


def test_unknown_names_are_problems() -> None:
    label = Label.of("2.25.7", "ULTRA", {"Nowhere": ["X"], "Nation": ["X", "Z"]})
    assert codes(small(), label) == ["unknown-classification", "unknown-value", "unknown-tag-set"]


def test_label_of_another_policy_has_one_problem() -> None:
    assert codes(small(), Label.of("2.25.8", "ULTRA")) == ["other-policy"]


def test_case_is_the_readers_affair() -> None:
    assert codes(small(), Label.of("2.25.7", "low")) == ["unknown-classification"]


def test_excluded_class_is_a_problem() -> None:
    assert codes(small(), small().label("LOW", {"Caveat": ["A"]})) == ["excluded-class"]
    assert codes(small(), small().label("MID", {"Caveat": ["A"]})) == []


def test_required_class_is_demanded() -> None:
    policy = parse_policy(
        spif(classes("A", "B"), tag_set("T", RESTRICTIVE, value("V", 1, attributes='requiredClass="B"')))
    )
    assert codes(policy, policy.label("A", {"T": ["V"]})) == ["required-class"]
    assert codes(policy, policy.label("B", {"T": ["V"]})) == []


def test_obsolete_names_are_problems() -> None:
    obsolete = classes("A").replace("/>", ' obsolete="true"/>')
    policy = parse_policy(spif(obsolete, tag_set("T", RESTRICTIVE, value("V", 1, attributes='obsolete="1"'))))
    assert codes(policy, policy.label("A", {"T": ["V"]})) == ["obsolete-classification", "obsolete-value"]


@pytest.mark.parametrize(
    ("limits", "chosen", "expected"),
    [
        ('singleSelection="true"', "V", []),
        ('singleSelection="true"', "VW", ["too-many-values"]),
        ('maxSelection="2"', "VW", []),
        ('maxSelection="2"', "VWX", ["too-many-values"]),
        ('minSelection="2"', "VW", []),
        ('minSelection="2"', "V", ["too-few-values"]),
        ('minSelection="1"', "", ["too-few-values"]),
        ('minSelection="unbounded" maxSelection="unbounded"', "VWX", []),
    ],
)
def test_numbers_of_values_are_held_to(limits: str, chosen: str, expected: list[str]) -> None:
    values = "".join(value(name, number) for number, name in enumerate("VWX", 1))
    policy = parse_policy(spif(classes("A"), tag_set("T", PERMISSIVE, values, attributes=limits)))
    assert codes(policy, policy.label("A", {"T": chosen})) == expected


@pytest.mark.parametrize(
    ("operation", "chosen", "met"),
    [
        ("all", "12", True),
        ("all", "123", True),
        ("all", "1", False),
        ("all", "", False),
        ("oneOrMore", "1", True),
        ("oneOrMore", "12", True),
        ("oneOrMore", "3", False),
        ("onlyOne", "1", True),
        ("onlyOne", "13", True),
        ("onlyOne", "12", False),
        ("onlyOne", "", False),
    ],
)
def test_required_categories_are_demanded(operation: str, chosen: str, met: bool) -> None:
    policy = demanding(operation, group("T", PERMISSIVE, 1), group("T", PERMISSIVE, 2))
    label = policy.label("A", {"Other": ["W"], "T": [f"V{number}" for number in chosen]})
    assert codes(policy, label) == ([] if met else [f"required-category-{operation}"])


def test_required_category_of_all_means_any_of_the_tag() -> None:
    policy = demanding("oneOrMore", group("T", PERMISSIVE))
    assert codes(policy, policy.label("A", {"Other": ["W"], "T": ["V3"]})) == []
    assert codes(policy, policy.label("A", {"Other": ["W"]})) == ["required-category-oneOrMore"]


def test_required_category_binds_only_what_demands_it() -> None:
    policy = demanding("all", group("T", PERMISSIVE, 1))
    assert codes(policy, policy.label("A", {"T": ["V2"]})) == []


def test_classification_may_require_categories() -> None:
    needs = required("oneOrMore", group("T", ENUMERATED_PERMISSIVE, 1))
    classification = (
        f'<s:securityClassification name="A" lacv="1" hierarchy="1">{needs}</s:securityClassification>'
    )
    policy = parse_policy(spif(classification, tag_set("T", ENUMERATED_PERMISSIVE, value("V", 1))))
    assert codes(policy, policy.label("A")) == ["required-category-oneOrMore"]
    assert codes(policy, policy.label("A", {"T": ["V"]})) == []


def test_excluded_category_is_a_problem() -> None:
    forbids = group("U", RESTRICTIVE, 1, "excludedCategory")
    tags = tag_set("T", PERMISSIVE, value("V", 1, forbids)) + tag_set(
        "U", RESTRICTIVE, value("X", 1) + value("Y", 2), 2
    )
    policy = parse_policy(spif(classes("A"), tags))
    assert codes(policy, policy.label("A", {"T": ["V"], "U": ["X"]})) == ["excluded-category"]
    assert codes(policy, policy.label("A", {"T": ["V"], "U": ["Y"]})) == []


def test_excluded_category_of_all_leaves_the_value_itself() -> None:
    forbids = group("T", PERMISSIVE, None, "excludedCategory")
    policy = parse_policy(
        spif(classes("A"), tag_set("T", PERMISSIVE, value("V", 1, forbids) + value("W", 2)))
    )
    assert codes(policy, policy.label("A", {"T": ["V"]})) == []
    assert codes(policy, policy.label("A", {"T": ["V", "W"]})) == ["excluded-category"]


def test_times_of_validity_are_judged_and_never_guessed() -> None:
    window = 'notBefore="2026-01-01T00:00:00Z" notAfter="2026-12-31T00:00:00+01:00"'
    policy = parse_policy(spif(classes("A"), tag_set("T", RESTRICTIVE, value("V", 1, attributes=window))))
    label = policy.label("A", {"T": ["V"]})
    assert codes(policy, label) == ["time-needed"]
    assert codes(policy, label, datetime(2025, 12, 31, tzinfo=UTC)) == ["not-yet-valid"]
    assert codes(policy, label, datetime(2026, 1, 1, tzinfo=UTC)) == []
    assert codes(policy, label, datetime(2026, 12, 30, 23, tzinfo=UTC)) == []
    assert codes(policy, label, datetime(2026, 12, 30, 23, 0, 1, tzinfo=UTC)) == ["no-longer-valid"]
    assert codes(policy, policy.label("A")) == []


def test_policy_itself_may_be_limited_in_time() -> None:
    policy = parse_policy(spif(classes("A"), attributes='notAfter="2026-01-01T00:00:00Z"'))
    assert codes(policy, policy.label("A"), datetime(2026, 1, 2, tzinfo=UTC)) == ["no-longer-valid"]
    assert codes(policy, policy.label("A"), datetime(2025, 1, 2, tzinfo=UTC)) == []


@pytest.mark.parametrize("level", ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"])
def test_shipped_policy_demands_one_context(level: str) -> None:
    def of(*contexts: str) -> list[str]:
        return codes(shipped(), shipped().label(level, {"Context": contexts}))

    assert of() == ["required-category-onlyOne"]
    assert of("NATO") == []
    assert "required-category-onlyOne" in of("NATO", "KFOR")


def test_shipped_policy_ties_releasable_to_its_values() -> None:
    def of(**values: list[str]) -> list[str]:
        given = {name.replace("_", " "): held for name, held in values.items()}
        return codes(shipped(), shipped().label("RESTRICTED", given))

    assert of(Context=["NATO", "Releasable"], Releasable_To=["NATO", "JPN"]) == []
    assert of(Context=["NATO", "Releasable"]) == ["required-category-oneOrMore"]
    assert of(Context=["NATO"], Releasable_To=["NATO", "JPN"]) == ["required-category-all"] * 2
    assert of(Context=["NATO", "Releasable"], Releasable_To=["JPN"]) == ["required-category-all"]
    assert of(Context=["NATO", "Releasable"], Releasable_To=["NATO"]) == ["required-category-oneOrMore"]


def test_shipped_policy_keeps_administrative_markings_to_unclassified() -> None:
    for tag in shipped().tags:
        if tag.name == "Administrative":
            for category in tag.categories:
                given = {"Context": ["NATO"], "Administrative": [category.name]}
                assert codes(shipped(), shipped().label("UNCLASSIFIED", given)) == []
                for level in ("RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"):
                    assert codes(shipped(), shipped().label(level, given)) == ["excluded-class"]


def test_published_policy_leaves_all_three_open() -> None:
    """Which is why the shipped policy is our own: without a context a label is open to every nation."""
    assert codes(published(), published().label("SECRET")) == []
    assert codes(published(), published().label("SECRET", {"Administrative": ["STAFF"]})) == []
