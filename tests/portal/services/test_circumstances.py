"""Premises, instructions and settings of classifications: kept by officers, recorded, never overwritten, decided by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from policies.requests import Action
from portal.errors import Conflict, Invalid, NotFound, NotPermitted, Tampered
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.circumstances import Circumstances
from portal.services.grant_views import GrantState
from portal.services.level_settings import SettingKind
from portal.services.security_policy import ActivePolicy
from tests.portal.factories import SettableClock, add_instruction
from tests.portal.services.conftest import Records, Staff

OFFICE = ["192.0.2.0/24", "2001:db8::/32"]
WORKING = [{"start": "07:00", "end": "19:00", "zone": "Europe/Brussels", "days": [0, 1, 2, 3, 4]}]


@pytest.fixture
def kept(
    database: Database, audit_log: Any, access: Access, clock: SettableClock, alarm: Alarm
) -> Circumstances:
    return Circumstances(database, audit_log, access, clock, alarm)


@pytest.fixture
def rules(database: Database, access: Access, staff: Staff) -> Callable[[], Any]:
    """Return the rules as the next request of the official sees them."""

    def current() -> Any:
        with database.read() as session:
            access.subject(session, staff.official)
        return access.environment(staff.official).rules

    return current


def test_premises_are_cleared_for_every_level_up_to_one(
    kept: Circumstances, staff: Staff, database: Database, access: Access, records: Records
) -> None:
    before = len(kept.facilities(staff.officer))
    [former] = kept.facilities(staff.officer, staff.organisation)
    kept.end_facility(staff.officer, former.id)
    made = kept.grant_facility(staff.officer, staff.organisation, "confidential", authority="NSA")  # fmt: skip
    view = next(item for item in kept.facilities(staff.officer, staff.organisation) if item.id == made)
    assert len(kept.facilities(staff.officer)) == before + 1
    assert (view.classifications, view.authority) == (("CONFIDENTIAL", "RESTRICTED", "UNCLASSIFIED"), "NSA")
    assert view.state is GrantState.IN_FORCE
    with database.read() as session:
        subject = access.subject(session, staff.official)
    assert any(grant.classifications == frozenset(view.classifications) for grant in subject.facilities)
    intent, outcome = records("grant.facility")[2:]
    assert intent["details"]["subject"] == f"organisation:{staff.organisation}"
    assert (outcome["outcome"], view.log_entry) == ("complete", intent["seq"])
    assert "NSA" not in str(intent)


def test_two_facility_clearances_at_once_are_refused(
    kept: Circumstances, staff: Staff, clock: SettableClock
) -> None:
    [held] = kept.facilities(staff.officer, staff.organisation)
    with pytest.raises(Conflict):
        kept.grant_facility(staff.officer, staff.organisation, "SECRET", authority="NSA")
    kept.end_facility(staff.officer, held.id)
    made = kept.grant_facility(staff.officer, staff.organisation, "SECRET", authority="NSA")
    kept.end_facility(staff.officer, made, clock() + timedelta(days=3))
    [later, earlier] = kept.facilities(staff.officer, staff.organisation)
    assert (later.state, earlier.state) == (GrantState.IN_FORCE, GrantState.ENDED)
    with pytest.raises(Conflict):
        kept.end_facility(staff.officer, made, clock() + timedelta(days=4))
    with pytest.raises(Conflict):
        kept.end_facility(staff.officer, held.id)
    with pytest.raises(Invalid):
        kept.end_facility(staff.officer, made, clock() - timedelta(days=1))


def test_wrong_input_is_refused_with_the_reason(kept: Circumstances, staff: Staff) -> None:
    with pytest.raises(NotFound):
        kept.grant_facility(staff.officer, "nobody", "SECRET", authority="NSA")
    with pytest.raises(Invalid):
        kept.grant_facility(staff.officer, staff.organisation, "ULTRA", authority="NSA")
    for levels, title, text in (
        ([], "Title", "Text"),
        (["ULTRA"], "Title", "Text"),
        (["SECRET"], "", "Text"),
        (["SECRET"], "Title", " "),
        (["SECRET"], "Title", "x" * 20_001),
        (["SECRET"], "Title", "bell \a"),
    ):
        with pytest.raises(Invalid):
            kept.issue_instruction(staff.officer, levels, title, text)
    for classification, kind, value in (
        ("ULTRA", "handling", "open"),
        ("SECRET", "colour", "red"),
        ("SECRET", "handling", "burn"),
        ("SECRET", "networks", []),
        ("SECRET", "networks", "192.0.2.0/24"),
        ("SECRET", "networks", ["192.0.2.1/24"]),
        ("SECRET", "hours", [{"start": "07:00"}]),
        ("SECRET", "hours", [{"start": "7", "end": "8", "zone": "Nowhere/None"}]),
        ("SECRET", "hours", [{"start": "07:00", "end": "19:00", "zone": "UTC", "days": [7]}]),
        ("SECRET", "hours", [{"start": "07:00", "end": "19:00", "zone": "UTC", "days": ["x"]}]),
    ):
        with pytest.raises(Invalid):
            kept.set_level(staff.officer, classification, kind, value)
    for end in (kept.end_facility, kept.end_instruction, kept.end_setting):
        with pytest.raises(NotFound):
            end(staff.officer, "nothing")


def test_a_setting_works_on_the_next_request_and_ends_as_fast(
    kept: Circumstances, staff: Staff, rules: Callable[[], Any]
) -> None:
    assert rules().handling == {}
    view_only = kept.set_level(staff.officer, "SECRET", "handling", "view-only")
    kept.set_level(staff.officer, "SECRET", "networks", OFFICE)
    kept.set_level(staff.officer, "SECRET", SettingKind.HOURS, WORKING)
    now = rules()
    assert now.handling == {"SECRET": "view-only"}
    assert [str(network) for network in now.networks["SECRET"]] == OFFICE
    assert [span.zone.key for span in now.hours["SECRET"]] == ["Europe/Brussels"]
    shown = [item.value for item in kept.settings(staff.officer)]
    assert all(value in shown for value in (WORKING, OFFICE, "view-only"))
    kept.end_setting(staff.officer, view_only)
    assert rules().handling == {}


def test_a_setting_begins_and_ends_at_its_times(
    kept: Circumstances, staff: Staff, rules: Callable[[], Any], clock: SettableClock
) -> None:
    start, end = clock() + timedelta(days=1), clock() + timedelta(days=2)
    kept.set_level(staff.officer, "SECRET", "handling", "view-only", start, end)
    assert rules().handling == {}
    clock.move(days=1)
    assert rules().handling == {"SECRET": "view-only"}
    clock.move(days=1)
    assert rules().handling == {}
    [view] = kept.settings(staff.officer)
    assert (view.state, view.valid_from, view.valid_until) == (GrantState.ENDED, start, end)


def test_the_same_setting_twice_at_a_time_is_refused(kept: Circumstances, staff: Staff) -> None:
    kept.set_level(staff.officer, "SECRET", "handling", "view-only")
    with pytest.raises(Conflict):
        kept.set_level(staff.officer, "SECRET", "handling", "open")
    kept.set_level(staff.officer, "CONFIDENTIAL", "handling", "view-only")


def test_another_node_sees_a_change_at_once(
    kept: Circumstances,
    staff: Staff,
    database: Database,
    audit_log: Any,
    access: Access,
    clock: SettableClock,
) -> None:
    elsewhere = Access(audit_log, ActivePolicy(database), access._settings, clock)
    for _ in range(2):
        with database.read() as session:
            elsewhere.subject(session, staff.official)
        assert elsewhere.environment(staff.official).rules.handling == {}
    kept.set_level(staff.officer, "SECRET", "handling", "view-only")
    with database.read() as session:
        elsewhere.subject(session, staff.official)
    assert elsewhere.environment(staff.official).rules.handling == {"SECRET": "view-only"}


def test_an_edited_setting_is_refused_and_reported(
    kept: Circumstances,
    staff: Staff,
    database: Database,
    audit_log: Any,
    access: Access,
    clock: SettableClock,
) -> None:
    kept.set_level(staff.officer, "SECRET", "handling", "view-only")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE level_settings SET value = '\"open\"'")
    reported: list[Tampered] = []
    fresh = Access(audit_log, ActivePolicy(database, reported.append), access._settings, clock)
    with pytest.raises(Tampered):
        fresh.environment(staff.official)
    assert [fault.table for fault in reported] == ["level_settings"]  # type: ignore[attr-defined]


def test_instructions_are_acknowledged_by_those_whom_they_concern(
    kept: Circumstances,
    staff: Staff,
    database: Database,
    access: Access,
    rules: Callable[[], Any],
    records: Records,
) -> None:
    made = kept.issue_instruction(staff.officer, ["restricted"], "Handling", "Lock it away.\r\nTell nobody.")
    assert rules().instruction_required == {"RESTRICTED"}
    [view] = kept.own_instructions(staff.official)
    assert (view.title, view.text, view.acknowledged) == ("Handling", "Lock it away.\nTell nobody.", None)
    kept.acknowledge(staff.official, made)
    with pytest.raises(Conflict):
        kept.acknowledge(staff.official, made)
    [view] = kept.own_instructions(staff.official)
    assert view.acknowledged is not None
    with database.read() as session:
        [held] = access.subject(session, staff.official).acknowledgements
    assert (held.classifications, held.period.end) == ({"RESTRICTED"}, None)
    assert "complete" in [record.get("outcome") for record in records("instruction.acknowledge")]
    kept.end_instruction(staff.officer, made)
    assert rules().instruction_required == frozenset()
    assert kept.own_instructions(staff.official) == []
    with pytest.raises(NotFound):
        kept.acknowledge(staff.official, made)


def test_an_acknowledgement_counts_as_long_as_its_instruction(
    kept: Circumstances, staff: Staff, database: Database, access: Access, clock: SettableClock
) -> None:
    end = clock() + timedelta(days=5)
    made = add_instruction(database, ["SECRET"], end=end)
    kept.acknowledge(staff.official, made)
    with database.read() as session:
        [held] = access.subject(session, staff.official).acknowledgements
    assert (held.period.start, held.period.end) == (clock(), end)


def test_officers_record_what_others_acknowledged_and_nothing_of_their_own(
    kept: Circumstances, staff: Staff, records: Records
) -> None:
    made = kept.issue_instruction(staff.officer, ["SECRET"], "Handling", "Lock it away.")
    kept.record_acknowledgement(staff.officer, staff.partner.person_id, made)
    [view] = kept.own_instructions(staff.partner)
    assert view.acknowledged is not None
    with pytest.raises(NotPermitted):
        kept.record_acknowledgement(staff.officer, staff.officer.person_id, made)
    assert records("grant.instruction")[-1]["rule"] == "no-self-grant"
    with pytest.raises(NotFound):
        kept.record_acknowledgement(staff.officer, "nobody", made)


@pytest.mark.parametrize("who", ["administrator", "auditor", "official", "partner"])
def test_nobody_but_an_officer_keeps_them(
    who: str, kept: Circumstances, staff: Staff, records: Records
) -> None:
    actor: Actor = getattr(staff, who)
    for call in (
        lambda: kept.facilities(actor),
        lambda: kept.grant_facility(actor, staff.organisation, "SECRET", authority="NSA"),
        lambda: kept.end_facility(actor, "x"),
        lambda: kept.instructions(actor),
        lambda: kept.issue_instruction(actor, ["SECRET"], "a", "b"),
        lambda: kept.end_instruction(actor, "x"),
        lambda: kept.record_acknowledgement(actor, staff.official.person_id, "x"),
        lambda: kept.settings(actor),
        lambda: kept.set_level(actor, "SECRET", "handling", "open"),
        lambda: kept.end_setting(actor, "x"),
    ):
        with pytest.raises(NotPermitted):
            call()
    denied = [record for record in records() if record["decision"] == "deny"]
    assert {record["action"] for record in denied} == {
        Action.GRANT_FACILITY.value,
        Action.GRANT_INSTRUCTION.value,
        Action.GRANT_SETTING.value,
    }
