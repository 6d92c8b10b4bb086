from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portal.errors import Invalid, NotFound, Unauthenticated
from portal.identity import Links, Sessions, SignIn, totp
from portal.models import OneTimeLink, Person, TamperedRow
from portal.models.database import Database
from tests.portal.factories import PASSWORD, SettableClock, add_person
from tests.portal.identity.conftest import EMAIL, Officer, World

Records = Callable[..., list[dict[str, Any]]]

NEW_PASSWORD = "a lighthouse without any keeper"
EVE = "eve@mod.example"


@pytest.fixture
def newcomer(database: Database, world: World) -> str:
    return add_person(database, world.organisation, name="Eva Jansen", email=EVE)


def redeem(links: Links, clock: SettableClock, secret: str, password: str = NEW_PASSWORD) -> str:
    shared = totp.new_secret()
    links.redeem(secret, password, shared, totp.code_at(shared, clock()), request="r-1", address="192.0.2.9")
    return shared


def test_a_link_tells_whose_account_it_opens(links: Links, newcomer: str, clock: SettableClock) -> None:
    info = links.look(links.create(newcomer, 72))
    assert (info.person_id, info.name, info.email) == (newcomer, "Eva Jansen", EVE)
    assert info.expires == clock() + timedelta(hours=72)
    assert info.first


def test_looking_does_not_use_a_link(links: Links, newcomer: str, clock: SettableClock) -> None:
    secret = links.create(newcomer, 72)
    assert links.look(secret) == links.look(secret)
    redeem(links, clock, secret)


def test_a_redeemed_link_lets_its_person_sign_in(
    links: Links, sign_in: SignIn, newcomer: str, clock: SettableClock
) -> None:
    shared = redeem(links, clock, links.create(newcomer, 72))
    clock.move(seconds=30)
    _, session = sign_in.sign_in(EVE, NEW_PASSWORD, totp.code_at(shared, clock()))
    assert (session.person_id, session.assurance) == (newcomer, 2)


def test_the_code_that_confirmed_the_factor_is_used_up(
    links: Links, sign_in: SignIn, newcomer: str, clock: SettableClock
) -> None:
    shared = redeem(links, clock, links.create(newcomer, 72))
    with pytest.raises(Unauthenticated):
        sign_in.sign_in(EVE, NEW_PASSWORD, totp.code_at(shared, clock()))


def test_a_link_is_used_once(links: Links, newcomer: str, clock: SettableClock) -> None:
    secret = links.create(newcomer, 72)
    redeem(links, clock, secret)
    with pytest.raises(NotFound):
        links.look(secret)
    with pytest.raises(NotFound):
        redeem(links, clock, secret)


def test_of_two_who_use_a_link_at_once_one_is_refused(
    links: Links, newcomer: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    secret = links.create(newcomer, 72)
    look = links.look

    def looked_before_the_other(asked: str) -> Any:
        info = look(asked)
        monkeypatch.setattr(links, "look", look)
        redeem(links, clock, secret)
        return info

    monkeypatch.setattr(links, "look", looked_before_the_other)
    with pytest.raises(NotFound):
        redeem(links, clock, secret, "another lighthouse, no keeper")
    outcomes = [record.get("outcome") for record in records("account.activate")]
    assert outcomes == [None, "complete", None, "failed"]


def test_forged_used_and_expired_links_get_the_same_answer(
    links: Links, newcomer: str, clock: SettableClock, database: Database
) -> None:
    used, answers = links.create(newcomer, 72), set()
    redeem(links, clock, used)
    expired = links.create(newcomer, 1)
    clock.move(hours=1)
    replaced = links.create(newcomer, 72)
    links.create(newcomer, 72)
    for secret in (used, expired, replaced, "forged", "", "\ud800"):
        with pytest.raises(NotFound) as refused:
            links.look(secret)
        answers.add((refused.value.message, refused.value.mend))
    assert len(answers) == 1


def test_a_link_of_a_locked_account_does_not_hold(links: Links, newcomer: str, database: Database) -> None:
    secret = links.create(newcomer, 72)
    with database.write() as session:
        person = session.get(Person, newcomer)
        assert person is not None
        person.active = False
    with pytest.raises(NotFound):
        links.look(secret)
    with pytest.raises(NotFound):
        links.create(newcomer, 72)


@pytest.mark.parametrize("hours", [0, -1, 337])
def test_a_period_that_is_not_taken_is_told(links: Links, newcomer: str, hours: int) -> None:
    with pytest.raises(Invalid):
        links.create(newcomer, hours)


def test_a_weak_password_or_a_wrong_code_leaves_the_link_as_it_was(
    links: Links, newcomer: str, clock: SettableClock
) -> None:
    secret, shared = links.create(newcomer, 72), totp.new_secret()
    code = totp.code_at(shared, clock())
    other = f"{(int(code) + 1) % 1_000_000:06}"
    for password, factor, typed in (
        ("short", shared, code),
        ("Eva Jansen 2026", shared, code),
        (NEW_PASSWORD, shared, other),
        (NEW_PASSWORD, shared, ""),
        (NEW_PASSWORD, "not a secret", code),
    ):
        with pytest.raises(Invalid):
            links.redeem(secret, password, factor, typed)
    redeem(links, clock, secret)


def test_recovery_replaces_credentials_and_ends_sessions(
    links: Links, sign_in: SignIn, sessions: Sessions, world: World, clock: SettableClock, records: Records
) -> None:
    open_session, _ = sessions.open(world.person, 2, None, None)
    secret = links.create(world.person, 72)
    assert not links.look(secret).first
    shared = redeem(links, clock, secret)
    assert sessions.find(open_session) is None
    clock.move(seconds=60)
    for password, factor in (
        (PASSWORD, world.totp_secret),
        (NEW_PASSWORD, world.totp_secret),
        (PASSWORD, shared),
    ):
        with pytest.raises(Unauthenticated):
            sign_in.sign_in(EMAIL, password, totp.code_at(factor, clock()))
    sign_in.sign_in(EMAIL, NEW_PASSWORD, totp.code_at(shared, clock()))
    assert [record.get("outcome") for record in records("account.recover")] == [None, "complete"]


def test_issuing_and_using_are_recorded(
    links: Links, newcomer: str, clock: SettableClock, administrator: Officer, records: Records
) -> None:
    secret = links.create(newcomer, 72, by=administrator)
    shared = redeem(links, clock, secret)
    invited, invited_outcome = records("account.invite")
    assert (invited["actor"], invited["target"]) == (administrator.person_id, newcomer)
    assert invited_outcome["outcome"] == "complete"
    activated, activated_outcome = records("account.activate")
    assert (activated["actor"], activated["target"], activated["request"]) == (newcomer, newcomer, "r-1")
    assert activated_outcome["completes"] == activated["seq"]
    for text in (secret, shared, NEW_PASSWORD, EVE, "Eva", "192.0.2.9"):
        assert text not in str(records())


def test_neither_link_nor_factor_is_stored_in_the_clear(
    links: Links, newcomer: str, clock: SettableClock, database: Database
) -> None:
    secret = links.create(newcomer, 72)
    shared = redeem(links, clock, secret)
    with database.engine.connect() as connection:
        rows = [
            *connection.exec_driver_sql("SELECT * FROM one_time_links"),
            *connection.exec_driver_sql("SELECT * FROM credentials"),
        ]
    for text in (secret, shared, NEW_PASSWORD):
        assert text not in str(rows)


def test_an_edited_link_is_refused(
    links: Links, newcomer: str, clock: SettableClock, database: Database, tamper: Callable[..., None]
) -> None:
    secret = links.create(newcomer, 1)
    clock.move(hours=2)
    tamper("UPDATE one_time_links SET expires = expires + 86400000000")
    with pytest.raises(TamperedRow):
        links.look(secret)
    with database.read() as session, pytest.raises(TamperedRow):
        session.query(OneTimeLink).all()
