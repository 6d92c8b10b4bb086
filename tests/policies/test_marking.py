"""Display markings, and labels read back from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import InvalidLabel, Label, SecurityPolicy, parse_policy, stanag4774
from tests.policies.builders import (
    INFORMATIVE,
    PERMISSIVE,
    classes,
    published,
    shipped,
    small,
    spif,
    tag_set,
    value,
)
from tests.shared import POLICIES

TABLE_17 = [
    (
        1,
        "NATO UNCLASSIFIED Releasable to ISAF, KFOR, RESOLUTE SUPPORT",
        "NATO SANS CLASSIFICATION Communicable a ISAF, KFOR, RESOLUTE SUPPORT",
    ),
    (2, "NATO UNCLASSIFIED", "NATO SANS CLASSIFICATION"),
    (3, "NATO UNCLASSIFIED - STAFF", "NATO SANS CLASSIFICATION - STAFF"),
    (
        4,
        "NATO RESTRICTED Releasable to Japan, Switzerland, Ukraine",
        "NATO DIFFUSION RESTREINTE Communicable a Japon, Suisse, Ukraine",
    ),
    (
        6,
        "NATO/KFOR CONFIDENTIAL Ireland, Sweden, Ukraine, NATO ONLY",
        "NATO/KFOR CONFIDENTIEL Irlande, Suède, Ukraine, NATO SEULEMENT",
    ),
]


PIECES = ["NATO", "COSMIC", "SECRET", "TOP", "-", "STAFF", "ONLY", ",", "Japan", "ATOMAL"]


@pytest.mark.parametrize(("number", "english", "french"), TABLE_17)
@pytest.mark.parametrize("policy", [published(), shipped()], ids=["published", "shipped"])
def test_table_17_reads_as_published(policy: SecurityPolicy, number: int, english: str, french: str) -> None:
    label = stanag4774.parse((POLICIES / f"label-nato-{number}.4774.xml").read_bytes(), policy)
    assert policy.marking(label) == english
    assert policy.marking(label, "fr") == french
    assert policy.marking(label, "fr-CA") == french
    assert policy.marking(label, "de") == english


@pytest.mark.parametrize(("number", "english", "french"), TABLE_17)
def test_table_17_reads_back_under_the_shipped_policy(number: int, english: str, french: str) -> None:
    label = stanag4774.parse((POLICIES / f"label-nato-{number}.4774.xml").read_bytes(), shipped())
    assert shipped().parse_marking(english.lower()) == label
    assert shipped().parse_marking(f"  {french.upper()} ", "fr") == label


def test_top_secret_is_cosmic() -> None:
    assert published().marking(Label.of(published().id, "TOP SECRET")) == "COSMIC TOP SECRET"
    label = shipped().parse_marking("COSMIC TOP SECRET")
    assert label == Label.of(shipped().id, "TOP SECRET", {"Context": ["NATO"]})
    assert shipped().marking(label, "fr") == "COSMIC TRES SECRET"


def test_nato_secret_has_the_context_nato() -> None:
    label = shipped().parse_marking("NATO SECRET")
    assert label == Label.of("1.3.26.1.3.1", "SECRET", {"Context": ["NATO"]})


@pytest.mark.parametrize(
    ("text", "classification", "values"),
    [
        ("NATO SECRET ATOMAL CRYPTO", "SECRET", {"Additional Sensitivity": ["ATOMAL", "CRYPTO"]}),
        ("nato secret crypto atomal", "SECRET", {"Additional Sensitivity": ["ATOMAL", "CRYPTO"]}),
        ("COSMIC TOP SECRET BOHEMIA", "TOP SECRET", {"Additional Sensitivity": ["BOHEMIA"]}),
        (
            "NATO RESTRICTED Releasable to Ukraine , Korea, Republic of,Japan",
            "RESTRICTED",
            {"Releasable To": ["NATO", "UKR", "KOR", "JPN"], "Context": ["NATO", "Releasable"]},
        ),
        ("NATO CONFIDENTIAL NATO ONLY", "CONFIDENTIAL", {"Only": ["NATO"]}),
        (
            "NATO SECRET ATOMAL Releasable to Japan Ireland ONLY",
            "SECRET",
            {
                "Additional Sensitivity": ["ATOMAL"],
                "Releasable To": ["NATO", "JPN"],
                "Only": ["IRL"],
                "Context": ["NATO", "Releasable"],
            },
        ),
    ],
)
def test_marking_reads_in_any_order_case_and_spacing(
    text: str, classification: str, values: dict[str, list[str]]
) -> None:
    expected = Label.of(shipped().id, classification, {"Context": ["NATO"], **values})
    assert shipped().parse_marking(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "SECRET",
        "NATO",
        "EU SECRET",
        "NATO SECRETATOMAL",
        "NATO SECRET ATOMALCRYPTO",
        "NATO SECRET ATOMAL ATOMAL",
        "NATO SECRET ZEBRA",
        "NATO SECRET - STAFF",
        "NATO RESTRICTED ATOMAL",
        "NATO SECRET Releasable to",
        "NATO SECRET Releasable to Japan,",
        "NATO SECRET Japan",
        "NATO TOP SECRET",
        "NATO RESTRICTED SIOP ESI",
        "NATO SECRET NATO SECRET",
        "NATO\x00SECRET",
        "x" * 5000,
    ],
)
def test_what_is_no_marking_of_a_valid_label_is_refused(text: str) -> None:
    with pytest.raises(InvalidLabel) as caught:
        shipped().parse_marking(text)
    assert [reason.code for reason in caught.value.reasons] == ["unreadable-marking"]


@pytest.mark.parametrize("text", ["NATO SECRET", "COSMIC TOP SECRET", TABLE_17[3][1]])
def test_marking_that_fits_two_labels_is_refused(text: str) -> None:
    """The published policy shows neither the context's absence nor its value Releasable."""
    with pytest.raises(InvalidLabel) as caught:
        published().parse_marking(text)
    assert [reason.code for reason in caught.value.reasons] == ["ambiguous-marking"]


def test_too_many_unseen_values_make_a_marking_ambiguous() -> None:
    hidden = "<s:markingData><s:code>noNameDisplay</s:code></s:markingData>"
    values = "".join(value(f"V{number}", number, hidden) for number in range(13))
    policy = parse_policy(spif(classes("A"), tag_set("T", INFORMATIVE, values)))
    with pytest.raises(InvalidLabel) as caught:
        policy.parse_marking("TEST A")
    assert [reason.code for reason in caught.value.reasons] == ["ambiguous-marking"]


def test_marking_with_too_many_ways_to_be_read_is_refused_in_good_time() -> None:
    never = "<s:excludedClass>A</s:excludedClass>"
    values = "".join(value(" ".join("X" * number), number, never) for number in range(1, 30))
    separator = '<s:markingQualifier><s:qualifier markingQualifier=" " qualifierCode="separator"/></s:markingQualifier>'
    policy = parse_policy(spif(classes("A"), tag_set("T", PERMISSIVE, values + separator)))
    with pytest.raises(InvalidLabel) as caught:
        policy.parse_marking("TEST A " + " ".join("X" * 90))
    assert [reason.code for reason in caught.value.reasons] == ["ambiguous-marking"]


def test_marking_of_more_values_than_are_read_is_refused() -> None:
    values = "".join(value(f"V{number}", number) for number in range(202))
    policy = parse_policy(spif(classes("A"), tag_set("T", PERMISSIVE, values)))
    label = policy.label("A", {"T": [f"V{number}" for number in range(202)]})
    with pytest.raises(InvalidLabel):
        policy.parse_marking(policy.marking(label))


def choices(tag: str, level: str) -> st.SearchStrategy[list[str]]:
    (found,) = (item for item in shipped().tags if item.name == tag)
    usable = [
        category.name
        for category in found.categories
        if not category.obsolete and level not in category.excluded_classes
    ]
    return st.lists(st.sampled_from(usable), max_size=4, unique=True) if usable else st.just([])


@st.composite
def shipped_labels(draw: st.DrawFn) -> Label:
    level = draw(st.sampled_from([item.name for item in shipped().classifications]))
    contexts = [name for name in ("NATO", "EAPC", "KFOR", "ISAF") if level != "TOP SECRET" or name == "NATO"]
    values = {
        "Context": [draw(st.sampled_from(contexts))],
        "Additional Sensitivity": draw(choices("Additional Sensitivity", level)),
        "Releasable To": [name for name in draw(choices("Releasable To", level)) if name != "NATO"],
        "Only": draw(choices("Only", level)),
        "Administrative": draw(choices("Administrative", level)),
    }
    return shipped().compose(level, values)


@settings(max_examples=150)
@given(shipped_labels(), st.sampled_from(["en", "fr"]))
def test_marking_of_a_valid_label_reads_back(label: Label, language: str) -> None:
    marking = shipped().marking(label, language)
    assert shipped().parse_marking(marking, language) == label
    assert shipped().parse_marking(marking.swapcase(), language) == label


@settings(max_examples=300)
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_marking_reads_only_as_a_valid_label(text: str) -> None:
    try:
        label = shipped().parse_marking(text)
    except InvalidLabel:
        return
    assert shipped().problems(label) == ()


def test_every_plain_classification_reads_back() -> None:
    for item in shipped().classifications:
        label = shipped().compose(item.name)
        assert shipped().parse_marking(shipped().marking(label)) == label


def test_label_that_is_only_contradictory_still_has_its_words() -> None:
    label = shipped().label("RESTRICTED", {"Context": ["NATO", "KFOR"]})
    assert shipped().marking(label) == "NATO, NATO/KFOR RESTRICTED"


def test_label_of_unknown_names_has_no_marking() -> None:
    for label in (
        Label.of("2.25.8", "LOW"),
        Label.of("2.25.7", "ULTRA"),
        Label.of("2.25.7", "LOW", {"T": ["x"]}),
    ):
        with pytest.raises(InvalidLabel):
            small().marking(label)


def data(phrase: str | None, *codes: str, language: str = "") -> str:
    attribute = "" if phrase is None else f'phrase="{phrase}"'
    spoken = f'xml:lang="{language}"' if language else ""
    where = "".join(f"<s:code>{code}</s:code>" for code in codes)
    return f"<s:markingData {attribute} {spoken}>{where}</s:markingData>"


def qualifiers(position: str = "", **texts: str) -> str:
    items = "".join(
        f'<s:qualifier markingQualifier="{text}" qualifierCode="{kind}"/>' for kind, text in texts.items()
    )
    where = f'markingCode="{position}"' if position else ""
    return f"<s:markingQualifier {where}>{items}</s:markingQualifier>"


def of_value(marks: str, tag_marks: str = "") -> SecurityPolicy:
    return parse_policy(spif(classes("A"), tag_set("T", PERMISSIVE, value("V", 1, marks) + tag_marks)))


@pytest.mark.parametrize(
    ("marks", "position", "expected"),
    [
        ("", "pageTop", "TEST A V"),
        (data("words", "pageTop"), "pageTop", "TEST A words"),
        (data("words", "pageTop"), "pageBottom", "TEST A V"),
        (data("words", "pageTopBottom"), "pageBottom", "TEST A words"),
        (data("words", "pageTopBottom"), "documentStart", "TEST A V"),
        (data("top", "pageTop") + data("start", "documentStart"), "documentStart", "TEST A start"),
        (data("words", "noNameDisplay"), "pageTop", "TEST A words"),
        (data(None, "noNameDisplay"), "pageTop", "TEST A"),
        (data("words", "noMarkingDisplay"), "pageTop", "TEST A V"),
        (data("words", "noMarkingDisplay", "noNameDisplay"), "pageTop", "TEST A"),
        (data("words", "suppressClassName"), "pageTop", "TEST words"),
        (data("OTHER", "replacePolicy"), "pageTop", "OTHER A V"),
        (data("OTHER", "replacePolicy", "noNameDisplay"), "pageTop", "OTHER A"),
        (data("mots", "pageTop", language="fr"), "pageTop", "TEST A V"),
        (data("words", "pageTop", language="en-GB"), "pageTop", "TEST A words"),
        (qualifiers(prefix="(", suffix=")"), "pageTop", "TEST A (V)"),
        (qualifiers("pageBottom", prefix="b:") + qualifiers("pageTop", prefix="t:"), "pageTop", "TEST A t:V"),
        (
            qualifiers("pageBottom", prefix="b:") + qualifiers("pageTop", prefix="t:"),
            "pageBottom",
            "TEST A b:V",
        ),
    ],
)
def test_marking_data_means_what_the_schema_says(marks: str, position: str, expected: str) -> None:
    policy = of_value(marks)
    label = policy.label("A", {"T": ["V"]})
    assert policy.marking(label, position=position) == expected


def test_suppressed_classification_reads_back() -> None:
    policy = of_value(data("words", "suppressClassName"))
    assert policy.parse_marking("TEST words") == policy.label("A", {"T": ["V"]})
    assert policy.parse_marking("TEST A") == policy.label("A")
    with pytest.raises(InvalidLabel):
        policy.parse_marking("TEST A words")


def test_classifications_together_and_the_policy_may_be_qualified() -> None:
    given = classes("A") + qualifiers(prefix="*", suffix="*")
    policy = parse_policy(spif(given, after=data("THE TEST", "pageTop")))
    assert policy.marking(policy.label("A")) == "THE TEST *A*"
    assert policy.parse_marking("the test *a*") == policy.label("A")


def test_values_without_a_separator_are_set_off_by_commas() -> None:
    label = small().label("LOW", {"Nation": ["X", "Y"]})
    assert small().marking(label) == "TEST LOW X, Y"
