"""Properties of the rules on subjects, documents and settings drawn at random, against a naive decision."""

from dataclasses import replace
from datetime import UTC, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Clearance, Label
from policies.places import Hours, network
from policies.requests import (
    AccessRequest,
    Acknowledgement,
    Action,
    Briefing,
    ClearanceGrant,
    Document,
    DocumentState,
    Environment,
    FacilityClearance,
    Handling,
    Membership,
    Period,
    Release,
    ReleasedTo,
    Role,
    Ruleset,
    ScanState,
    Subject,
)
from policies.rules import Outcome, decide, explain, visible_labels, visible_programmes
from tests.policies.builders import DAY, NOW, shipped, small

LEVELS = ["LOW", "MID", "HIGH"]
VALUES = {"Caveat": ["A", "B"], "Nation": ["X", "Y"], "Note": ["N"], "Codeword": ["K"], "Group": ["G", "H"]}
ORGANISATIONS = ["agency", "company", "rival"]
PROGRAMMES = ["harbour", "coast"]

starts = st.integers(-3, 2)
periods = st.builds(
    lambda start, length: Period(NOW + start * DAY, None if length is None else NOW + (start + length) * DAY),
    starts,
    st.none() | st.integers(0, 4),
)
values = st.fixed_dictionaries(
    {}, optional={name: st.frozensets(st.sampled_from(held)) for name, held in VALUES.items()}
)
some_levels = st.frozensets(st.sampled_from(LEVELS))
policy_ids = st.sampled_from(["2.25.7"] * 9 + ["2.25.8"])
labels = st.builds(Label.of, policy_ids, st.sampled_from([*LEVELS * 3, "ULTRA"]), values)
subjects = st.builds(
    Subject,
    person_id=st.just("person"),
    organisation_id=st.sampled_from(ORGANISATIONS),
    nation=st.just("NOR"),
    account_active=st.sampled_from([True] * 5 + [False]),
    organisation_active=st.sampled_from([True] * 5 + [False]),
    roles=st.frozensets(st.sampled_from([Role.PARTNER, Role.OFFICIAL] * 3 + [*Role]), max_size=2),
    assurance=st.integers(1, 3),
    clearances=st.lists(
        st.builds(ClearanceGrant, st.builds(Clearance, policy_ids, some_levels, values), periods), max_size=3
    ).map(tuple),
    memberships=st.lists(st.builds(Membership, st.sampled_from(PROGRAMMES), periods), max_size=3).map(tuple),
    briefings=st.lists(st.builds(Briefing, policy_ids, some_levels, values, periods), max_size=2).map(tuple),
    facilities=st.lists(st.builds(FacilityClearance, policy_ids, some_levels, periods), max_size=2).map(
        tuple
    ),
    acknowledgements=st.lists(st.builds(Acknowledgement, policy_ids, some_levels, periods), max_size=2).map(
        tuple
    ),
)
documents = st.builds(
    Document,
    id=st.just("document"),
    programme_id=st.sampled_from(PROGRAMMES),
    label=labels,
    originator_id=st.sampled_from(ORGANISATIONS),
    addressee_id=st.sampled_from(ORGANISATIONS),
    state=st.sampled_from([DocumentState.RECEIVED] * 6 + [*DocumentState]),
    scan=st.sampled_from(ScanState),
    releases=st.lists(
        st.builds(
            Release,
            st.sampled_from(ReleasedTo),
            st.sampled_from([*ORGANISATIONS, *PROGRAMMES, "person"]),
            periods,
            st.sampled_from([*ORGANISATIONS, None]),
        ),
        max_size=2,
    ).map(tuple),
    originator_controlled=st.booleans(),
)
ADDRESSES = {"inside": "192.0.2.7", "outside": "198.51.100.7", "unknown": None}
NOON = Hours(time(11), time(13), UTC)
NIGHT = Hours(time(20), time(6), UTC)
places = st.builds(
    Environment,
    st.just(NOW),
    st.builds(
        Ruleset,
        st.just(small()),
        st.sampled_from(LEVELS),
        st.sampled_from(LEVELS),
        st.dictionaries(st.sampled_from(LEVELS), st.integers(1, 3)),
        some_levels,
        facility_from=st.sampled_from([*LEVELS, None]),
        instruction_required=some_levels,
        handling=st.dictionaries(st.sampled_from(LEVELS), st.sampled_from(Handling)),
        networks=st.dictionaries(st.sampled_from(LEVELS), st.just((network("192.0.2.0/24"),))),
        hours=st.dictionaries(st.sampled_from(LEVELS), st.sampled_from([(NOON,), (NIGHT,), (NIGHT, NOON)])),
    ),
    st.sampled_from([*ADDRESSES.values()]),
)
"""Circumstances with every setting that there is."""
actions = st.sampled_from([action for action in Action if action.startswith("document.")])


def now(period: Period) -> bool:
    return period.start <= NOW and (period.end is None or period.end > NOW)


def naive(person: Subject, action: Action, paper: Document, place: Environment) -> bool:
    """The table of rules read aloud, without masks, verdicts or shortcuts."""
    rules, label = place.rules, paper.label
    held = {name: set(chosen) for name, chosen in label.categories}
    if label.policy_id != "2.25.7" or label.classification not in LEVELS:
        return False
    if label.classification == "LOW" and "A" in held.get("Caveat", set()):
        return False
    if not person.account_active or not person.organisation_active:
        return False
    may = {
        Role.PARTNER: {"upload", "version", "list", "search", "show", "read", "preview"},
        Role.OFFICIAL: {"list", "search", "show", "read", "preview"},
    }
    if not any(action.removeprefix("document.") in may.get(role, set()) for role in person.roles):
        return False
    if person.assurance < rules.assurance.get(label.classification, 3):
        return False
    if LEVELS.index(label.classification) > LEVELS.index(rules.ceiling):
        return False
    clearances = [grant.clearance for grant in person.clearances if now(grant.period)]
    if LEVELS.index(label.classification) < LEVELS.index(rules.clearance_from):
        clearances += [
            Clearance(told.policy_id, told.classifications, told.categories)
            for told in person.briefings
            if now(told.period) and told.classifications
        ]
    if not any(covers(clearance, label.classification, held) for clearance in clearances):
        return False
    if not any(item.programme_id == paper.programme_id and now(item.period) for item in person.memberships):
        return False
    for name in ("Caveat", "Codeword"):
        for value in held.get(name, set()):
            if not any(
                now(told.period) and told.policy_id == "2.25.7" and value in told.categories.get(name, ())
                for told in person.briefings
            ):
                return False
    if not circumstances(person, action, label.classification, place):
        return False
    if action is Action.DOCUMENT_UPLOAD:
        return True
    if action is Action.DOCUMENT_READ and rules.handling.get(label.classification) == "view-only":
        return False
    if paper.state != "received" or paper.scan == "found":
        return False
    if label.classification in rules.scan_required and paper.scan != "clean":
        return False
    if paper.originator_id == person.organisation_id:
        return True
    if action is Action.DOCUMENT_VERSION:
        return False
    if paper.addressee_id == person.organisation_id:
        return True
    return any(
        now(item.period)
        and (not paper.originator_controlled or item.consent_of == paper.originator_id)
        and (
            (item.to_kind == "person" and item.to_id == person.person_id)
            or (item.to_kind == "organisation" and item.to_id == person.organisation_id)
            or (
                item.to_kind == "programme"
                and any(m.programme_id == item.to_id and now(m.period) for m in person.memberships)
            )
        )
        for item in paper.releases
    )


def circumstances(person: Subject, action: Action, level: str, place: Environment) -> bool:
    """The rules on premises, instructions, place and time, read aloud."""
    rules = place.rules
    needed = rules.facility_from is not None and LEVELS.index(level) >= LEVELS.index(rules.facility_from)
    cleared = any(
        held.policy_id == "2.25.7" and level in held.classifications and now(held.period)
        for held in person.facilities
    )
    if needed and "partner" in person.roles and not cleared:
        return False
    if level in rules.instruction_required and not any(
        done.policy_id == "2.25.7" and level in done.classifications and now(done.period)
        for done in person.acknowledgements
    ):
        return False
    if level in rules.networks and place.address != ADDRESSES["inside"]:
        return False
    return level not in rules.hours or NOON in rules.hours[level]


def covers(clearance: Clearance, classification: str, held: dict[str, set[str]]) -> bool:
    if clearance.policy_id != "2.25.7" or classification not in clearance.classifications:
        return False
    for name in ("Caveat", "Codeword"):
        if held.get(name, set()) - clearance.categories.get(name, frozenset()):
            return False
    return all(
        not held.get(name) or held[name] & clearance.categories.get(name, frozenset())
        for name in ("Nation", "Group")
    )


@settings(max_examples=400)
@given(subjects, actions, documents, places)
def test_decision_is_the_naive_one(
    person: Subject, action: Action, paper: Document, place: Environment
) -> None:
    assert decide(AccessRequest(person, action, paper, place)).permitted is naive(
        person, action, paper, place
    )


@settings(max_examples=120)
@given(subjects, actions, documents, places)
def test_verdicts_imply_the_decision(
    person: Subject, action: Action, paper: Document, place: Environment
) -> None:
    decision = decide(AccessRequest(person, action, paper, place))
    refusing = [item.rule for item in decision.verdicts if item.outcome is Outcome.REFUSES]
    assert decision.permitted is (not refusing)
    assert decision.rule == (refusing[0] if refusing else "")
    assert decision.knowable_rules == (tuple(refusing) if decision.knowable else ())
    assert not (decision.permitted and decision.knowable)


@settings(max_examples=120)
@given(subjects, actions, documents, places)
def test_more_grants_never_permit_less(
    person: Subject, action: Action, paper: Document, place: Environment
) -> None:
    always = Period(NOW)
    levels, held = frozenset(LEVELS), {name: frozenset(chosen) for name, chosen in VALUES.items()}
    more = replace(
        person,
        clearances=(*person.clearances, ClearanceGrant(Clearance("2.25.7", levels, held), always)),
        memberships=(*person.memberships, *(Membership(name, always) for name in PROGRAMMES)),
        briefings=(*person.briefings, Briefing("2.25.7", frozenset(), held, always)),
        assurance=3,
    )
    before = decide(AccessRequest(person, action, paper, place)).permitted
    assert decide(AccessRequest(more, action, paper, place)).permitted or not before


@settings(max_examples=120)
@given(subjects, documents, places)
def test_nobody_without_grants_reads_anything(person: Subject, paper: Document, place: Environment) -> None:
    for bare in (replace(person, clearances=(), briefings=()), replace(person, memberships=())):
        assert not decide(AccessRequest(bare, Action.DOCUMENT_READ, paper, place)).permitted


@settings(max_examples=120)
@given(subjects, st.lists(labels, max_size=8), places, actions)
def test_labels_in_bulk_are_the_labels_one_by_one(
    person: Subject, several: list[Label], place: Environment, action: Action
) -> None:
    """A document with nothing else against it shows exactly what its label says."""
    member = replace(person, memberships=(Membership("harbour", Period(NOW)),))
    papers = [
        Document("id", "harbour", label, person.organisation_id, "x", scan=ScanState.CLEAN)
        for label in several
    ]
    single = {
        paper.label for paper in papers if decide(AccessRequest(member, action, paper, place)).permitted
    }
    assert visible_labels(member, several, place, action) == single


@given(subjects, places)
def test_programmes_are_those_that_need_to_know_permits(person: Subject, place: Environment) -> None:
    active = person.account_active and person.organisation_active
    expected = {item.programme_id for item in person.memberships if now(item.period) and active}
    assert visible_programmes(person, place) == expected


@settings(max_examples=120)
@given(subjects, actions, documents, places)
def test_no_sentence_for_the_person_names_what_is_out_of_reach(
    person: Subject, action: Action, paper: Document, place: Environment
) -> None:
    label = Label.of(shipped().id, "SECRET", {"Context": ["KFOR"], "Additional Sensitivity": ["BOHEMIA"]})
    secretive = replace(
        paper, label=label, programme_id="nightjar", originator_id="quelling", addressee_id="zephyr"
    )
    rules = Ruleset(shipped(), "TOP SECRET", assurance={"SECRET": 1})
    asked = AccessRequest(person, action, secretive, Environment(NOW + timedelta(seconds=1), rules))
    decision = decide(asked)
    sentences = " ".join(explain(asked, decision)).casefold()
    assert not decision.permitted
    for hidden in ("kfor", "bohemia", "additional", "nightjar", "quelling", "zephyr", "person "):
        assert hidden not in sentences
    assert explain(asked, decision, "officer")
