"""Acts that take two: approvals are of exactly what is proposed, by somebody else, for a time, whatever the act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import requests as rq
from policies import rules
from policies.requests import Act, Action
from portal.errors import Conflict, NotFound, NotPermitted
from portal.models.database import Database
from portal.services.access import Access
from portal.services.alarm import Alarm
from portal.services.proposals import APPROVED_FOR, DONE, ActKind, Proposals
from tests.portal.factories import SettableClock, add_clearance
from tests.portal.services.conftest import Records, Staff

RELABELLING = ActKind(
    Act.RELABEL,
    Action.POLICY_PROPOSE,
    Action.POLICY_APPROVE,
    lambda content: f"document:{content['document']}",
)
EXPORTING = replace(RELABELLING, act=Act.EXPORT)
CONTENT = {"document": "d-1", "label": "NATO RESTRICTED", "instead_of": "NATO SECRET"}


@pytest.fixture
def proposals(
    database: Database, audit_log: Any, access: Access, clock: SettableClock, alarm: Alarm
) -> Proposals:
    return Proposals(database, audit_log, access, clock, alarm, RELABELLING)


def digest_of(proposals: Proposals, database: Database, made: str) -> str:
    with database.read() as session:
        return proposals.required(session, made).digest


def decision(proposals: Proposals, database: Database, access: Access, staff: Staff, made: str) -> Any:
    """Ask the rules whether the first officer may carry it out now, on a document that somebody else brought in."""
    policy = access.policy
    high, low = policy.parse_marking("NATO SECRET"), policy.parse_marking("NATO RESTRICTED")
    paper = rq.Document("d-1", "p-1", high, staff.organisation, staff.organisation, author_id="somebody")
    with database.read() as session:
        row = proposals.still_open(session, made)
        subject = access.subject(session, staff.officer)
        proposal = proposals.decided(session, row, low)
    environment = access.environment(staff.officer)
    return rules.decide(rq.AccessRequest(subject, Action.GRANT_DOCUMENT, paper, environment, proposal))


def test_an_act_upon_a_document_is_decided_with_the_approvals_of_what_was_proposed(
    proposals: Proposals, database: Database, access: Access, staff: Staff, clock: SettableClock
) -> None:
    for officer in (staff.officer, staff.second_officer):
        levels = ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"]
        add_clearance(database, officer.person_id, levels, {"Context": ["NATO"]})
    made = proposals.propose(staff.officer, CONTENT, "The study is over.")
    assert decision(proposals, database, access, staff, made).rule == "two-person"
    proposals.approve(staff.second_officer, made, digest_of(proposals, database, made))
    assert decision(proposals, database, access, staff, made).permitted
    clock.now += APPROVED_FOR
    assert decision(proposals, database, access, staff, made).rule == "two-person"


def test_an_approver_who_is_not_cleared_for_the_document_does_not_count(
    proposals: Proposals, database: Database, access: Access, staff: Staff
) -> None:
    levels = ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"]
    add_clearance(database, staff.officer.person_id, levels, {"Context": ["NATO"]})
    made = proposals.propose(staff.officer, CONTENT, "The study is over.")
    proposals.approve(staff.second_officer, made, digest_of(proposals, database, made))
    assert decision(proposals, database, access, staff, made).rule == "two-person"


def test_what_is_approved_is_what_was_shown_and_nobody_approves_their_own(
    proposals: Proposals, database: Database, staff: Staff, records: Records
) -> None:
    made = proposals.propose(staff.officer, CONTENT, "The study is over.")
    other = proposals.propose(staff.officer, {**CONTENT, "label": "NATO UNCLASSIFIED"}, "The study is over.")
    digest, another = (digest_of(proposals, database, one) for one in (made, other))
    assert digest != another
    with pytest.raises(Conflict):
        proposals.approve(staff.second_officer, made, another)
    with pytest.raises(NotPermitted) as own:
        proposals.approve(staff.officer, made, digest)
    assert own.value.rules == ("two-person",)
    assert records("policy.approve")[-1]["decision"] == "deny"
    with pytest.raises(NotPermitted):
        proposals.propose(staff.official, CONTENT, "Let me.")
    assert records("policy.propose")[0]["details"]["subject"] == "document:d-1"


def test_a_proposal_of_one_act_is_none_of_another(
    proposals: Proposals,
    database: Database,
    audit_log: Any,
    access: Access,
    clock: SettableClock,
    alarm: Alarm,
    staff: Staff,
) -> None:
    made = proposals.propose(staff.officer, CONTENT, "The study is over.")
    others = Proposals(database, audit_log, access, clock, alarm, EXPORTING)
    with database.read() as session:
        assert [row.id for row in proposals.all(session)] == [made]
        assert others.all(session) == []
        with pytest.raises(NotFound):
            others.required(session, made)
    with pytest.raises(NotFound):
        others.approve(staff.second_officer, made, "a" * 64)


def test_what_is_closed_or_expired_is_not_carried_out(
    proposals: Proposals, database: Database, staff: Staff, clock: SettableClock
) -> None:
    done, late, withdrawn = (
        proposals.propose(staff.officer, CONTENT, "The study is over.") for _ in range(3)
    )
    with database.write(log_entry=7) as session:
        proposals.close(session, proposals.still_open(session, done), DONE)
    proposals.withdraw(staff.second_officer, withdrawn)
    clock.now += timedelta(days=30)
    with database.read() as session:
        for one, words in ((done, "carried out"), (withdrawn, "withdrawn"), (late, "expired")):
            with pytest.raises(Conflict, match=words):
                proposals.still_open(session, one)
        assert proposals.still_open(session, late, past=True).id == late
