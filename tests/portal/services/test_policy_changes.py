"""A new security policy: proposed by one officer, approved by another, activated, and the former one kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policies import SHIPPED, parse_policy
from policies.changes import AccessChange, LabelChange, Progress
from portal.errors import Conflict, Invalid, NotFound, NotPermitted, Tampered
from portal.models.database import Database
from portal.services.access import Access
from portal.services.alarm import Alarm
from portal.services.policy_changes import PolicyChanges
from portal.services.security_policy import ActivePolicy
from tests.portal.factories import SettableClock, add_clearance, add_membership, add_programme
from tests.portal.services.conftest import Records, Staff

SPIF = SHIPPED.read_bytes()
NO_SECRET = SPIF.replace(b'name="SECRET" lacv="4"', b'name="SECRET" obsolete="true" lacv="4"')
OTHER = SPIF.replace(b'version="1"', b'version="2"', 1)
assert NO_SECRET != SPIF != OTHER


@pytest.fixture
def policies(
    database: Database,
    audit_log: Any,
    access: Access,
    active_policy: ActivePolicy,
    clock: SettableClock,
    alarm: Alarm,
) -> PolicyChanges:
    return PolicyChanges(database, audit_log, access, active_policy, clock, alarm)


def proposed(policies: PolicyChanges, staff: Staff, spif: bytes = NO_SECRET) -> tuple[str, str]:
    made = policies.propose(staff.officer, spif, "The agency asked for it.")
    return made, policies.proposal(staff.second_officer, made).proposal.digest


def test_two_officers_put_a_policy_into_force(
    policies: PolicyChanges,
    staff: Staff,
    database: Database,
    access: Access,
    active_policy: ActivePolicy,
    records: Records,
) -> None:
    former = access.policy
    made, digest = proposed(policies, staff)
    policies.approve(staff.second_officer, made, digest)
    policies.activate(staff.officer, made)
    with database.read() as session:
        access.subject(session, staff.official)
    assert access.policy.digest == parse_policy(NO_SECRET).digest != former.digest
    assert active_policy.by_digest(former.digest).digest == former.digest
    assert [(view.active, view.digest) for view in policies.policies(staff.officer)] == [
        (True, access.policy.digest),
        (False, former.digest),
    ]
    [view] = policies.proposals(staff.officer)
    assert (view.outcome, view.proposed_by.id) == ("done", staff.officer.person_id)
    intent, outcome = records("grant.policy")
    assert outcome["outcome"] == "complete"
    assert intent["details"]["former"] == former.digest
    assert intent["details"]["approver"] == staff.second_officer.person_id
    assert [record["action"] for record in records() if record.get("outcome") == "complete"] == [
        "policy.propose",
        "policy.approve",
        "grant.policy",
    ]


def test_another_node_obeys_at_once(
    policies: PolicyChanges,
    staff: Staff,
    database: Database,
    audit_log: Any,
    access: Access,
    clock: SettableClock,
) -> None:
    elsewhere = Access(audit_log, ActivePolicy(database), access._settings, clock)
    with database.read() as session:
        elsewhere.subject(session, staff.official)
    before = elsewhere.policy.digest
    made, digest = proposed(policies, staff)
    policies.approve(staff.second_officer, made, digest)
    policies.activate(staff.officer, made)
    with database.read() as session:
        elsewhere.account(session, staff.official)
    assert elsewhere.policy.digest != before


def test_a_former_policy_can_be_put_into_force_again(
    policies: PolicyChanges, staff: Staff, access: Access, database: Database
) -> None:
    first = access.policy.digest
    for spif in (OTHER, SPIF):
        made, digest = proposed(policies, staff, spif)
        policies.approve(staff.second_officer, made, digest)
        policies.activate(staff.officer, made)
        with database.read() as session:
            access.subject(session, staff.official)
    assert access.policy.digest == first
    assert len(policies.policies(staff.officer)) == 2


def test_nobody_approves_what_they_proposed(policies: PolicyChanges, staff: Staff, records: Records) -> None:
    made, digest = proposed(policies, staff)
    with pytest.raises(NotPermitted) as refused:
        policies.approve(staff.officer, made, digest)
    assert refused.value.recorded
    assert records("policy.approve")[-1]["rule"] == "two-person"


@pytest.mark.parametrize("case", ["none", "expired", "by-the-approver", "locked"])
def test_without_an_approval_that_counts_nothing_changes(
    case: str,
    policies: PolicyChanges,
    staff: Staff,
    clock: SettableClock,
    access: Access,
    database: Database,
    records: Records,
) -> None:
    before = access.policy.digest
    made, digest = proposed(policies, staff)
    who = staff.officer
    if case != "none":
        policies.approve(staff.second_officer, made, digest)
    if case == "expired":
        clock.move(days=7)
    if case == "by-the-approver":
        who = staff.second_officer
    if case == "locked":
        from portal.models import Person

        with database.write(log_entry=0) as session:
            session.get_one(Person, staff.second_officer.person_id).active = False
    with pytest.raises(NotPermitted) as refused:
        policies.activate(who, made)
    assert refused.value.rules == ("two-person",)
    denied = records("grant.policy")[-1]
    assert (denied["decision"], denied["rule"]) == ("deny", "two-person")
    assert access.policy.digest == before


def test_approval_is_of_exactly_what_was_shown(policies: PolicyChanges, staff: Staff) -> None:
    made, digest = proposed(policies, staff)
    with pytest.raises(Conflict):
        policies.approve(staff.second_officer, made, digest[::-1])


def test_an_approval_that_was_edited_in_the_database_is_refused(
    policies: PolicyChanges, staff: Staff, database: Database
) -> None:
    made, digest = proposed(policies, staff)
    policies.approve(staff.second_officer, made, digest)
    for change in (
        "UPDATE approvals SET valid_until = valid_until + 1",
        "UPDATE approvals SET digest = proposal_id",
        "UPDATE proposals SET payload = x'00'",
    ):
        with database.engine.begin() as connection:
            connection.exec_driver_sql(change)
        with pytest.raises(Tampered):
            policies.activate(staff.officer, made)


def test_a_proposal_ends_once(policies: PolicyChanges, staff: Staff, clock: SettableClock) -> None:
    made, digest = proposed(policies, staff)
    policies.withdraw(staff.second_officer, made)
    assert policies.proposal(staff.officer, made).proposal.outcome == "withdrawn"
    for call in (
        lambda: policies.withdraw(staff.officer, made),
        lambda: policies.approve(staff.second_officer, made, digest),
        lambda: policies.activate(staff.officer, made),
    ):
        with pytest.raises(Conflict):
            call()
    late, digest = proposed(policies, staff)
    clock.move(days=31)
    assert policies.proposal(staff.officer, late).proposal.outcome == "expired"
    with pytest.raises(Conflict):
        policies.approve(staff.second_officer, late, digest)
    policies.withdraw(staff.officer, late)


def test_a_proposal_that_another_policy_overtook_is_proposed_again(
    policies: PolicyChanges, staff: Staff, access: Access, database: Database
) -> None:
    slow, slow_digest = proposed(policies, staff, NO_SECRET)
    fast, fast_digest = proposed(policies, staff, OTHER)
    for made, digest in ((slow, slow_digest), (fast, fast_digest)):
        policies.approve(staff.second_officer, made, digest)
    policies.activate(staff.officer, fast)
    with database.read() as session:
        access.subject(session, staff.official)
    with pytest.raises(Conflict):
        policies.activate(staff.officer, slow)


def test_a_policy_that_cannot_be_used_is_refused_with_the_reason(
    policies: PolicyChanges, staff: Staff
) -> None:
    with pytest.raises(Invalid) as refused:
        policies.propose(staff.officer, SPIF.replace(b"<spif:securityPolicyId", b"<spif:wrong"), "Why")
    assert "line" in refused.value.message
    with pytest.raises(Invalid) as refused:
        policies.propose(
            staff.officer, SPIF.replace(b'name="SECRET" lacv="4"', b'name="GEHEIM" lacv="4"'), "Why"
        )
    assert "SECRET" in refused.value.message
    with pytest.raises(Conflict):
        policies.propose(staff.officer, SPIF, "Why")
    with pytest.raises(Invalid):
        policies.propose(staff.officer, OTHER, " ")


def test_the_page_of_a_proposal_says_what_differs(
    policies: PolicyChanges, staff: Staff, records: Records
) -> None:
    made, _ = proposed(policies, staff)
    page = policies.proposal(staff.officer, made)
    assert [item.text for item in page.differences] == [
        "Classification SECRET: obsolete was “no” and is “yes”."
    ]
    assert page.proposal.reason == "The agency asked for it."
    assert "The agency" not in str(records())


def test_the_effect_names_whoever_loses_and_what(
    policies: PolicyChanges, staff: Staff, database: Database, access: Access
) -> None:
    from portal.models import Counter, LabelRecord

    programme = add_programme(database, staff.organisation)
    label = access.policy.parse_marking("NATO SECRET")
    with database.write(log_entry=0) as session:
        session.add(LabelRecord(id=1, digest=bytes.fromhex(label.digest), canonical=label.canonical()))
        session.add(
            Counter(
                programme_id=programme,
                label_id=1,
                originator_id=staff.partner.organisation_id,
                addressee_id=staff.organisation,
                state="received",
                number=3,
                changed=1,
            )
        )
    for person in (staff.official.person_id, staff.auditor.person_id, staff.partner.person_id):
        add_clearance(database, person, ["SECRET"], {"Context": ["NATO"]})
        add_membership(database, person, programme)
    found = list(policies.effect(staff.officer, NO_SECRET))
    [invalid] = [item for item in found if isinstance(item, LabelChange)]
    assert (invalid.documents, [reason.code for reason in invalid.reasons]) == (
        3,
        ["obsolete-classification"],
    )
    lost = [item for item in found if isinstance(item, AccessChange)]
    assert {(item.person_id, item.documents, item.gained) for item in lost} == {
        (staff.official.person_id, 3, False),
        (staff.partner.person_id, 3, False),
    }
    assert isinstance(found[-1], Progress)
    assert policies.names(staff.officer, [programme, staff.official.person_id]) == {
        programme: "Harbour Shield",
        staff.official.person_id: "Fenna Dekker",
    }
    back = list(policies.effect(staff.officer, SPIF, instead_of=NO_SECRET))
    assert {item.gained for item in back if isinstance(item, AccessChange)} == {True}
    made, _ = proposed(policies, staff)
    assert list(policies.effect(staff.officer, made)) == found


@pytest.mark.parametrize("who", ["administrator", "auditor", "official", "partner"])
def test_nobody_but_an_officer_touches_the_policy(who: str, policies: PolicyChanges, staff: Staff) -> None:
    made, digest = proposed(policies, staff)
    actor = getattr(staff, who)
    for call in (
        lambda: policies.policies(actor),
        lambda: policies.policy(actor, digest),
        lambda: policies.proposals(actor),
        lambda: policies.proposal(actor, made),
        lambda: policies.effect(actor, made),
        lambda: policies.names(actor, []),
        lambda: policies.propose(actor, OTHER, "Why"),
        lambda: policies.withdraw(actor, made),
        lambda: policies.approve(actor, made, digest),
        lambda: policies.activate(actor, made),
    ):
        with pytest.raises(NotPermitted):
            call()


def test_what_is_not_there_is_not_found(policies: PolicyChanges, staff: Staff) -> None:
    for call in (
        lambda: policies.policy(staff.officer, "00" * 32),
        lambda: policies.proposal(staff.officer, "nothing"),
        lambda: policies.effect(staff.officer, "nothing"),
        lambda: policies.withdraw(staff.officer, "nothing"),
        lambda: policies.approve(staff.officer, "nothing", "00" * 32),
        lambda: policies.activate(staff.officer, "nothing"),
    ):
        with pytest.raises(NotFound):
            call()


def test_lead_time_of_an_approval_never_passes_the_proposal(
    policies: PolicyChanges, staff: Staff, clock: SettableClock
) -> None:
    made, digest = proposed(policies, staff)
    clock.move(days=29)
    policies.approve(staff.second_officer, made, digest)
    [approval] = policies.proposal(staff.officer, made).proposal.approvals
    assert approval.until - clock() == timedelta(days=1)
