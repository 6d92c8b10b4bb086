"""What a change of policy would do, streamed, against deciding everything twice."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policies import SHIPPED, Label, SecurityPolicy, parse_policy
from policies.changes import (
    PROGRESS_EVERY,
    AccessChange,
    LabelChange,
    Population,
    Progress,
    Summary,
    Touched,
    compare,
    summarise,
)
from policies.requests import (
    AccessRequest,
    Action,
    Document,
    Environment,
    Handling,
    Membership,
    Ruleset,
    ScanState,
    Subject,
)
from policies.rules import decide
from tests.policies.builders import ENDED, NOW, SMALL, environment, label, shipped, small, subject
from tests.policies.test_rules_properties import labels, subjects

STRICTER = parse_policy(
    SMALL.replace(b"<s:excludedClass>LOW</s:excludedClass>", b"<s:excludedClass>MID</s:excludedClass>")
)
SECRET, LOW = label("NATO SECRET"), label("NATO RESTRICTED")
NO_SECRET = parse_policy(
    SHIPPED.read_bytes().replace(b'name="SECRET" lacv="4"', b'name="SECRET" obsolete="true" lacv="4"')
)


def changes(
    old: SecurityPolicy | Ruleset, new: SecurityPolicy | Ruleset, *people: Subject, **documents: int
) -> list[object]:
    held = {("programme", label(name.replace("_", " "))): number for name, number in documents.items()}
    return list(compare(old, new, Population(NOW, people, held)))


def test_nothing_changes_under_the_same_policy() -> None:
    assert changes(shipped(), shipped(), subject(), NATO_SECRET=3) == [Progress(1, 1)]


def test_label_becomes_invalid_and_everybody_loses_it() -> None:
    found = changes(shipped(), NO_SECRET, subject(), NATO_SECRET=3, NATO_RESTRICTED=2)
    invalid, lost, end = found
    assert isinstance(invalid, LabelChange)
    assert (invalid.label, invalid.documents) == (SECRET, 3)
    assert [reason.code for reason in invalid.reasons] == ["obsolete-classification"]
    assert lost == AccessChange("person", "programme", SECRET, 3, gained=False)
    assert end == Progress(1, 1)


def test_label_becomes_valid_and_is_gained() -> None:
    found = changes(NO_SECRET, shipped(), subject(), NATO_SECRET=3)
    assert found[:2] == [
        LabelChange(SECRET, 3, ()),
        AccessChange("person", "programme", SECRET, 3, gained=True),
    ]


def test_only_programmes_of_current_members_count() -> None:
    stranger = subject(memberships=(Membership("programme", ENDED), Membership("other", ENDED)))
    assert changes(shipped(), NO_SECRET, stranger, NATO_SECRET=1)[1:] == [Progress(1, 1)]


def test_settings_count_where_rulesets_are_compared() -> None:
    rules = environment().rules
    viewed = Ruleset(
        shipped(), "SECRET", assurance=dict(rules.assurance), handling={"SECRET": Handling.VIEW_ONLY}
    )
    (lost, _) = changes(rules, viewed, subject(), NATO_SECRET=1, NATO_RESTRICTED=1)
    assert lost == AccessChange("person", "programme", SECRET, 1, gained=False)
    held = {("programme", SECRET): 1}
    looked = compare(rules, viewed, Population(NOW, [subject()], held), Action.DOCUMENT_PREVIEW)
    assert list(looked) == [Progress(1, 1)]


def test_policies_alone_are_compared_without_ceiling_or_sign_in() -> None:
    weak = subject(assurance=1)
    (_, lost, _) = changes(shipped(), NO_SECRET, weak, NATO_SECRET=1)
    assert isinstance(lost, AccessChange)


def test_people_are_streamed_with_progress() -> None:
    asked: list[int] = []

    def people() -> Iterator[Subject]:
        for number in range(2 * PROGRESS_EVERY + 1):
            asked.append(number)
            yield subject(person_id=str(number))

    stream = compare(shipped(), NO_SECRET, Population(NOW, people(), {("programme", SECRET): 1}, size=201))
    assert isinstance(next(stream), LabelChange)
    assert asked == []
    assert next(stream) == AccessChange("0", "programme", SECRET, 1, gained=False)
    assert asked == [0]
    rest = list(stream)
    assert [item for item in rest if isinstance(item, Progress)] == [
        Progress(100, 201),
        Progress(200, 201),
        Progress(201, 201),
    ]


def test_summary_counts_by_programme_and_label() -> None:
    people = [
        subject(
            person_id=name,
            memberships=(*subject().memberships, replace(subject().memberships[0], programme_id="coast")),
        )
        for name in ("one", "two")
    ]
    held = {("programme", SECRET): 3, ("coast", SECRET): 1, ("coast", LOW): 7}
    lost = summarise(compare(shipped(), NO_SECRET, Population(NOW, people, held)))
    touched = {("programme", SECRET): Touched(2, 3), ("coast", SECRET): Touched(2, 1)}
    assert lost == Summary({}, touched, {SECRET: lost.invalid[SECRET]}, {}, 2)
    assert lost.invalid[SECRET].documents == 4
    gained = summarise(compare(NO_SECRET, shipped(), Population(NOW, people, held)))
    assert (gained.gained, gained.lost, gained.people) == (touched, {}, 2)
    assert gained.valid == {SECRET: LabelChange(SECRET, 4, ())}


def test_nobody_and_nothing() -> None:
    assert changes(shipped(), NO_SECRET) == [Progress(0, 0)]
    assert summarise([]) == Summary()


def test_labels_of_another_policy_are_invalid_unless_they_have_an_alternative() -> None:
    both = Label.of("1.2.3", "GEHEIM").beside(SECRET)
    found = list(compare(small(), shipped(), Population(NOW, [subject()], {("programme", both): 2})))
    assert found[0] == LabelChange(both, 2, ())
    assert found[1] == AccessChange("person", "programme", both, 2, gained=True)


@settings(max_examples=100)
@given(
    subjects,
    st.dictionaries(st.tuples(st.sampled_from(["harbour", "coast"]), labels), st.integers(1, 9), max_size=6),
)
def test_change_is_what_deciding_everything_twice_gives(
    person: Subject, held: dict[tuple[str, Label], int]
) -> None:
    def permitted(policy: SecurityPolicy, programme: str, one: Label) -> bool:
        levels = {"LOW": 1, "MID": 1, "HIGH": 1}
        place = Environment(NOW, Ruleset(policy, "HIGH", clearance_from="LOW", assurance=levels))
        paper = Document("id", programme, one, person.organisation_id, "x", scan=ScanState.CLEAN)
        return decide(AccessRequest(person, Action.DOCUMENT_READ, paper, place)).permitted

    expected = {
        (programme, one): permitted(STRICTER, programme, one)
        for programme, one in held
        if permitted(small(), programme, one) is not permitted(STRICTER, programme, one)
    }
    found = list(compare(small(), STRICTER, Population(NOW, [person], held)))
    assert {
        (item.programme_id, item.label): item.gained for item in found if isinstance(item, AccessChange)
    } == expected
    for item in found:
        if isinstance(item, LabelChange):
            assert item.reasons == STRICTER.problems(item.label)
