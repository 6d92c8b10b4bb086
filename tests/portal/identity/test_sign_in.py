from __future__ import annotations

from collections.abc import Callable
from typing import Any

import argon2
import pytest

from portal.audit import AuditLog
from portal.errors import TooMany, Unauthenticated, Unavailable
from portal.identity import PasswordHasher, Sessions, SignIn, totp
from portal.models import Credential, Organisation, Person, TamperedRow
from portal.models.database import Database
from tests.portal.factories import CHEAP_HASHER, PASSWORD, SettableClock, add_credential, add_person
from tests.portal.identity.conftest import EMAIL, World

Records = Callable[..., list[dict[str, Any]]]


def credential(database: Database, person_id: str) -> Credential:
    with database.read() as session:
        found = session.get(Credential, person_id)
    assert found is not None
    return found


def set_active(database: Database, kind: Any, identifier: str, active: bool) -> None:
    with database.write() as session:
        found = session.get(kind, identifier)
        assert found is not None
        found.active = active


def test_the_right_credentials_open_a_session(
    sign_in: SignIn, sessions: Sessions, world: World, clock: SettableClock, records: Records
) -> None:
    code = totp.code_at(world.totp_secret, clock())
    secret, info = sign_in.sign_in(" Anna@MOD.example", PASSWORD, code, "192.0.2.1", "r-1", role="official")
    assert (info.person_id, info.organisation_id) == (world.person, world.organisation)
    assert (info.assurance, info.role) == (2, "official")
    assert sessions.find(secret) == info
    record = records("session.open")[0]
    assert (record["actor"], record["session"]) == (world.person, info.id)
    assert record["details"]["method"] == "password-totp"
    assert set(record["commitments"]) == {"address"}


def test_every_failure_gets_the_same_answer_and_its_own_record(
    sign_in: SignIn, world: World, database: Database, clock: SettableClock, records: Records
) -> None:
    bare = add_person(database, world.organisation, email="bare@mod.example")
    locked = add_person(database, world.organisation, email="locked@mod.example", active=False)
    shared = add_credential(database, locked)
    single = add_person(database, world.organisation, email="single@mod.example")
    add_credential(database, single, second_factor=False)
    code = totp.code_at(world.totp_secret, clock())
    sign_in.sign_in(EMAIL, PASSWORD, code)
    answers = set()
    attempts = [
        ("nobody@mod.example", PASSWORD, code, None, "unknown-account"),
        ("not an address", PASSWORD, code, None, "unknown-account"),
        ("", "", "", None, "unknown-account"),
        ("\ud800", "\ud800", "\ud800", None, "unknown-account"),
        (EMAIL, PASSWORD + "!", code, world.person, "wrong-password"),
        (EMAIL, "", code, world.person, "wrong-password"),
        (EMAIL, PASSWORD, "000000", world.person, "wrong-code"),
        (EMAIL, PASSWORD, "", world.person, "wrong-code"),
        (EMAIL, PASSWORD, code, world.person, "used-code"),
        ("bare@mod.example", PASSWORD, code, bare, "wrong-password"),
        ("locked@mod.example", PASSWORD, totp.code_at(shared, clock()), locked, "inactive"),
        ("single@mod.example", PASSWORD, "", single, "no-second-factor"),
    ]
    for email, password, typed, target, problem in attempts:
        with pytest.raises(Unauthenticated) as refused:
            sign_in.sign_in(email, password, typed, "192.0.2.1", "r-1")
        answers.add((refused.value.message, refused.value.mend, type(refused.value)))
        record = records("session.refused")[-1]
        assert (record.get("target"), record["details"]["problem"]) == (target, problem)
        assert record["decision"] == "deny"
        assert "actor" not in record
        assert set(record["commitments"]) == {"address"}
    assert len(answers) == 1
    assert len(records("session.refused")) == len(attempts)
    assert len({record["session"] for record in records("session.open")}) == 1
    for text in ("192.0.2.1", "mod.example", PASSWORD):
        assert text not in str(records())


def test_every_failure_does_the_same_work(
    sign_in: SignIn, world: World, database: Database, monkeypatch: pytest.MonkeyPatch, clock: SettableClock
) -> None:
    locked = add_person(database, world.organisation, email="locked@mod.example", active=False)
    add_credential(database, locked)
    add_person(database, world.organisation, email="bare@mod.example")
    work: list[str] = []
    verify, generate = argon2.PasswordHasher.verify, totp.TOTP.generate

    def noted_verify(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        work.append("password")
        return verify(self, stored, password)

    class NotedTotp(totp.TOTP):
        def generate(self, time: int | float) -> bytes:
            work.append("code")
            return generate(self, time)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted_verify)
    monkeypatch.setattr(totp, "TOTP", NotedTotp)
    done = set()
    for email in (EMAIL, "nobody@mod.example", "locked@mod.example", "bare@mod.example", ""):
        for password in (PASSWORD, "wrong", ""):
            work.clear()
            with pytest.raises(Unauthenticated):
                sign_in.sign_in(email, password, "000000")
            done.add(tuple(work))
    assert done == {("password", "code", "code", "code")}


def test_a_code_signs_in_once_and_the_next_one_again(
    sign_in: SignIn, world: World, clock: SettableClock, database: Database
) -> None:
    code = totp.code_at(world.totp_secret, clock())
    sign_in.sign_in(EMAIL, PASSWORD, code)
    assert credential(database, world.person).totp_step == totp.step_at(clock())
    with pytest.raises(Unauthenticated):
        sign_in.sign_in(EMAIL, PASSWORD, code)
    clock.move(seconds=30)
    with pytest.raises(Unauthenticated):
        sign_in.sign_in(EMAIL, PASSWORD, code)
    sign_in.sign_in(EMAIL, PASSWORD, totp.code_at(world.totp_secret, clock()))


def test_a_wrong_password_does_not_use_up_the_code(
    sign_in: SignIn, world: World, clock: SettableClock
) -> None:
    code = totp.code_at(world.totp_secret, clock())
    with pytest.raises(Unauthenticated):
        sign_in.sign_in(EMAIL, "wrong", code)
    sign_in.sign_in(EMAIL, PASSWORD, code)


def test_of_two_who_use_a_code_at_once_one_is_refused(
    sign_in: SignIn,
    sessions: Sessions,
    world: World,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
    records: Records,
) -> None:
    code = totp.code_at(world.totp_secret, clock())
    open_session = sessions.open

    def opened_after_the_other(*arguments: Any, **facts: Any) -> Any:
        monkeypatch.setattr(sessions, "open", open_session)
        sign_in.sign_in(EMAIL, PASSWORD, code)
        return open_session(*arguments, **facts)

    monkeypatch.setattr(sessions, "open", opened_after_the_other)
    with pytest.raises(Unauthenticated):
        sign_in.sign_in(EMAIL, PASSWORD, code)
    assert len(sessions.list(world.person)) == 1
    assert records("session.refused")[-1]["details"]["problem"] == "used-code"
    assert records("session.open")[-1]["outcome"] == "failed"


def test_an_account_without_second_factor_gets_assurance_1_where_that_is_allowed(
    database: Database, audit_log: AuditLog, clock: SettableClock, sessions: Sessions, world: World
) -> None:
    single = add_person(database, world.organisation, email="single@mod.example")
    add_credential(database, single, second_factor=False)
    allowing = SignIn(database, audit_log, clock, CHEAP_HASHER, sessions, password_only=True)
    _, info = allowing.sign_in("single@mod.example", PASSWORD, "")
    assert info.assurance == 1
    with pytest.raises(Unauthenticated):
        allowing.sign_in(EMAIL, PASSWORD, "")


@pytest.mark.parametrize("kind", [Person, Organisation])
def test_an_inactive_person_or_organisation_is_refused_until_active_again(
    sign_in: SignIn, world: World, database: Database, clock: SettableClock, kind: Any
) -> None:
    identifier = world.person if kind is Person else world.organisation
    code = totp.code_at(world.totp_secret, clock())
    set_active(database, kind, identifier, False)
    with pytest.raises(Unauthenticated):
        sign_in.sign_in(EMAIL, PASSWORD, code)
    set_active(database, kind, identifier, True)
    sign_in.sign_in(EMAIL, PASSWORD, code)


def test_raised_parameters_renew_the_hash_at_sign_in(
    database: Database, audit_log: AuditLog, clock: SettableClock, sessions: Sessions, world: World
) -> None:
    raised = PasswordHasher(memory=16, rounds=2)
    before = credential(database, world.person)
    stronger = SignIn(database, audit_log, clock, raised, sessions)
    stronger.sign_in(EMAIL, PASSWORD, totp.code_at(world.totp_secret, clock()))
    after = credential(database, world.person)
    assert raised.needs_rehash(before.password_hash)
    assert not raised.needs_rehash(after.password_hash)
    assert after.changed == before.changed
    clock.move(seconds=30)
    stronger.sign_in(EMAIL, PASSWORD, totp.code_at(world.totp_secret, clock()))
    assert credential(database, world.person).password_hash == after.password_hash


def test_too_many_at_once_is_told_for_every_account_alike(
    database: Database, audit_log: AuditLog, clock: SettableClock, sessions: Sessions, world: World
) -> None:
    busy = PasswordHasher(memory=8, rounds=1, at_once=1, wait=0.01)
    sign_in = SignIn(database, audit_log, clock, busy, sessions)
    with busy._turn():
        for email in (EMAIL, "nobody@mod.example"):
            with pytest.raises(TooMany):
                sign_in.sign_in(email, PASSWORD, "000000")


def test_nobody_signs_in_while_the_log_cannot_be_written(
    sign_in: SignIn,
    sessions: Sessions,
    world: World,
    audit_log: AuditLog,
    clock: SettableClock,
    database: Database,
) -> None:
    step = credential(database, world.person).totp_step
    audit_log.close()
    for password in (PASSWORD, "wrong"):
        with pytest.raises(Unavailable):
            sign_in.sign_in(EMAIL, password, totp.code_at(world.totp_secret, clock()))
    assert sessions.list(world.person) == ()
    assert credential(database, world.person).totp_step == step


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE credentials SET password_hash = :hash",
        "UPDATE credentials SET totp_active = 0",
        "UPDATE credentials SET totp_step = totp_step - 1",
        "UPDATE credentials SET row_version = row_version + 1",
        "UPDATE people SET active = 1",
        "UPDATE organisations SET active = 1",
    ],
)
def test_an_edited_row_is_refused(
    sign_in: SignIn,
    world: World,
    database: Database,
    clock: SettableClock,
    tamper: Callable[..., None],
    sql: str,
) -> None:
    if "active = 1" in sql:
        set_active(
            database,
            *((Person, world.person) if "people" in sql else (Organisation, world.organisation)),
            False,
        )
    tamper(sql, **({"hash": CHEAP_HASHER.hash("the password of the intruder")} if ":hash" in sql else {}))
    for password in (PASSWORD, "the password of the intruder"):
        with pytest.raises(TamperedRow):
            sign_in.sign_in(EMAIL, password, totp.code_at(world.totp_secret, clock()))


def test_credentials_copied_to_another_account_are_refused(
    sign_in: SignIn, world: World, database: Database, clock: SettableClock, tamper: Callable[..., None]
) -> None:
    victim = add_person(database, world.organisation, email="victim@mod.example")
    add_credential(database, victim)
    tamper(
        "UPDATE credentials SET (password_hash, totp_sealed, seal) = "
        "(SELECT password_hash, totp_sealed, seal FROM credentials WHERE person_id = :own) WHERE person_id = :victim",
        own=world.person,
        victim=victim,
    )
    with pytest.raises(TamperedRow):
        sign_in.sign_in("victim@mod.example", PASSWORD, totp.code_at(world.totp_secret, clock()))
