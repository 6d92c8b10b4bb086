from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from portal.errors import Conflict, Invalid, NotFound, NotPermitted
from portal.identity import Links, SessionLimits, Sessions, Tokens
from portal.models import OneTimeLink, Organisation, Person, Programme, RoleGrant
from portal.models.database import Database
from portal.services.actor import Actor
from portal.services.directory import Named, Wanted
from portal.services.people import People
from tests.portal.factories import (
    SettableClock,
    add_credential,
    add_membership,
    add_organisation,
    add_person,
)
from tests.portal.services.conftest import Records, Staff

Call = Callable[[People, Actor, Staff], Any]

CALLS: dict[str, tuple[str, Call]] = {
    "organisations": ("organisation.manage", lambda people, by, _: people.organisations(by)),
    "create_organisation": (
        "organisation.manage",
        lambda people, by, _: people.create_organisation(by, "Noordzee", "NLD"),
    ),
    "rename_organisation": (
        "organisation.manage",
        lambda people, by, staff: people.rename_organisation(by, staff.organisation, "Other"),
    ),
    "deactivate_organisation": (
        "organisation.manage",
        lambda people, by, staff: people.deactivate_organisation(by, staff.partner.organisation_id),
    ),
    "deactivate_own_organisation": (
        "organisation.manage",
        lambda people, by, _: people.deactivate_organisation(by, by.organisation_id),
    ),
    "people": ("account.manage", lambda people, by, _: people.people(by)),
    "person": ("account.manage", lambda people, by, staff: people.person(by, staff.partner.person_id)),
    "create_person": (
        "account.manage",
        lambda people, by, staff: people.create_person(by, staff.organisation, "N", "n@x.example", "NLD"),
    ),
    "invite": ("account.manage", lambda people, by, staff: people.invite(by, staff.partner.person_id)),
    "lock": ("account.manage", lambda people, by, staff: people.lock(by, staff.partner.person_id)),
    "lock_own_account": ("account.manage", lambda people, by, _: people.lock(by, by.person_id)),
    "unlock": ("account.manage", lambda people, by, staff: people.unlock(by, staff.partner.person_id)),
    "programmes": ("programme.manage", lambda people, by, _: people.programmes(by)),
    "create_programme": (
        "programme.manage",
        lambda people, by, staff: people.create_programme(by, "Harbour Shield", staff.organisation),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_nobody_but_an_administrator_manages_anything(
    name: str, people: People, staff: Staff, records: Records
) -> None:
    action, call = CALLS[name]
    outsiders = (staff.officer, staff.auditor, staff.official, staff.partner)
    for actor in outsiders:
        with pytest.raises(NotPermitted):
            call(people, actor, staff)
    denied = [(item["action"], item["decision"], item["rule"], item["actor"]) for item in records()]
    assert denied == [(action, "deny", "role-permits", actor.person_id) for actor in outsiders]


# Organisations


def test_a_new_organisation_is_recorded_as_intent_and_outcome(
    people: People, staff: Staff, database: Database, records: Records
) -> None:
    organisation = people.create_organisation(staff.administrator, " Noordzee Maritiem ", "nld")
    intent, outcome = records("organisation.create")
    assert intent["target"] == outcome["target"] == organisation
    assert intent["details"] == {
        "subject": f"organisation:{organisation}",
        "table": "organisations",
        "row": organisation,
        "row_version": 1,
    }
    assert set(intent["commitments"]) == {"name"}
    assert (outcome["completes"], outcome["outcome"]) == (intent["seq"], "complete")
    with database.read() as session:
        row = session.get_one(Organisation, organisation)
        assert (row.name, row.nation, row.active) == ("Noordzee Maritiem", "NLD", True)
        assert row.log_entry == intent["seq"]


def test_no_name_stands_in_the_log_in_the_clear(people: People, staff: Staff, records: Records) -> None:
    organisation = people.create_organisation(staff.administrator, "Noordzee Maritiem", "NLD")
    people.create_person(staff.administrator, organisation, "Zoë Groen", "zoe@noordzee.example", "NLD")
    people.create_programme(staff.administrator, "Harbour Shield", organisation)
    people.people(staff.administrator, Wanted(email="zoe@noordzee.example"))
    text = json.dumps(records(), ensure_ascii=False)
    for name in ("Noordzee", "Zoë", "zoe@", "Harbour"):
        assert name not in text


def test_a_second_organisation_of_the_same_name_and_nation_is_a_conflict(
    people: People, staff: Staff, records: Records
) -> None:
    people.create_organisation(staff.administrator, "Noordzee Maritiem", "NLD")
    with pytest.raises(Conflict):
        people.create_organisation(staff.administrator, "NOORDZEE  maritiem", "NLD")
    assert [item.get("outcome") for item in records("organisation.create")] == [
        None,
        "complete",
        None,
        "failed",
    ]
    people.create_organisation(staff.administrator, "Noordzee Maritiem", "BEL")


def test_an_organisation_is_renamed_without_meeting_itself(
    people: People, staff: Staff, records: Records
) -> None:
    organisation = people.create_organisation(staff.administrator, "Noordzee", "NLD")
    people.create_organisation(staff.administrator, "Waddenzee", "NLD")
    people.rename_organisation(staff.administrator, organisation, "NOORDZEE")
    with pytest.raises(Conflict):
        people.rename_organisation(staff.administrator, organisation, "Waddenzee")
    assert "NOORDZEE" in {view.name for view in people.organisations(staff.administrator).items}
    assert records("organisation.change")[0]["details"]["row_version"] == 2


def test_an_inactive_organisation_shuts_its_people_out(people: People, staff: Staff) -> None:
    company = people.create_organisation(staff.administrator, "Noordzee", "NLD")
    person = people.create_person(staff.administrator, company, "Zoë Groen", "zoe@n.example", "NLD")
    people.deactivate_organisation(staff.administrator, company)
    assert not people.person(staff.administrator, person).organisation_active
    for refused in (
        lambda: people.deactivate_organisation(staff.administrator, company),
        lambda: people.invite(staff.administrator, person),
        lambda: people.create_person(staff.administrator, company, "Jan", "jan@n.example", "NLD"),
        lambda: people.create_programme(staff.administrator, "Harbour Shield", company),
    ):
        with pytest.raises(Conflict):
            refused()
    people.reactivate_organisation(staff.administrator, company)
    assert people.invite(staff.administrator, person)


def test_administrators_do_not_shut_themselves_out(people: People, staff: Staff) -> None:
    with pytest.raises(Conflict):
        people.deactivate_organisation(staff.administrator, staff.organisation)
    with pytest.raises(Conflict):
        people.lock(staff.administrator, staff.administrator.person_id)


# People


def test_a_new_account_has_no_role_and_nothing_to_sign_in_with(
    people: People, staff: Staff, database: Database, records: Records
) -> None:
    person = people.create_person(
        staff.administrator, staff.organisation, "Zoë Groen", "Zoe@MOD.example", "BEL"
    )
    view = people.person(staff.administrator, person)
    assert (view.name, view.email, view.nation) == ("Zoë Groen", "Zoe@MOD.example", "BEL")
    assert view.organisation == Named(staff.organisation, "Ministry of Defence")
    assert (view.active, view.joined, view.roles) == (True, False, ())
    intent, _ = records("account.create")
    assert intent["details"]["subject"] == f"person:{person}"
    assert set(intent["commitments"]) == {"name", "email"}
    with database.read() as session:
        assert session.query(RoleGrant).filter_by(person_id=person).count() == 0


@pytest.mark.parametrize("email", ["zoe@mod.example", " ZOE@Mod.Example "])
def test_an_address_has_one_account(email: str, people: People, staff: Staff, records: Records) -> None:
    people.create_person(staff.administrator, staff.organisation, "Zoë Groen", "zoe@mod.example", "NLD")
    with pytest.raises(Conflict):
        people.create_person(staff.administrator, staff.organisation, "Zoe Roodt", email, "NLD")
    assert records("account.create")[-1]["outcome"] == "failed"


def test_wrong_input_makes_no_account(people: People, staff: Staff, records: Records) -> None:
    for name, email, nation in (
        ("", "z@x.example", "NLD"),
        ("Z", "nothing", "NLD"),
        ("Z", "z@x.example", "N"),
    ):
        with pytest.raises(Invalid):
            people.create_person(staff.administrator, staff.organisation, name, email, nation)
    assert records("account.create") == []


@pytest.mark.parametrize("wrong", ["", "x", "00000000-0000-4000-8000-000000000000", "'; --", "n" * 5000])
def test_ids_that_name_nothing_are_not_found(
    wrong: str, people: People, staff: Staff, records: Records
) -> None:
    for call in (
        lambda: people.create_person(staff.administrator, wrong, "Z", "z@x.example", "NLD"),
        lambda: people.create_programme(staff.administrator, "Harbour Shield", wrong),
        lambda: people.rename_organisation(staff.administrator, wrong, "Z"),
        lambda: people.deactivate_organisation(staff.administrator, wrong),
        lambda: people.person(staff.administrator, wrong),
        lambda: people.invite(staff.administrator, wrong),
        lambda: people.lock(staff.administrator, wrong),
        lambda: people.unlock(staff.administrator, wrong),
    ):
        with pytest.raises(NotFound):
            call()
    assert records() == []


def test_an_invitation_is_for_that_person_and_replaces_the_one_before(
    people: People, staff: Staff, links: Links, records: Records
) -> None:
    first = people.invite(staff.administrator, staff.official.person_id)
    second = people.invite(staff.administrator, staff.official.person_id)
    assert links.look(second).person_id == staff.official.person_id
    with pytest.raises(NotFound):
        links.look(first)
    intent = records("account.invite")[0]
    assert (intent["actor"], intent["target"]) == (staff.administrator.person_id, staff.official.person_id)


def test_a_lock_ends_sessions_links_and_tokens_for_good(
    people: People, staff: Staff, links: Links, database: Database, clock: SettableClock, records: Records
) -> None:
    log = people._log
    sessions, tokens = Sessions(database, log, clock, SessionLimits()), Tokens(database, log, clock)
    person = staff.official.person_id
    link = people.invite(staff.administrator, person)
    cookie, _ = sessions.open(person, 2, None, None)
    token, _ = tokens.create(person, "script", 30, 2, 2)
    people.lock(staff.administrator, person)
    people.unlock(staff.administrator, person)
    assert sessions.find(cookie) is None
    assert tokens.find(token) is None
    with pytest.raises(NotFound):
        links.look(link)
    assert [item.get("outcome") for item in records("account.lock")] == [None, "complete"]


def test_a_locked_account_is_not_invited_nor_locked_twice(people: People, staff: Staff) -> None:
    person = staff.official.person_id
    with pytest.raises(Conflict):
        people.unlock(staff.administrator, person)
    people.lock(staff.administrator, person)
    with pytest.raises(Conflict):
        people.lock(staff.administrator, person)
    with pytest.raises(Conflict):
        people.invite(staff.administrator, person)
    people.unlock(staff.administrator, person)
    assert people.person(staff.administrator, person).active


def test_a_locked_administrator_can_do_nothing(people: People, staff: Staff, database: Database) -> None:
    other = add_person(database, staff.organisation, email="second@mod.example", roles=["administrator"])
    people.lock(staff.administrator, other)
    with pytest.raises(NotPermitted):
        people.people(Actor(other, staff.organisation, 2, "session"))


# Programmes


def test_a_programme_is_led_by_an_organisation(
    people: People, staff: Staff, database: Database, records: Records
) -> None:
    programme = people.create_programme(staff.administrator, "Harbour Shield", staff.organisation)
    add_membership(database, staff.official.person_id, programme)
    (view,) = people.programmes(staff.administrator).items
    assert (view.id, view.name, view.active, view.members) == (programme, "Harbour Shield", True, 1)
    assert view.lead == Named(staff.organisation, "Ministry of Defence")
    intent, _ = records("programme.create")
    assert intent["programme"] == intent["target"] == programme
    with pytest.raises(Conflict):
        people.create_programme(staff.administrator, "harbour shield", staff.organisation)


# Lists


def test_pages_follow_one_another_without_gap_or_repetition(
    people: People, staff: Staff, database: Database, clock: SettableClock
) -> None:
    for number in range(7):
        # Two at a time: the id decides where the time does not.
        clock.move(minutes=number % 2)
        people.create_organisation(staff.administrator, f"Company {number}", "NLD")
    seen: list[str] = []
    cursor = None
    while True:
        page = people.organisations(staff.administrator, cursor, limit=2)
        seen += [view.id for view in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 9
    created = {view.id: view.created for view in people.organisations(staff.administrator).items}
    assert [created[item] for item in seen] == sorted(created.values(), reverse=True)


def test_a_cursor_of_another_list_or_person_is_refused(
    people: People, staff: Staff, database: Database
) -> None:
    other = add_person(database, staff.organisation, email="second@mod.example", roles=["administrator"])
    cursor = people.people(staff.administrator, limit=1).next
    assert cursor is not None
    for actor, read in (
        (staff.administrator, people.organisations),
        (Actor(other, staff.organisation, 2, "session"), lambda by, at: people.people(by, cursor=at)),
    ):
        with pytest.raises(Invalid):
            read(actor, cursor)
    for limit in (0, 201, -1):
        with pytest.raises(Invalid):
            people.organisations(staff.administrator, limit=limit)


def test_people_are_found_by_organisation_and_by_address(
    people: People, staff: Staff, records: Records
) -> None:
    of_company = people.people(staff.administrator, Wanted(organisation=staff.partner.organisation_id))
    assert [view.id for view in of_company.items] == [staff.partner.person_id]
    by_address = people.people(staff.administrator, Wanted(email=" FENNA@mod.example"))
    assert [view.id for view in by_address.items] == [staff.official.person_id]
    assert people.people(staff.administrator, Wanted(email="nobody@mod.example")).items == ()
    assert [item["details"]["filters"] for item in records("account.manage")] == [
        ["organisation"],
        ["email"],
        ["email"],
    ]


@pytest.mark.parametrize("read", ["organisations", "people", "programmes"])
def test_a_page_takes_at_most_twelve_queries(
    read: str, people: People, staff: Staff, database: Database, queries: list[str]
) -> None:
    for number in range(20):
        company = add_organisation(database, f"Company {number}")
        person = add_person(database, company, email=f"{number}@company.example", roles=["partner"])
        add_membership(database, person, people.create_programme(staff.administrator, f"P {number}", company))
    queries.clear()
    assert len(getattr(people, read)(staff.administrator, limit=20).items) == 20
    assert len([statement for statement in queries if statement.startswith("SELECT")]) <= 12


def test_a_list_is_recorded_with_the_digest_of_what_it_showed(
    people: People, staff: Staff, records: Records
) -> None:
    page = people.people(staff.administrator)
    (record,) = records("account.manage")
    assert record["details"]["shown"] == len(page.items) == 6
    assert record["decision"] == "permit"
    assert "outcome" not in record


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("UPDATE organisations SET nation = 'RUS' WHERE id = :id", "organisations"),
        ("UPDATE people SET active = 0 WHERE id = :id", "people"),
        ("UPDATE programmes SET lead_organisation_id = :other WHERE id = :id", "programmes"),
    ],
)
def test_an_edited_row_is_left_out_of_its_list_and_reported(
    sql: str, read: str, people: People, staff: Staff, database: Database, records: Records
) -> None:
    programme = people.create_programme(staff.administrator, "Harbour Shield", staff.organisation)
    company = staff.partner.organisation_id
    row = {"organisations": company, "people": staff.official.person_id, "programmes": programme}[read]
    with database.engine.begin() as connection:
        connection.exec_driver_sql(sql, {"id": row, "other": company})
    assert row not in {view.id for view in getattr(people, read)(staff.administrator).items}
    (found,) = records("tamper.detected")
    assert found["details"] == {"table": read, "row": row}


def test_a_change_under_a_change_is_a_conflict(
    people: People, staff: Staff, database: Database, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation = people.create_organisation(staff.administrator, "Noordzee", "NLD")
    append = people._log.append

    def meanwhile(event: Any) -> Any:
        # Somebody else's change lands between this one's intent and its transaction.
        receipt = append(event)
        if event.completes is None and event.outcome is None:
            with database.write(log_entry=0) as session:
                session.get_one(Organisation, organisation).nation = "BEL"
        return receipt

    monkeypatch.setattr(people._log, "append", meanwhile)
    with pytest.raises(Conflict):
        people.rename_organisation(staff.administrator, organisation, "Waddenzee")
    assert records("organisation.change")[-1]["outcome"] == "failed"


def test_names_are_not_stored_in_the_clear(people: People, staff: Staff, database: Database) -> None:
    people.create_person(staff.administrator, staff.organisation, "Zoë Groen", "zoe@mod.example", "NLD")
    people.create_programme(staff.administrator, "Harbour Shield", staff.organisation)
    with database.engine.connect() as connection:
        for kind in (Organisation, Person, Programme, OneTimeLink):
            for row in connection.execute(kind.__table__.select()):
                stored = b" ".join(
                    value if isinstance(value, bytes) else str(value).encode() for value in row
                )
                for text in ("Zoë", "zoe@", "Harbour", "Ministry"):
                    assert text.encode() not in stored


def test_an_account_in_use_gets_no_further_link(people: People, staff: Staff, database: Database) -> None:
    add_credential(database, staff.official.person_id)
    with pytest.raises(Conflict, match="in use"):
        people.invite(staff.administrator, staff.official.person_id)
