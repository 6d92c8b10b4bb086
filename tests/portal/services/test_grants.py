from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.requests import Period, Role
from portal.errors import Conflict, Invalid, NotFound, NotPermitted, Tampered
from portal.models import ClearanceGrant, RoleGrant
from portal.models.database import Database
from portal.services.actor import Actor
from portal.services.directory import Named, Wanted
from portal.services.grant_views import GrantState, grant_state
from portal.services.grants import Grants
from tests.portal.factories import (
    START,
    SettableClock,
    add_briefing,
    add_clearance,
    add_membership,
    add_organisation,
    add_person,
    add_programme,
    add_role,
)
from tests.portal.services.conftest import Records, Staff

NATO_CONTEXT = {"Context": ["NATO"]}
DAY = timedelta(days=1)

Grant = Callable[[Grants, Actor, str, str], str]
GRANT: dict[str, Grant] = {
    "role": lambda grants, by, person, _: grants.grant_role(by, person, "auditor"),
    "clearance": lambda grants, by, person, _: grants.grant_clearance(
        by, person, "SECRET", NATO_CONTEXT, authority="NSA"
    ),
    "membership": lambda grants, by, person, programme: grants.grant_membership(by, person, programme),
    "briefing": lambda grants, by, person, _: grants.record_briefing(by, person, ["RESTRICTED"]),
}
END: dict[str, Callable[[Grants, Actor, str], None]] = {
    "role": lambda grants, by, grant: grants.end_role(by, grant),
    "clearance": lambda grants, by, grant: grants.end_clearance(by, grant),
    "membership": lambda grants, by, grant: grants.end_membership(by, grant),
    "briefing": lambda grants, by, grant: grants.end_briefing(by, grant),
}
TABLES = {
    "role": "role_grants",
    "clearance": "clearances",
    "membership": "memberships",
    "briefing": "briefings",
}


@pytest.fixture
def programme(database: Database, staff: Staff) -> str:
    return add_programme(database, staff.organisation)


@pytest.mark.parametrize("kind", GRANT)
def test_nobody_but_an_officer_grants_or_ends(
    kind: str, grants: Grants, staff: Staff, programme: str, records: Records
) -> None:
    person = staff.official.person_id
    outsiders = (staff.administrator, staff.auditor, staff.official, staff.partner)
    for actor in outsiders:
        with pytest.raises(NotPermitted):
            GRANT[kind](grants, actor, person, programme)
        with pytest.raises(NotPermitted):
            END[kind](grants, actor, "no-such-grant")
    denied = [(item["action"], item["decision"], item["rule"]) for item in records()]
    assert denied == [(f"grant.{kind}", "deny", "role-permits")] * 8


@pytest.mark.parametrize("kind", GRANT)
def test_officers_grant_themselves_nothing(
    kind: str, grants: Grants, staff: Staff, programme: str, records: Records
) -> None:
    with pytest.raises(NotPermitted) as refused:
        GRANT[kind](grants, staff.officer, staff.officer.person_id, programme)
    assert refused.value.recorded
    (record,) = records()
    assert (record["action"], record["decision"], record["rule"]) == (
        f"grant.{kind}",
        "deny",
        "no-self-grant",
    )
    assert record["actor"] == record["target"] == staff.officer.person_id


@pytest.mark.parametrize("kind", GRANT)
def test_officers_end_nothing_of_their_own(
    kind: str, grants: Grants, staff: Staff, programme: str, records: Records
) -> None:
    grant = GRANT[kind](grants, staff.second_officer, staff.officer.person_id, programme)
    with pytest.raises(NotPermitted):
        END[kind](grants, staff.officer, grant)
    assert records(f"grant.{kind}")[-1]["rule"] == "no-self-grant"
    END[kind](grants, staff.second_officer, grant)


@pytest.mark.parametrize("kind", GRANT)
def test_a_grant_and_its_end_are_recorded_as_intent_and_outcome(
    kind: str, grants: Grants, staff: Staff, programme: str, clock: SettableClock, records: Records
) -> None:
    person = staff.official.person_id
    grant = GRANT[kind](grants, staff.officer, person, programme)
    clock.move(days=3)
    END[kind](grants, staff.officer, grant)
    given, done, ended, ended_done = records(f"grant.{kind}")
    for intent, outcome, version in ((given, done, 1), (ended, ended_done, 2)):
        details = intent["details"]
        assert intent["actor"] == staff.officer.person_id
        assert intent["target"] == person
        assert details["subject"] == f"person:{person}"
        assert (details["table"], details["row"], details["row_version"]) == (TABLES[kind], grant, version)
        assert details["from"] == "2026-11-24T09:00:00.000000Z"
        assert (outcome["completes"], outcome["outcome"]) == (intent["seq"], "complete")
    assert "until" not in given["details"]
    assert ended["details"]["until"] == "2026-11-27T09:00:00.000000Z"
    assert ended["details"]["withdrawn"] is True
    assert given.get("programme") == (programme if kind == "membership" else None)


@pytest.mark.parametrize("kind", GRANT)
def test_a_grant_is_ended_and_never_overwritten(
    kind: str, grants: Grants, staff: Staff, programme: str, clock: SettableClock
) -> None:
    person = staff.official.person_id
    first = GRANT[kind](grants, staff.officer, person, programme)
    with pytest.raises(Conflict):
        GRANT[kind](grants, staff.officer, person, programme)
    clock.move(days=1)
    END[kind](grants, staff.officer, first)
    with pytest.raises(Conflict):
        END[kind](grants, staff.officer, first)
    second = GRANT[kind](grants, staff.officer, person, programme)
    views = {view.id: view for view in grants.of_person(staff.officer, person).all}
    assert (views[first].state, views[first].valid_from) == (GrantState.ENDED, START)
    assert views[first].valid_until == START + DAY
    assert (views[second].state, views[second].valid_until) == (GrantState.IN_FORCE, None)
    assert views[second].granted_by == Named(staff.officer.person_id, "Otto Visser")


def test_each_of_the_five_roles_can_be_granted(grants: Grants, staff: Staff, database: Database) -> None:
    person = add_person(database, staff.organisation, email="new@mod.example")
    for role in Role:
        grants.grant_role(staff.officer, person, role, valid_until=START + DAY)
    assert set(grants.of_person(staff.officer, person).person.roles) == set(Role)
    with pytest.raises(Invalid):
        grants.grant_role(staff.officer, person, "king")


def test_a_granted_role_opens_what_it_is_for_and_its_end_closes_it(
    grants: Grants, staff: Staff, database: Database, clock: SettableClock
) -> None:
    person = add_person(database, staff.organisation, email="new@mod.example")
    actor = Actor(person, staff.organisation, 2, "session")
    grant = grants.grant_role(staff.officer, person, Role.OFFICER, valid_from=START + DAY)
    with pytest.raises(NotPermitted):
        grants.people(actor)
    clock.move(days=1)
    assert grants.people(actor).items
    grants.end_role(staff.officer, grant)
    with pytest.raises(NotPermitted):
        grants.people(actor)


def test_a_clearance_lists_every_level_up_to_its_own(
    grants: Grants, staff: Staff, records: Records, database: Database
) -> None:
    grant = grants.grant_clearance(
        staff.officer,
        staff.official.person_id,
        "secret",
        {"context": ["nato"], "Releasable To": ["NLD"]},
        authority=" Nationaal Bureau ",
        valid_until=START + 365 * DAY,
    )
    (view,) = grants.of_person(staff.officer, staff.official.person_id).clearances
    assert set(view.classifications) == {"UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"}
    assert view.categories == {"Context": ("NATO",), "Releasable To": ("NLD",)}
    assert (view.id, view.authority, view.valid_until) == (grant, "Nationaal Bureau", START + 365 * DAY)
    intent = records("grant.clearance")[0]
    assert sorted(intent["details"]["classifications"]) == sorted(view.classifications)
    assert set(intent["commitments"]) == {"name"}
    with database.read() as session:
        row = session.get_one(ClearanceGrant, grant)
        assert (row.log_entry, row.granted_by) == (intent["seq"], staff.officer.person_id)


@pytest.mark.parametrize(
    ("up_to", "categories", "authority"),
    [
        ("COSMIC", {}, "NSA"),
        ("", {}, "NSA"),
        ("SECRET", {"Context": ["NOWHERE"]}, "NSA"),
        ("SECRET", {"Nothing": ["NATO"]}, "NSA"),
        ("SECRET", NATO_CONTEXT, ""),
        ("SECRET", NATO_CONTEXT, "two\nlines"),
    ],
)
def test_what_the_policy_does_not_hold_is_not_granted(
    up_to: str,
    categories: dict[str, list[str]],
    authority: str,
    grants: Grants,
    staff: Staff,
    records: Records,
) -> None:
    with pytest.raises(Invalid):
        grants.grant_clearance(
            staff.officer, staff.official.person_id, up_to, categories, authority=authority
        )
    assert records() == []


def test_two_different_clearances_stand_beside_one_another(grants: Grants, staff: Staff) -> None:
    person = staff.official.person_id
    grants.grant_clearance(staff.officer, person, "SECRET", NATO_CONTEXT, authority="NSA")
    grants.grant_clearance(staff.officer, person, "RESTRICTED", NATO_CONTEXT, authority="NSA")
    assert len(grants.of_person(staff.officer, person).clearances) == 2


def test_a_briefing_covers_lower_levels_and_special_categories_only(grants: Grants, staff: Staff) -> None:
    person = staff.official.person_id
    grants.record_briefing(staff.officer, person, ["RESTRICTED"], NATO_CONTEXT)
    grants.record_briefing(staff.officer, person, [], {"Additional Sensitivity": ["ATOMAL"]})
    assert len(grants.of_person(staff.officer, person).briefings) == 2
    with pytest.raises(Invalid, match="CONFIDENTIAL"):
        grants.record_briefing(staff.officer, person, ["RESTRICTED", "CONFIDENTIAL"])
    for nothing in ((), ["NONSENSE"]):
        with pytest.raises(Invalid):
            grants.record_briefing(staff.officer, person, nothing)


def test_a_membership_needs_a_programme_that_is_open(
    grants: Grants, staff: Staff, database: Database
) -> None:
    person = staff.official.person_id
    with pytest.raises(NotFound):
        grants.grant_membership(staff.officer, person, "no-such-programme")
    with pytest.raises(Conflict):
        grants.grant_membership(
            staff.officer, person, add_programme(database, staff.organisation, "Old", active=False)
        )


@pytest.mark.parametrize("wrong", ["", "x", "n" * 5000, "00000000-0000-4000-8000-000000000000"])
def test_ids_that_name_nothing_are_not_found(
    wrong: str, grants: Grants, staff: Staff, programme: str, records: Records
) -> None:
    for kind in GRANT:
        with pytest.raises(NotFound):
            GRANT[kind](grants, staff.officer, wrong, programme)
        with pytest.raises(NotFound):
            END[kind](grants, staff.officer, wrong)
    with pytest.raises(NotFound):
        grants.of_person(staff.officer, wrong)
    assert records() == []


def test_a_grant_of_one_kind_is_not_ended_as_another(grants: Grants, staff: Staff, programme: str) -> None:
    grant = GRANT["membership"](grants, staff.officer, staff.official.person_id, programme)
    with pytest.raises(NotFound):
        grants.end_role(staff.officer, grant)


def test_an_end_may_lie_ahead_and_never_behind(grants: Grants, staff: Staff, programme: str) -> None:
    person = staff.official.person_id
    grant = grants.grant_membership(staff.officer, person, programme, valid_until=START + 9 * DAY)
    for past in (START - DAY, (START + DAY).replace(tzinfo=None)):
        with pytest.raises(Invalid):
            grants.end_membership(staff.officer, grant, past)
    with pytest.raises(Conflict):
        grants.end_membership(staff.officer, grant, START + 10 * DAY)
    grants.end_membership(staff.officer, grant, START + 5 * DAY)
    (view,) = grants.of_person(staff.officer, person).memberships
    assert (view.state, view.valid_until) == (GrantState.IN_FORCE, START + 5 * DAY)
    assert view.programme == Named(programme, "Harbour Shield")


def test_a_future_grant_that_is_ended_never_comes_into_force(
    grants: Grants, staff: Staff, programme: str, clock: SettableClock
) -> None:
    person = staff.official.person_id
    grant = grants.grant_membership(staff.officer, person, programme, START + 5 * DAY, START + 9 * DAY)
    assert grants.of_person(staff.officer, person).memberships[0].state is GrantState.FUTURE
    grants.end_membership(staff.officer, grant)
    for _ in range(10):
        assert grants.of_person(staff.officer, person).memberships[0].state is GrantState.ENDED
        clock.move(days=1)


def test_periods_that_only_touch_do_not_overlap(grants: Grants, staff: Staff, programme: str) -> None:
    person = staff.official.person_id
    grants.grant_membership(staff.officer, person, programme, None, START + 5 * DAY)
    grants.grant_membership(staff.officer, person, programme, START + 5 * DAY, START + 9 * DAY)
    with pytest.raises(Conflict):
        grants.grant_membership(staff.officer, person, programme, START + 8 * DAY)


moments = st.integers(0, 20).map(lambda days: START + days * DAY)


@given(now=moments, start=moments, end=st.none() | moments)
def test_a_grant_is_in_force_exactly_when_its_period_says_so(now: Any, start: Any, end: Any) -> None:
    state = grant_state(now, start, end)
    assert (state is GrantState.IN_FORCE) == Period(start, end).contains(now)
    if state is GrantState.ENDED:
        assert grant_state(now + 30 * DAY, start, end) is GrantState.ENDED


# Looking


def test_a_look_at_people_and_grants_is_recorded(
    grants: Grants, staff: Staff, programme: str, records: Records
) -> None:
    grants.people(staff.officer, Wanted(email="fenna@mod.example"))
    grants.programmes(staff.officer)
    grants.of_person(staff.officer, staff.official.person_id)
    found = records("grant.show")
    assert [item["details"]["shown"] for item in found] == [1, 1, 1]
    assert found[0]["details"]["filters"] == ["email"]
    assert set(found[0]["commitments"]) == {"email"}
    assert found[2]["target"] == staff.official.person_id
    for call in (
        lambda: grants.people(staff.administrator),
        lambda: grants.programmes(staff.auditor),
        lambda: grants.of_person(staff.official, staff.official.person_id),
    ):
        with pytest.raises(NotPermitted):
            call()


def test_pages_take_at_most_twelve_queries(
    grants: Grants, staff: Staff, programme: str, database: Database, queries: list[str]
) -> None:
    person = staff.official.person_id
    for number in range(8):
        company = add_organisation(database, f"Company {number}")
        add_role(database, person, "partner", start=START - DAY, end=START)
        add_clearance(database, person, ["RESTRICTED"], NATO_CONTEXT, start=START - DAY, end=START)
        add_briefing(database, person, ["RESTRICTED"], start=START - DAY, end=START)
        add_membership(database, person, add_programme(database, company, f"P {number}"))
    for read in (
        lambda: grants.people(staff.officer),
        lambda: grants.programmes(staff.officer),
        lambda: grants.of_person(staff.officer, person),
    ):
        queries.clear()
        read()
        assert len([statement for statement in queries if statement.startswith("SELECT")]) <= 12


@pytest.mark.parametrize("table", ["role_grants", "clearances", "memberships", "briefings"])
def test_a_grant_lengthened_in_the_database_is_refused_and_reported(
    table: str, grants: Grants, staff: Staff, programme: str, database: Database, records: Records
) -> None:
    person = staff.official.person_id
    for kind in GRANT:
        GRANT[kind](grants, staff.officer, person, programme)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE {table} SET valid_until = 9000000000000000 WHERE person_id = :person",
            {"person": person},
        )
    with pytest.raises(Tampered):
        grants.of_person(staff.officer, person)
    assert records("tamper.detected")[0]["details"]["table"] == table


def test_a_failed_grant_leaves_no_row(
    grants: Grants, staff: Staff, database: Database, records: Records
) -> None:
    person = staff.official.person_id
    grants.grant_role(staff.officer, person, "auditor")
    with pytest.raises(Conflict):
        grants.grant_role(staff.officer, person, "auditor", valid_until=START + DAY)
    assert records("grant.role")[-1]["outcome"] == "failed"
    with database.read() as session:
        assert session.query(RoleGrant).filter_by(person_id=person, role="auditor").count() == 1


def test_categories_stand_in_the_log_as_a_digest_only(grants: Grants, staff: Staff, records: Records) -> None:
    grants.record_briefing(
        staff.officer, staff.official.person_id, [], {"Additional Sensitivity": ["ATOMAL"]}
    )
    assert "ATOMAL" not in json.dumps(records())
    assert len(records("grant.briefing")[0]["details"]["categories_digest"]) == 64
