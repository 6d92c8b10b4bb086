from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from portal.audit import AuditLog
from portal.errors import Conflict, NotFound, Unauthenticated
from portal.identity import SessionLimits, Sessions
from portal.identity.bearer import fingerprint
from portal.models import Organisation, Person, SessionRecord, TamperedRow
from portal.models.database import Database
from tests.portal.factories import SettableClock, add_organisation, add_person
from tests.portal.identity.conftest import Officer, World

Records = Callable[..., list[dict[str, Any]]]


def open_one(sessions: Sessions, world: World, **facts: Any) -> tuple[str, str]:
    secret, info = sessions.open(world.person, 2, "official", "192.0.2.1", "request-1", **facts)
    return secret, info.id


def row(database: Database, session_id: str) -> SessionRecord:
    with database.read() as session:
        found = session.get(SessionRecord, session_id)
    assert found is not None
    return found


def test_a_session_is_found_by_its_secret(sessions: Sessions, world: World, clock: SettableClock) -> None:
    secret, info = sessions.open(world.person, 2, "official", "192.0.2.1", "request-1")
    assert sessions.find(secret) == info
    assert (info.person_id, info.organisation_id) == (world.person, world.organisation)
    assert (info.assurance, info.role, info.address) == (2, "official", "192.0.2.1")
    assert info.expires == clock() + timedelta(hours=10)


def test_a_session_may_be_in_every_role_and_from_nowhere(sessions: Sessions, world: World) -> None:
    secret, info = sessions.open(world.person, 1, None, None)
    assert (info.role, info.address) == (None, None)
    assert sessions.find(secret) == info


def test_only_the_hash_of_the_secret_is_stored(sessions: Sessions, world: World, database: Database) -> None:
    secret, session_id = open_one(sessions, world)
    assert len(secret) == 43
    assert row(database, session_id).secret_hash == fingerprint(secret)
    with database.engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT * FROM sessions").one()
    assert not any(secret in str(value) for value in stored)
    assert not any(b"192.0.2.1" in value for value in stored if isinstance(value, bytes))


def test_opening_is_recorded_with_a_commitment_to_the_address(
    sessions: Sessions, world: World, records: Records, database: Database
) -> None:
    _, session_id = open_one(sessions, world)
    record = records("session.open")[0]
    assert record["actor"] == world.person
    assert record["session"] == session_id
    assert (record["organisation"], record["role"]) == (world.organisation, "official")
    assert (record["assurance"], record["request"]) == (2, "request-1")
    assert set(record["commitments"]) == {"address"}
    assert "192.0.2.1" not in str(records())
    assert row(database, session_id).log_entry == record["seq"]


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "A" * 43, "x" * 10_000])
def test_a_forged_secret_finds_nothing(sessions: Sessions, world: World, secret: str) -> None:
    open_one(sessions, world)
    assert sessions.find(secret) is None


def test_a_session_ends_when_it_is_idle_too_long(
    sessions: Sessions, world: World, clock: SettableClock
) -> None:
    secret, _ = open_one(sessions, world)
    clock.move(minutes=29)
    assert sessions.find(secret) is not None
    clock.move(minutes=29)
    assert sessions.find(secret) is not None
    clock.move(minutes=30)
    assert sessions.find(secret) is None


def test_a_session_ends_after_the_absolute_limit_though_in_use(
    sessions: Sessions, world: World, clock: SettableClock
) -> None:
    secret, _ = open_one(sessions, world)
    for _ in range(29):
        clock.move(minutes=20)
        assert sessions.find(secret) is not None
    clock.move(minutes=20)
    assert sessions.find(secret) is None
    assert sessions.list(world.person) == ()


def test_a_lower_limit_holds_for_sessions_opened_before(
    sessions: Sessions, world: World, clock: SettableClock, database: Database, audit_log: AuditLog
) -> None:
    secret, _ = open_one(sessions, world)
    clock.move(minutes=20)
    stricter = Sessions(database, audit_log, clock, SessionLimits(absolute=timedelta(minutes=20)))
    assert stricter.find(secret) is None
    assert sessions.find(secret) is not None


def test_use_is_noted_once_a_minute(
    sessions: Sessions, world: World, clock: SettableClock, database: Database, records: Records
) -> None:
    secret, session_id = open_one(sessions, world)
    opened = row(database, session_id)
    before = len(records())
    clock.move(seconds=59)
    sessions.find(secret)
    assert row(database, session_id).row_version == opened.row_version
    clock.move(seconds=1)
    sessions.find(secret)
    sessions.find(secret)
    touched = row(database, session_id)
    assert touched.row_version == opened.row_version + 1
    assert touched.seen == clock()
    assert touched.log_entry == opened.log_entry
    assert len(records()) == before


def test_a_database_that_cannot_be_written_does_not_stop_readers(
    sessions: Sessions, world: World, clock: SettableClock, database: Database
) -> None:
    secret, session_id = open_one(sessions, world)
    seen = row(database, session_id).seen
    database.engine.dispose()
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    clock.move(minutes=5)
    assert sessions.find(secret) is not None
    assert row(database, session_id).seen == seen


def test_an_ended_session_is_found_no_more(
    sessions: Sessions, world: World, administrator: Officer, records: Records
) -> None:
    secret, session_id = open_one(sessions, world)
    sessions.end(session_id, administrator, cause="revoked")
    assert sessions.find(secret) is None
    record = records("session.close")[0]
    assert record["actor"] == administrator.person_id
    assert (record["target"], record["session"]) == (world.person, session_id)
    assert record["details"] == {"cause": "revoked"}


def test_ending_twice_is_recorded_once(sessions: Sessions, world: World, records: Records) -> None:
    _, session_id = open_one(sessions, world)
    sessions.end(session_id, None)
    count = len(records())
    sessions.end(session_id, None)
    assert len(records()) == count


def test_a_session_that_does_not_exist_cannot_be_ended(sessions: Sessions) -> None:
    with pytest.raises(NotFound):
        sessions.end("no-such-session", None)


def test_all_sessions_of_a_person_end_but_the_one_kept(
    sessions: Sessions, world: World, administrator: Officer
) -> None:
    kept, kept_id = open_one(sessions, world)
    others = [open_one(sessions, world)[0] for _ in range(2)]
    apart, _ = sessions.open(administrator.person_id, 2, None, None)
    assert sessions.end_all(world.person, administrator, keep=kept_id) == 2
    assert [sessions.find(secret) for secret in others] == [None, None]
    assert sessions.find(kept) is not None
    assert sessions.find(apart) is not None


def test_a_person_sees_their_sessions_the_one_used_last_first(
    sessions: Sessions, world: World, clock: SettableClock, administrator: Officer
) -> None:
    first, first_id = open_one(sessions, world)
    clock.move(minutes=1)
    _, second_id = open_one(sessions, world)
    sessions.open(administrator.person_id, 2, None, None)
    clock.move(minutes=1)
    assert [info.id for info in sessions.list(world.person)] == [second_id, first_id]
    sessions.find(first)
    assert [info.id for info in sessions.list(world.person)] == [first_id, second_id]
    assert sessions.list("nobody") == ()


def test_nobody_signs_in_to_an_inactive_account(sessions: Sessions, world: World, database: Database) -> None:
    inactive = add_person(database, world.organisation, email="locked@mod.example", active=False)
    for person in (inactive, "nobody"):
        with pytest.raises(Unauthenticated):
            sessions.open(person, 2, None, None)


@pytest.mark.parametrize("kind", [Person, Organisation])
def test_a_session_stops_with_its_person_and_their_organisation(
    sessions: Sessions, world: World, database: Database, kind: Any
) -> None:
    secret, _ = open_one(sessions, world)
    with database.write() as session:
        found = session.get(kind, world.person if kind is Person else world.organisation)
        assert found is not None
        found.active = False
    assert sessions.find(secret) is None


def test_what_runs_within_may_refuse_the_session(sessions: Sessions, world: World, records: Records) -> None:
    def refuse(_session: object) -> None:
        raise Conflict("the code was used meanwhile")

    with pytest.raises(Conflict):
        open_one(sessions, world, within=refuse)
    assert sessions.list(world.person) == ()
    assert records("session.open")[-1]["outcome"] == "failed"


TAMPERINGS = [
    "UPDATE sessions SET assurance = 3",
    "UPDATE sessions SET expires = expires + 1",
    "UPDATE sessions SET role = 'auditor'",
    "UPDATE sessions SET seen = seen + 1",
    "UPDATE sessions SET person_id = (SELECT id FROM people WHERE id <> :person)",
    "UPDATE sessions SET row_version = row_version + 1",
    "UPDATE sessions SET address_sealed = x'00'",
    "UPDATE people SET organisation_id = (SELECT id FROM organisations WHERE id <> :organisation) WHERE id = :person",
    "UPDATE people SET nation = 'FRA' WHERE id = :person",
    "UPDATE organisations SET nation = 'FRA' WHERE id = :organisation",
]


@pytest.mark.parametrize("sql", TAMPERINGS)
def test_an_edited_row_is_refused(
    sessions: Sessions, world: World, database: Database, tamper: Callable[..., None], sql: str
) -> None:
    other = add_organisation(database, "Acme")
    add_person(database, other, email="eve@acme.example")
    secret, _ = open_one(sessions, world)
    tamper(sql, person=world.person, organisation=world.organisation)
    with pytest.raises(TamperedRow):
        sessions.find(secret)


def test_a_revived_session_is_refused(sessions: Sessions, world: World, tamper: Callable[..., None]) -> None:
    secret, session_id = open_one(sessions, world)
    sessions.end(session_id, None)
    tamper("UPDATE sessions SET ended = NULL")
    with pytest.raises(TamperedRow):
        sessions.find(secret)


def test_a_session_copied_to_another_secret_is_refused(
    sessions: Sessions, world: World, tamper: Callable[..., None]
) -> None:
    open_one(sessions, world)
    tamper("UPDATE sessions SET secret_hash = :hash", hash=fingerprint("my own secret"))
    with pytest.raises(TamperedRow):
        sessions.find("my own secret")


def test_a_deleted_session_is_found_no_more(
    sessions: Sessions, world: World, tamper: Callable[..., None]
) -> None:
    secret, _ = open_one(sessions, world)
    tamper("DELETE FROM sessions")
    assert sessions.find(secret) is None
