"""Acts that need a second person, and the originator's consent to what is passed on."""

from dataclasses import replace

import pytest

from policies import InvalidRequest
from policies.requests import (
    AccessRequest,
    Act,
    Action,
    Approval,
    ClearanceGrant,
    Consent,
    Document,
    Period,
    Proposal,
    Release,
    Role,
    Subject,
)
from policies.rules import Decision, decide, explain
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
    label,
    request,
    subject,
)

DIGEST, OTHER = "a" * 64, "b" * 64
EXPIRING = Period(NOW - DAY, NOW + DAY)
OFFICER = subject(person_id="officer", roles=frozenset({Role.OFFICER}), memberships=())
SECOND = replace(OFFICER, person_id="second")
PAPER = document(author_id="author")


def approval(
    approver: Subject = SECOND, act: Act = Act.DESTROY, digest: str = DIGEST, period: Period = EXPIRING
) -> Approval:
    return Approval(approver, act, digest, period)


def destroying(*approvals: Approval, paper: Document = PAPER, **changes: object) -> AccessRequest:
    proposal = Proposal(Act.DESTROY, DIGEST, approvals=approvals, **changes)  # type: ignore[arg-type]
    return AccessRequest(OFFICER, Action.GRANT_DOCUMENT, paper, environment(), proposal)


def refusing(decision: Decision) -> list[str]:
    return [item.rule for item in decision.verdicts if item.outcome == "refuses"]


def test_approved_act_is_permitted_to_an_officer_who_is_no_reader() -> None:
    decision = decide(destroying(approval()))
    assert decision.permitted
    silent = [item.rule for item in decision.verdicts if item.outcome == "not-asked"]
    assert silent == ["need-to-know", "releasable", "document-state", "handling"]


@pytest.mark.parametrize(
    "wrong",
    [
        approval(digest=OTHER),
        approval(act=Act.RELABEL),
        approval(period=ENDED),
        approval(period=FUTURE),
        approval(period=CURRENT),
        approval(replace(SECOND, person_id="officer")),
        approval(replace(SECOND, person_id="author")),
        approval(replace(SECOND, person_id="writer")),
        approval(replace(SECOND, account_active=False)),
        approval(replace(SECOND, organisation_active=False)),
        approval(replace(SECOND, roles=frozenset({Role.AUDITOR, Role.OFFICIAL}))),
        approval(replace(SECOND, clearances=())),
        approval(replace(SECOND, clearances=(ClearanceGrant(clearance(), ENDED),))),
        approval(replace(SECOND, clearances=(ClearanceGrant(clearance("RESTRICTED"), CURRENT),))),
    ],
    ids=[
        *(
            "other content",
            "other act",
            "ended",
            "to come",
            "without an end",
            "who asks",
            "author of document",
        ),
        *("author of proposal", "account", "organisation", "no officer", "no clearance", "lapsed", "too low"),
    ],
)
def test_approval_that_does_not_count(wrong: Approval) -> None:
    decision = decide(destroying(wrong, author_id="writer"))
    assert refusing(decision) == ["two-person"]
    assert decision.verdicts[-2].reason.code == "not-approved"
    assert decide(destroying(wrong, approval(), author_id="writer")).permitted


def test_without_an_approval_and_it_may_be_known() -> None:
    asked = destroying()
    decision = decide(asked)
    assert (decision.knowable, decision.knowable_rules) == (True, ("two-person",))
    assert explain(asked, decision) == ("A second person must approve exactly this first.",)
    assert explain(asked, decision, "officer")[-2].startswith(
        f"No approval counts: of this (destroy, {DIGEST}),"
    )


def test_nobody_can_be_told_apart_from_an_author_who_is_not_known() -> None:
    assert refusing(decide(destroying(approval(), paper=document()))) == ["two-person"]


def test_second_person_is_cleared_and_briefed_for_the_document_and_its_new_label() -> None:
    special = (ClearanceGrant(clearance(Additional_Sensitivity={"ATOMAL"}), CURRENT),)
    told = (instruction(Additional_Sensitivity={"ATOMAL"}),)
    knowing = replace(SECOND, clearances=special, briefings=told)
    asks = replace(OFFICER, clearances=special, briefings=told)

    def relabelling(approver: Subject, old: str, new: str) -> bool:
        proposal = Proposal(Act.RELABEL, DIGEST, label(new), approvals=(approval(approver, Act.RELABEL),))
        paper = document(old, author_id="author")
        return decide(AccessRequest(asks, Action.GRANT_DOCUMENT, paper, environment(), proposal)).permitted

    for old, new in (("NATO SECRET ATOMAL", "NATO SECRET"), ("NATO SECRET", "NATO SECRET ATOMAL")):
        assert relabelling(knowing, old, new)
        assert not relabelling(SECOND, old, new)
        assert not relabelling(replace(knowing, briefings=()), old, new)
    assert relabelling(SECOND, "NATO SECRET", "NATO RESTRICTED")


def test_act_needs_a_proposal_that_the_action_can_carry_out() -> None:
    asked = AccessRequest(OFFICER, Action.GRANT_DOCUMENT, PAPER, environment())
    assert decide(asked).verdicts[-2].reason.code == "nothing-proposed"
    wrong = replace(asked, proposal=Proposal(Act.EXPORT, DIGEST, approvals=(approval(act=Act.EXPORT),)))
    assert refusing(decide(wrong)) == ["two-person"]
    released = replace(asked, proposal=Proposal(Act.RELEASE, DIGEST))
    assert decide(released).permitted
    assert explain(released, decide(released), "officer")[-2] == "release needs no second person."


def test_officer_is_cleared_for_what_they_change() -> None:
    low = replace(OFFICER, clearances=(ClearanceGrant(clearance("RESTRICTED"), CURRENT),))
    decision = decide(replace(destroying(approval()), subject=low))
    assert (decision.rule, decision.knowable) == ("label-dominated", False)
    assert refusing(decide(replace(destroying(approval()), subject=subject()))) == ["role-permits"]


def test_new_label_is_not_above_the_ceiling() -> None:
    top = replace(OFFICER, clearances=(ClearanceGrant(clearance("TOP SECRET"), CURRENT),))
    second = replace(top, person_id="second")
    for new, permitted in ((label("COSMIC TOP SECRET"), False), (label("NATO SECRET"), True)):
        proposal = Proposal(Act.RELABEL, DIGEST, new, approvals=(approval(second, Act.RELABEL),))
        decision = decide(AccessRequest(top, Action.GRANT_DOCUMENT, PAPER, environment(), proposal))
        assert refusing(decision) == ([] if permitted else ["system-ceiling"])
    unknown = replace(label("NATO SECRET"), classification="ULTRA")
    proposal = Proposal(Act.RELABEL, DIGEST, unknown, approvals=(approval(second, Act.RELABEL),))
    decision = decide(AccessRequest(top, Action.GRANT_DOCUMENT, PAPER, environment(), proposal))
    assert "system-ceiling" in refusing(decision)


@pytest.mark.parametrize(
    ("action", "act", "role"),
    [(Action.GRANT_POLICY, Act.ACTIVATE, Role.OFFICER), (Action.LOG_EXPORT, Act.EXPORT, Role.AUDITOR)],
)
def test_policy_and_disclosing_export_need_a_second_officer(action: Action, act: Act, role: Role) -> None:
    person = subject(roles=frozenset({role}))
    proposal = Proposal(act, DIGEST)
    asked = AccessRequest(person, action, None, environment(), proposal)
    decision = decide(asked)
    assert (decision.permitted, decision.knowable_rules) == (False, ("two-person",))
    assert explain(asked, decision) == ("A second person must approve exactly this first.",)
    approved = replace(asked, proposal=replace(proposal, approvals=(approval(act=act),)))
    assert decide(approved).permitted
    assert explain(approved, decide(approved))[-1] == "A second person has approved it."
    inactive = replace(asked, subject=replace(person, account_active=False))
    assert decide(inactive).knowable is False


def test_policy_is_never_activated_without_a_proposal_and_plain_exports_need_none() -> None:
    assert refusing(decide(AccessRequest(OFFICER, Action.GRANT_POLICY, None, environment()))) == [
        "two-person"
    ]
    auditor = subject(roles=frozenset({Role.AUDITOR}))
    assert decide(AccessRequest(auditor, Action.LOG_EXPORT, None, environment())).permitted
    assert decide(
        AccessRequest(auditor, Action.LOG_READ, None, environment(), Proposal(Act.EXPORT, DIGEST))
    ).permitted


@pytest.mark.parametrize(
    ("act", "digest", "new"),
    [
        (Act.DESTROY, "A" * 64, None),
        (Act.DESTROY, "a" * 63, None),
        (Act.RELABEL, DIGEST, None),
        (Act.DESTROY, DIGEST, "NATO SECRET"),
    ],
)
def test_proposal_that_says_nothing_exact_is_a_mistake(act: Act, digest: str, new: str | None) -> None:
    with pytest.raises(InvalidRequest):
        Proposal(act, digest, None if new is None else label(new))


# -- the originator's consent


def released(consent_of: str | None, period: Period = CURRENT, to: str = "person") -> Release:
    return Release("person", to, period, consent_of)


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        ((released("company"),), "originator-consents"),
        ((released(None),), "no-originator-consent"),
        ((released("agency"),), "no-originator-consent"),
        ((released(None), released("company")), "originator-consents"),
        ((released(None), released("company", ENDED)), "no-originator-consent"),
        ((released("company", to="stranger"), released(None)), "no-originator-consent"),
        ((), "not-passed-on"),
    ],
)
def test_release_of_a_controlled_document_is_its_originators(
    releases: tuple[Release, ...], expected: str
) -> None:
    paper = document(addressee_id="ministry", originator_controlled=True, releases=releases)
    decision = decide(request(document_=paper))
    codes = {item.rule: item.reason.code for item in decision.verdicts}
    assert codes["originator-consent"] == expected
    assert decision.permitted is (expected == "originator-consents")
    assert not decision.knowable
    free = decide(request(document_=replace(paper, originator_controlled=False)))
    assert free.permitted is bool(releases)
    assert {item.reason.code for item in free.verdicts} >= {"not-originator-controlled"}


def test_own_organisation_and_addressee_need_no_consent() -> None:
    for person in (subject(organisation_id="company"), subject(organisation_id="agency")):
        assert decide(
            request(person, document(originator_controlled=True, releases=(released(None),)))
        ).permitted


@pytest.mark.parametrize(
    ("act", "new", "consents", "permitted"),
    [
        (Act.RELEASE, None, (), False),
        (Act.RELEASE, None, (Consent("company", Act.RELEASE, CURRENT),), True),
        (Act.RELEASE, None, (Consent("agency", Act.RELEASE, CURRENT),), False),
        (Act.RELEASE, None, (Consent("company", Act.RELABEL, CURRENT),), False),
        (Act.RELEASE, None, (Consent("company", Act.RELEASE, ENDED),), False),
        (Act.RELABEL, "NATO RESTRICTED", (), False),
        (Act.RELABEL, "NATO RESTRICTED", (Consent("company", Act.RELABEL, CURRENT),), True),
        (Act.RELABEL, "NATO SECRET", (), True),
        (Act.DESTROY, None, (), True),
    ],
)
def test_passing_on_a_controlled_document_needs_consent_to_that_act(
    act: Act, new: str | None, consents: tuple[Consent, ...], permitted: bool
) -> None:
    paper = replace(PAPER, originator_controlled=True, consents=consents)
    proposal = Proposal(act, DIGEST, None if new is None else label(new), approvals=(approval(act=act),))
    asked = AccessRequest(OFFICER, Action.GRANT_DOCUMENT, paper, environment(), proposal)
    assert refusing(decide(asked)) == ([] if permitted else ["originator-consent"])
    own = replace(asked, subject=replace(OFFICER, organisation_id="company"))
    assert decide(own).permitted
    assert decide(replace(asked, document=replace(paper, originator_controlled=False))).permitted


def test_controlled_document_and_nothing_proposed() -> None:
    asked = AccessRequest(
        OFFICER, Action.GRANT_DOCUMENT, replace(PAPER, originator_controlled=True), environment()
    )
    assert refusing(decide(asked)) == ["originator-consent", "two-person"]
