"""Knowable denials and explanations: who is told what."""

from dataclasses import replace

import pytest

from policies.requests import (
    AccessRequest,
    Action,
    ClearanceGrant,
    Document,
    DocumentState,
    Membership,
    Period,
    Role,
    ScanState,
    Subject,
)
from policies.rules import Outcome, decide, explain
from tests.policies.builders import (
    CURRENT,
    DAY,
    ENDED,
    FUTURE,
    NOW,
    clearance,
    document,
    environment,
    instruction,
    request,
    subject,
)

EXPIRED = subject(clearances=(ClearanceGrant(clearance(), ENDED),))
TOP = subject(clearances=(ClearanceGrant(clearance("TOP SECRET"), CURRENT),), assurance=3)
NOTHING = ("There is no such document, or it is not open to you.",)


def told(person: Subject, paper: Document | None = None) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    asked = request(person, paper)
    decision = decide(asked)
    assert not decision.permitted
    return decision.knowable, decision.knowable_rules, explain(asked, decision)


def test_ended_clearance_may_be_known() -> None:
    assert told(EXPIRED) == (True, ("clearance-in-force",), ("Your clearance ended on 20 November 2026.",))


def test_clearance_to_come_may_be_known() -> None:
    person = subject(clearances=(ClearanceGrant(clearance(), FUTURE),))
    assert told(person)[2] == ("Your clearance begins on 25 November 2026.",)


def test_the_latest_end_is_told() -> None:
    grants = (
        ClearanceGrant(clearance("RESTRICTED"), Period(NOW - 9 * DAY, NOW - DAY)),
        ClearanceGrant(clearance(), Period(NOW - 9 * DAY, NOW - 3 * DAY)),
        ClearanceGrant(clearance(), ENDED),
        ClearanceGrant(clearance(), FUTURE),
    )
    assert told(subject(clearances=grants))[2] == ("Your clearance ended on 21 November 2026.",)


def test_weak_sign_in_may_be_known() -> None:
    knowable, rules, sentences = told(subject(assurance=1))
    assert (knowable, rules) == (True, ("assurance",))
    assert sentences == ("This classification asks for a stronger sign-in: a second factor.",)


def test_withdrawal_may_be_known() -> None:
    found = told(subject(), document(state=DocumentState.WITHDRAWN))
    assert found == (True, ("document-state",), ("The document was withdrawn.",))


def test_several_things_may_be_known_together() -> None:
    person = replace(EXPIRED, assurance=1)
    assert told(person, document(state=DocumentState.WITHDRAWN))[1] == (
        "assurance",
        "clearance-in-force",
        "document-state",
    )


@pytest.mark.parametrize(
    ("person", "paper"),
    [
        (subject(memberships=()), document()),
        (subject(memberships=(Membership("programme", ENDED),)), document()),
        (subject(), document(addressee_id="ministry")),
        (subject(clearances=()), document()),
        (subject(clearances=(ClearanceGrant(clearance("RESTRICTED"), CURRENT),)), document()),
        (subject(clearances=(ClearanceGrant(clearance("RESTRICTED"), ENDED),)), document()),
        (subject(), document("NATO SECRET ATOMAL")),
        (subject(), document("NATO/KFOR SECRET")),
        (subject(account_active=False), document()),
        (subject(roles=frozenset({Role.AUDITOR})), document()),
        (subject(), document(state=DocumentState.QUARANTINED)),
        (subject(), document(state=DocumentState.EXPIRED)),
        (subject(), document(state=DocumentState.DESTROYED)),
        (subject(), document(scan=ScanState.FOUND)),
        (TOP, document("COSMIC TOP SECRET")),
    ],
)
@pytest.mark.parametrize("weaker", [False, True])
def test_everything_else_is_as_if_it_did_not_exist(person: Subject, paper: Document, weaker: bool) -> None:
    """Also when something that may be known is missing beside it."""
    asked = replace(person, assurance=1) if weaker else person
    assert told(asked, paper) == (False, (), NOTHING)
    withdrawn = replace(paper, state=DocumentState.WITHDRAWN)
    if paper.state is DocumentState.RECEIVED and paper.scan is not ScanState.FOUND:
        assert told(asked, withdrawn) == (False, (), NOTHING)


def test_lack_of_a_briefing_is_not_told() -> None:
    person = subject(clearances=(ClearanceGrant(clearance(Additional_Sensitivity={"ATOMAL"}), CURRENT),))
    assert told(person, document("NATO SECRET ATOMAL")) == (False, (), NOTHING)


def upload(person: Subject, marking: str = "NATO SECRET") -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    partner = replace(person, roles=frozenset({Role.PARTNER}), organisation_id="company")
    asked = request(partner, document(marking, id=None), Action.DOCUMENT_UPLOAD)
    decision = decide(asked)
    assert not decision.permitted
    return decision.knowable, decision.knowable_rules, explain(asked, decision)


def test_own_choice_of_a_label_may_be_known_to_be_too_high() -> None:
    assert upload(subject(), "NATO SECRET ATOMAL") == (
        True,
        ("label-dominated", "briefed"),
        (
            "Your clearance does not cover this label.",
            "The label asks for a briefing that you have not had.",
        ),
    )
    assert upload(TOP, "COSMIC TOP SECRET")[2] == ("This installation holds documents up to SECRET only.",)
    assert upload(subject(clearances=()))[1] == ("clearance-in-force", "label-dominated")
    assert upload(EXPIRED)[2] == ("Your clearance ended on 20 November 2026.",)


def test_programme_of_others_is_not_told_on_upload() -> None:
    assert upload(subject(memberships=())) == (False, (), NOTHING)


def test_action_without_a_document_is_refused_without_a_word_about_documents() -> None:
    asked = AccessRequest(subject(), Action.LOG_READ, None, environment())
    assert explain(asked, decide(asked)) == ("This is not part of what your account is for.",)


def test_permitted_request_says_why() -> None:
    asked = request()
    assert explain(asked, decide(asked)) == (
        "Your account is active.",
        "Your role includes this.",
        "You signed in strongly enough for this classification.",
        "Your clearance is in force.",
        "Your clearance covers the label.",
        "You are a member of the programme.",
        "The document was delivered to your organisation.",
        "The document is available.",
        "This installation may hold it.",
    )


def officer(asked: AccessRequest) -> dict[str, str]:
    decision = decide(asked)
    sentences = explain(asked, decision, "officer")
    assert len(sentences) == len(decision.verdicts)
    assert not any("{" in sentence for sentence in sentences)
    return {item.rule: text for item, text in zip(decision.verdicts, sentences, strict=True)}


def test_officer_reads_every_rule_with_its_particulars() -> None:
    person = subject(
        organisation_id="rival",
        assurance=1,
        clearances=(ClearanceGrant(clearance("RESTRICTED"), CURRENT),),
        memberships=(),
        organisation_active=False,
        roles=frozenset(),
    )
    settings = environment(ceiling="RESTRICTED", scan_required=frozenset({"SECRET"}))
    found = officer(request(person, document("NATO SECRET ATOMAL"), environment_=settings))
    assert found == {
        "account-active": "The organisation rival is not active.",
        "role-permits": "No role of the person (none) includes document.read.",
        "assurance": "Signed in with a password; SECRET asks for a second factor.",
        "clearance-in-force": "A clearance, or a briefing that stands in for one, is in force.",
        "label-dominated": "No clearance that was granted covers the label: "
        "The clearance does not list SECRET. The clearance lacks ATOMAL of Additional Sensitivity.",
        "need-to-know": "The person is not a current member of the programme programme.",
        "briefed": "No briefing in force lists Additional Sensitivity ATOMAL.",
        "facility": "SECRET asks for no facility clearance, or the person is no partner.",
        "originator-consent": "The originator does not control to whom the document is passed on.",
        "handling": "SECRET is handed out.",
        "two-person": "Does not apply to document.read.",
        "place-and-time": "Neither networks nor hours are set for SECRET.",
        "releasable": "Originated by company, delivered to agency; no release in force names them.",
        "document-state": "SECRET must be scanned and clean; the scan says “not-scanned”.",
        "system-ceiling": "SECRET is above RESTRICTED, the highest that this installation may hold.",
    }


def test_officer_reads_what_has_lapsed() -> None:
    found = officer(request(EXPIRED))
    assert found["clearance-in-force"] == "The clearance that covers the label ended on 20 November 2026."
    assert found["label-dominated"] == "A clearance that was granted covers the label; it is not in force."


def test_officer_reads_why_a_label_is_invalid() -> None:
    paper = document()
    wrong = replace(paper, label=replace(paper.label, categories=()))
    assert officer(request(document_=wrong))["label-dominated"].startswith(
        "The label is not valid: SECRET requires"
    )


def test_officer_reads_that_nothing_was_granted() -> None:
    assert officer(request(subject(clearances=())))["label-dominated"].endswith("none was granted.")


def test_officer_reads_the_briefings_that_count() -> None:
    person = subject(
        clearances=(ClearanceGrant(clearance(Additional_Sensitivity={"ATOMAL", "CRYPTO"}), CURRENT),),
        briefings=(
            instruction(Additional_Sensitivity={"ATOMAL"}),
            instruction(Additional_Sensitivity={"CRYPTO"}, period=ENDED),
        ),
    )
    found = officer(request(person, document("NATO SECRET ATOMAL CRYPTO")))
    assert found["briefed"] == "No briefing in force lists Additional Sensitivity CRYPTO."
    found = officer(request(person, document("NATO SECRET ATOMAL")))
    assert found["briefed"].endswith("every special category of the label: Additional Sensitivity ATOMAL.")


def test_officer_reads_which_rules_do_not_apply() -> None:
    asked = AccessRequest(subject(assurance=9), Action.LOG_READ, None, environment())
    found = officer(asked)
    assert found["releasable"] == "Does not apply to log.read."
    assert found["role-permits"] == "No role of the person (official) includes log.read."
    assert officer(request(subject(assurance=9)))["assurance"].startswith("Signed in with 9;")


def test_not_asked_is_never_a_permission() -> None:
    decision = decide(request(EXPIRED))
    outcomes = {item.rule: item.outcome for item in decision.verdicts}
    assert outcomes["label-dominated"] is Outcome.NOT_ASKED
    assert not decision.permitted
