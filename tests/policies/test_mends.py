"""The least that would have to change: it is enough, and nothing less would do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Clearance
from policies.mends import TEXTS, Mend, least_changes
from policies.places import network
from policies.requests import (
    AccessRequest,
    Acknowledgement,
    Action,
    Briefing,
    ClearanceGrant,
    DocumentState,
    Environment,
    FacilityClearance,
    Handling,
    Membership,
    Period,
    Release,
    ReleasedTo,
    Role,
    ScanState,
    Subject,
)
from policies.rules import decide
from policies.verdicts import Outcome
from tests.policies.builders import (
    CURRENT,
    ENDED,
    NOW,
    clearance,
    document,
    environment,
    request,
    shipped,
    subject,
)
from tests.policies.test_rules_properties import documents, places, subjects

ATOMAL = "COSMIC TOP SECRET ATOMAL"


def mends(asked: AccessRequest) -> tuple[Mend, ...]:
    return least_changes(asked, decide(asked))


def only(asked: AccessRequest) -> Mend:
    (mend,) = mends(asked)
    return mend


def test_nothing_has_to_change_for_what_is_permitted() -> None:
    assert mends(request()) == ()


def test_every_missing_thing_is_one_change() -> None:
    nobody = subject(clearances=(), memberships=(), roles=frozenset({Role.AUDITOR}), assurance=1)
    found = mends(request(nobody))
    assert [mend.rules for mend in found] == [
        ("role-permits",),
        ("assurance",),
        ("clearance-in-force", "label-dominated"),
        ("need-to-know",),
    ]
    assert all(mend.possible for mend in found)


def test_smallest_clearance_lists_the_level_alone_and_one_value_of_each_choice() -> None:
    released = document("NATO RESTRICTED Releasable to Japan, Switzerland, Ukraine")
    found = only(request(subject(clearances=()), released))
    assert found.clearance == Clearance(
        shipped().id,
        frozenset({"RESTRICTED"}),
        {"Releasable To": frozenset({"JPN"}), "Context": frozenset({"NATO"})},
    )
    assert "RESTRICTED" in found.text


def test_value_that_is_held_already_is_taken_for_a_choice() -> None:
    ukraine = Clearance(shipped().id, frozenset(), {"Releasable To": frozenset({"UKR"})})
    held = ClearanceGrant(ukraine, CURRENT)
    released = document("NATO RESTRICTED Releasable to Japan, Switzerland, Ukraine")
    found = only(request(subject(clearances=(held,)), released))
    assert found.clearance is not None
    assert found.clearance.categories["Releasable To"] == {"UKR"}
    assert "adds RESTRICTED, Context NATO to one that is held" in found.text


def test_clearance_that_lacks_least_is_widened() -> None:
    low = ClearanceGrant(Clearance(shipped().id, frozenset({"RESTRICTED"})), CURRENT)
    near = ClearanceGrant(clearance("CONFIDENTIAL"), CURRENT)
    ended = ClearanceGrant(Clearance(shipped().id, frozenset({"SECRET"})), ENDED)
    other = ClearanceGrant(Clearance("2.25.99", frozenset({"SECRET"})), CURRENT)
    found = only(request(subject(clearances=(other, low, near, ended))))
    assert "adds SECRET to one that is held" in found.text


def test_clearance_that_ended_is_renewed() -> None:
    found = only(request(subject(clearances=(ClearanceGrant(clearance(), ENDED),))))
    assert (found.rules, found.reason.code) == (("clearance-in-force",), "clearance-renewed")
    assert found.clearance == clearance()


def test_label_that_does_not_hold_is_mended_by_no_grant() -> None:
    bare = replace(document(), label=shipped().label("SECRET"))
    found = only(request(document_=bare))
    assert (found.possible, found.reason.code) == (False, "label-invalid")


def test_briefing_names_exactly_what_is_missing() -> None:
    paper = document(ATOMAL)
    person = subject(
        clearances=(ClearanceGrant(clearance("TOP SECRET", Additional_Sensitivity={"ATOMAL"}), CURRENT),),
        assurance=3,
    )
    found = only(request(person, paper, environment_=environment(ceiling="TOP SECRET")))
    assert found.briefing == {"Additional Sensitivity": {"ATOMAL"}}


@pytest.mark.parametrize(
    ("changes", "code", "possible"),
    [
        ({"subject_": subject(account_active=False)}, "account-inactive", True),
        ({"subject_": subject(organisation_active=False)}, "organisation-inactive", True),
        ({"document_": document(state=DocumentState.DESTROYED)}, "document-destroyed", False),
        ({"document_": document(scan=ScanState.FOUND)}, "scan-found", False),
        ({"document_": document(addressee_id="others")}, "not-released", True),
        ({"environment_": environment(ceiling="CONFIDENTIAL")}, "above-ceiling", False),
        ({"environment_": environment(handling={"SECRET": Handling.VIEW_ONLY})}, "handling-view-only", False),
        ({"environment_": environment(networks={"SECRET": (network("192.0.2.0/24"),)})}, "outside-networks", True),
    ],
)  # fmt: skip
def test_every_refusal_has_its_change(changes: dict[str, object], code: str, possible: bool) -> None:
    found = only(request(**changes))  # type: ignore[arg-type]
    assert (found.reason.code, found.possible) == (code, possible)
    assert "{" not in found.text


def test_every_code_that_a_rule_refuses_with_has_words() -> None:
    from policies.explanation import OFFICER_TEXTS

    permitting = {
        "not-asked", "account-active", "role-permits", "assurance-enough", "clearance-in-force", "label-dominated",
        "clearance-answers", "member", "no-special-category", "briefed", "facility-not-needed", "facility-cleared",
        "not-originator-controlled", "not-passed-on", "originator-consents", "handling-open", "handling-viewed",
        "second-person-not-needed", "approved", "place-not-limited", "place-and-time", "own-organisation", "delivered",
        "released", "document-available", "document-admitted", "within-ceiling", "clearance-ended", "clearance-begins",
    }  # fmt: skip
    by_clearance = {"no-clearance-in-force", "clearance-lapsed", "label-beyond-clearance"}
    assert set(OFFICER_TEXTS) - permitting - by_clearance <= set(TEXTS)


@pytest.mark.parametrize(
    ("controlled", "consent", "expected"),
    [
        (False, None, [("need-to-know", "releasable")]),
        (True, "company", [("need-to-know", "releasable")]),
        (True, "agency", [("need-to-know",), ("releasable",)]),
    ],
)
def test_whoever_becomes_a_member_reads_what_is_released_to_the_programme(
    controlled: bool, consent: str | None, expected: list[tuple[str, ...]]
) -> None:
    to_all = Release(ReleasedTo.PROGRAMME, "programme", CURRENT, consent)
    paper = document(addressee_id="company", releases=(to_all,), originator_controlled=controlled)
    asked = request(subject(memberships=()), paper)
    assert [mend.rules for mend in mends(asked)] == expected
    for release in (replace(to_all, to_id="other"), replace(to_all, period=ENDED)):
        apart = request(subject(memberships=()), replace(paper, releases=(release,)))
        assert [mend.rules for mend in mends(apart)] == [("need-to-know",), ("releasable",)]


HIDDEN = ("scan-missing", "scan-found", "instruction-not-acknowledged", "outside-hours")
"""What is looked at only once something before it, of the same rule, is mended."""


def applied(asked: AccessRequest, found: Mend) -> AccessRequest:
    """Do what a mend says."""
    person, paper, place = asked.subject, asked.document, asked.environment
    assert paper is not None
    policy = place.rules.policy
    own = paper.label.under(policy.id) or paper.label
    ever = Period(NOW - (NOW - ENDED.start))
    match found.reason.code:
        case "account-inactive" | "organisation-inactive":
            person = replace(person, account_active=True, organisation_active=True)
        case "no-role-permits":
            person = replace(person, roles=person.roles | {Role.OFFICIAL})
        case "assurance-too-low":
            person = replace(person, assurance=3)
        case "clearance-grant" | "clearance-widened" | "clearance-renewed":
            assert found.clearance is not None
            person = replace(person, clearances=(*person.clearances, ClearanceGrant(found.clearance, ever)))
        case "not-a-member":
            person = replace(person, memberships=(*person.memberships, Membership(paper.programme_id, ever)))
        case "not-briefed":
            assert found.briefing is not None
            held = Briefing(policy.id, frozenset(), found.briefing, ever)
            person = replace(person, briefings=(*person.briefings, held))
        case "instruction-not-acknowledged":
            done = Acknowledgement(policy.id, frozenset({own.classification}), ever)
            person = replace(person, acknowledgements=(*person.acknowledgements, done))
        case "facility-not-cleared":
            person = replace(
                person,
                facilities=(
                    *person.facilities,
                    FacilityClearance(policy.id, frozenset({own.classification}), ever),
                ),
            )
        case "not-released":
            release = Release(ReleasedTo.PERSON, person.person_id, ever, consent_of=paper.originator_id)
            paper = replace(paper, releases=(*paper.releases, release))
        case "no-originator-consent":
            release = Release(ReleasedTo.PERSON, person.person_id, ever, consent_of=paper.originator_id)
            paper = replace(paper, releases=(release, *paper.releases))
        case "document-quarantined":
            paper = replace(paper, state=DocumentState.RECEIVED)
        case "scan-missing":
            paper = replace(paper, scan=ScanState.CLEAN)
        case "outside-networks":
            address = str(place.rules.networks[own.classification][0][0])
            place = replace(place, address=address)
        case code:
            raise AssertionError(code)
    return AccessRequest(person, asked.action, paper, place)


@settings(max_examples=400)
@given(subjects, documents, places, st.sampled_from([Action.DOCUMENT_READ, Action.DOCUMENT_SHOW]))
def test_doing_all_of_it_is_enough_and_doing_less_is_not(
    person: Subject, paper: object, place: Environment, action: Action
) -> None:
    asked = AccessRequest(person, action, paper, place)  # type: ignore[arg-type]
    found = mends(asked)
    refusing = {v.rule for v in decide(asked).verdicts if v.outcome is Outcome.REFUSES}
    assert {rule for mend in found for rule in mend.rules} == refusing
    if any(not mend.possible or mend.reason.code == "outside-hours" for mend in found):
        return
    changed = asked
    for mend in found:
        assert not decide(changed).permitted
        changed = applied(changed, mend)
    # A state that no longer refuses may show what it hid (a scan, say): that is the next thing to mend.
    for mend in mends(changed) if not decide(changed).permitted else ():
        assert mend.reason.code in HIDDEN


def test_what_is_missing_for_an_action_about_no_document_is_said_without_one() -> None:
    asked = AccessRequest(subject(roles=frozenset({Role.PARTNER})), Action.LOG_SEARCH, None, environment())
    mend = only(asked)
    assert (mend.rules, mend.text, mend.possible) == (("role-permits",), "Give one role: auditor.", True)
