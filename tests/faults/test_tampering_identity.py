"""An intruder who rewrites who people are and what they may do: never obeyed, always reported."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Boolean
from werkzeug.test import TestResponse

from portal.http.identify import SESSION_KEY
from portal.models import Base, SealedRow
from tests.faults.test_tampering import tampering
from tests.portal import factories
from tests.portal.attack import Browser, clock_of, open_copy, recorded, sql, tampered
from tests.portal.worlds import BEGINNING, World


@dataclass(frozen=True)
class Place:
    world: World
    session: str
    link: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    world = open_copy(tmp_path_factory.mktemp("identity") / "data", sign_ins_per_minute=10_000)
    official = world.people["official"]
    factories.add_briefing(world.runtime.database, official, ["RESTRICTED"], start=BEGINNING)
    world.deposited(label="NATO RESTRICTED")
    factories.add_facility(world.runtime.database, world.organisation)
    instruction = factories.add_instruction(world.runtime.database, ["RESTRICTED"])
    factories.add_acknowledgement(world.runtime.database, official, instruction)
    link = world.runtime.links.create(official, 72)
    session, _ = world.runtime.account._sessions.open(official, 2, None, "127.0.0.1")
    yield Place(world, session, link)
    world.runtime.close()


def by_token(place: Place) -> TestResponse:
    return place.world.get("/documents", "official")


def programmes(place: Place) -> TestResponse:
    return place.world.get("/programmes", "official")


def by_session(place: Place) -> TestResponse:
    return browser(place).get("/documents")


def browser(place: Place) -> Browser:
    made = Browser(place.world)
    with made.client.session_transaction() as kept:
        kept[SESSION_KEY] = place.session
    return made


def sign_in(place: Place) -> TestResponse:
    return Browser(place.world).sign_in("official")


def link(place: Place) -> TestResponse:
    return Browser(place.world).get(f"/welcome/{place.link}")


Door = Callable[[Place], TestResponse]
OF_PERSON = "person_id = '{person}'"
ROWS: dict[str, tuple[str, Door, set[str]]] = {
    "people": ("id = '{person}'", by_token, {"id"}),
    "organisations": ("id = '{organisation}'", by_token, {"id"}),
    "role_grants": (OF_PERSON, by_token, {"person_id"}),
    "clearances": (OF_PERSON, by_token, {"person_id"}),
    "memberships": (OF_PERSON, by_token, {"person_id"}),
    "briefings": (OF_PERSON, by_token, {"person_id"}),
    "facility_clearances": ("organisation_id = '{organisation}'", by_token, {"organisation_id"}),
    "acknowledgements": (OF_PERSON, by_token, {"person_id", "instruction_id"}),
    "instructions": ("1 = 1", by_token, {"id"}),
    "programmes": ("id = '{programme}'", programmes, {"id"}),
    "api_tokens": (OF_PERSON, by_token, {"secret_hash"}),
    "sessions": (OF_PERSON, by_session, {"secret_hash"}),
    "credentials": (OF_PERSON, sign_in, {"person_id"}),
    "one_time_links": (OF_PERSON, link, {"secret_hash"}),
}
"""Table → whose row, the door that reads it, and the columns by which the row is found."""

JUNK = ("'junk'", "x'00'", "-1", "1.5", "4000000000000000000", "CAST(x'ff' AS TEXT)", "''", "NULL")
COLUMNS = [(table, column) for table in ROWS for column in Base.metadata.tables[table].c.keys()]  # noqa: SIM118


def test_every_sealed_table_is_attacked() -> None:
    sealed = {
        mapper.class_.__tablename__
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, SealedRow)
    }
    elsewhere = {"documents", "versions", "labels", "policies", "level_settings", "proposals", "approvals"}
    beside_their_services = {
        "inspections",
        "originator_consents",
        "originator_controls",
        "releases",
        "resumable_uploads",
        "version_digests",
    }
    assert sealed == set(ROWS) | elsewhere | beside_their_services


def attack(place: Place, table: str, change: str) -> str:
    world = place.world
    known = {
        "person": world.people["official"],
        "organisation": world.organisation,
        "programme": world.programme,
    }
    return f"UPDATE {table} SET {change} WHERE {ROWS[table][0].format(**known)}"


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_an_edited_column_is_refused_and_reported(place: Place, table: str, column: str) -> None:
    _, door, found_by = ROWS[table]
    # Any number but 0 reads as true: what says the same as before changes nothing.
    boolean = isinstance(Base.metadata.tables[table].c[column].type, Boolean)
    for value in ("NOT " + column,) if boolean else JUNK:
        with tampered(place.world):
            before = sql(place.world, f"SELECT typeof({column}) || hex({column}) FROM {table}")
            try:
                sql(place.world, attack(place, table, f"{column} = {value}"))
            except sqlite3.IntegrityError:
                continue
            if sql(place.world, f"SELECT typeof({column}) || hex({column}) FROM {table}") == before:
                continue
            with recorded(place.world) as records:
                answer = door(place)
        if column in found_by:
            assert answer.status_code < 500 or answer.status_code == 503, value
            # A clearance stands behind the briefing, and officials need no cleared premises.
            unneeded = table in ("briefings", "facility_clearances")
            assert "A deliverable" not in answer.get_data(as_text=True) or unneeded
        else:
            assert answer.status_code == 503, (value, answer.get_data(as_text=True))
            assert {found["table"] for found in tampering(records)} == {table}, value


LATER = int((datetime.now(UTC) + timedelta(days=3650)).timestamp() * 1_000_000)
WISHES = {
    "higher-clearance": (
        "clearances",
        'classifications = \'["RESTRICTED","SECRET","UNCLASSIFIED"]\'',
        by_token,
    ),
    "longer-clearance": ("clearances", f"valid_until = {LATER}", by_token),
    "other-categories": ("clearances", 'categories = \'{"Context":["NATO","EAPC"]}\'', by_token),
    "other-programme": ("memberships", f"programme_id = id, valid_until = {LATER}", by_token),
    "another-role": ("role_grants", "role = 'auditor'", by_token),
    "unlocked": ("people", "active = 0", by_token),
    "another-organisation": (
        "people",
        "organisation_id = (SELECT id FROM organisations WHERE id <> people.organisation_id LIMIT 1)",
        by_token,
    ),
    "another-nation": ("people", "nation = 'USA'", by_token),
    "longer-token": ("api_tokens", f"expires = {LATER}", by_token),
    "stronger-token": ("api_tokens", "assurance = 3", by_token),
    "somebody-elses-token": (
        "api_tokens",
        "person_id = (SELECT id FROM people WHERE id <> api_tokens.person_id LIMIT 1)",
        by_token,
    ),
    "longer-session": ("sessions", f"expires = {LATER}, seen = {LATER}", by_session),
    "stronger-session": ("sessions", "assurance = 3", by_session),
    "somebody-elses-session": (
        "sessions",
        "person_id = (SELECT id FROM people WHERE id <> sessions.person_id LIMIT 1)",
        by_session,
    ),
    "known-password": ("credentials", "password_hash = '{known}'", sign_in),
    "no-second-factor": ("credentials", "totp_active = 0", sign_in),
    "used-code": ("credentials", "totp_step = -1", sign_in),
}


@pytest.mark.parametrize("wish", WISHES)
def test_what_an_intruder_would_wish_for_is_refused_and_reported(place: Place, wish: str) -> None:
    table, change, door = WISHES[wish]
    change = change.replace("{known}", factories.CHEAP_HASHER.hash("known password of the intruder"))
    clock_of(place.world).move(seconds=31)
    assert sign_in(place).status_code == 302
    with tampered(place.world, attack(place, table, change)), recorded(place.world) as records:
        answer = door(place)
    assert answer.status_code == 503
    assert [found["table"] for found in tampering(records)] == [table]
    assert not any(record.get("decision") == "permit" for record in records)


def test_a_locked_account_stays_locked(place: Place) -> None:
    world = place.world
    with tampered(world):
        with world.runtime.database.write(log_entry=0) as session:
            from portal import models

            session.get_one(models.Person, world.people["official"]).active = False
        assert by_token(place).status_code == 401
        sql(world, "UPDATE people SET active = 1 WHERE id = ?", world.people["official"])
        with recorded(world) as records:
            assert by_token(place).status_code == 503
        assert tampering(records) == [{"table": "people", "row": world.people["official"]}]


@pytest.mark.parametrize("table", ["credentials", "people", "sessions", "api_tokens"])
def test_a_row_copied_over_that_of_another_person_is_refused(place: Place, table: str) -> None:
    world = place.world
    Browser.of(world, "auditor")
    mine, theirs = world.people["official"], world.people["auditor"]
    key = "id" if table == "people" else "person_id"
    fixed = {"id", key, "email_index", "secret_hash"}
    names = [row[1] for row in sql(world, f"PRAGMA table_info({table})") if row[1] not in fixed]
    copied = ", ".join(
        f"{name} = (SELECT {name} FROM {table} WHERE {key} = '{theirs}' LIMIT 1)" for name in names
    )
    with (
        tampered(world, f"UPDATE {table} SET {copied} WHERE {key} = '{mine}'"),
        recorded(world) as records,
    ):
        assert ROWS[table][1](place).status_code == 503
    assert {found["table"] for found in tampering(records)} == {table}


@pytest.mark.parametrize(
    "table", ["people", "organisations", "programmes", "labels", "versions", "documents"]
)
def test_rows_that_are_gone_are_no_fault_of_the_portal_and_open_nothing(place: Place, table: str) -> None:
    before = {item["id"] for item in by_token(place).json["items"]}
    with tampered(place.world, f"DELETE FROM {table}"):
        for door in (by_token, by_session, programmes, sign_in):
            answer = door(place)
            assert answer.status_code in (200, 302, 303, 401, 404, 503), door
            if door is by_token and answer.status_code == 200:
                assert {item["id"] for item in answer.json["items"]} <= before
        for document in before:
            for path in ("", "/content"):
                assert place.world.get(f"/documents/{document}{path}", "official").status_code in (
                    200,
                    401,
                    404,
                    503,
                )


def test_a_page_about_a_damaged_session_is_shown_once_and_reported_once(place: Place) -> None:
    with tampered(place.world, attack(place, "sessions", "assurance = 3")), recorded(place.world) as records:
        answer = browser(place).get("/account")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert len(tampering(records)) == 1


def test_everything_is_as_before_when_the_attacks_are_undone(place: Place) -> None:
    assert [door(place).status_code for door in (by_token, by_session, programmes, link)] == [200] * 4
    clock_of(place.world).move(seconds=31)
    assert sign_in(place).status_code == 302
