from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portal.errors import Invalid, NotFound
from portal.identity import Tokens
from portal.models import Person, TamperedRow
from portal.models.database import Database
from tests.portal.factories import SettableClock, add_person
from tests.portal.identity.conftest import Officer, World

Records = Callable[..., list[dict[str, Any]]]


def test_a_token_is_found_by_its_secret(tokens: Tokens, world: World, clock: SettableClock) -> None:
    secret, info = tokens.create(world.person, " nightly push ", 30, 2, 2)
    assert secret.startswith("srt_")
    assert len(secret) == 47
    assert tokens.find(secret) == info
    assert (info.person_id, info.organisation_id) == (world.person, world.organisation)
    assert (info.name, info.assurance, info.revoked) == ("nightly push", 2, None)
    assert info.expires == clock() + timedelta(days=30)


@pytest.mark.parametrize(
    ("session", "ceiling", "worth"), [(1, 2, 1), (2, 2, 2), (3, 2, 2), (3, 1, 1), (3, 3, 3)]
)
def test_a_token_is_never_worth_more_than_its_session_or_the_ceiling(
    tokens: Tokens, world: World, session: int, ceiling: int, worth: int
) -> None:
    assert tokens.create(world.person, "push", 1, session, ceiling)[1].assurance == worth


def test_neither_secret_nor_name_is_stored_in_the_clear(
    tokens: Tokens, world: World, database: Database, records: Records
) -> None:
    secret, _ = tokens.create(world.person, "nightly push", 30, 2, 2)
    with database.engine.connect() as connection:
        stored = str(connection.exec_driver_sql("SELECT * FROM api_tokens").one())
    for text in (secret, secret.removeprefix("srt_"), "nightly push"):
        assert text not in stored
        assert text not in str(records())


def test_creating_and_revoking_are_recorded_as_intent_and_outcome(
    tokens: Tokens, world: World, administrator: Officer, records: Records
) -> None:
    _, info = tokens.create(world.person, "push", 30, 2, 2, by=administrator)
    tokens.revoke(info.id, administrator)
    for action in ("token.create", "token.revoke"):
        intent, outcome = records(action)
        assert (intent["actor"], intent["target"]) == (administrator.person_id, world.person)
        assert (intent["session"], intent["role"]) == (administrator.session, "administrator")
        assert (intent["organisation"], intent["request"]) == (world.organisation, "request-7")
        assert intent["details"]["token"] == info.id
        assert "address" in intent["commitments"]
        assert (outcome["completes"], outcome["outcome"]) == (intent["seq"], "complete")


@pytest.mark.parametrize("secret", ["", "srt_", "srt_" + "A" * 43, "\ud800"])
def test_a_forged_token_finds_nothing(tokens: Tokens, world: World, secret: str) -> None:
    tokens.create(world.person, "push", 30, 2, 2)
    assert tokens.find(secret) is None


def test_the_secret_without_its_prefix_finds_nothing(tokens: Tokens, world: World) -> None:
    secret, _ = tokens.create(world.person, "push", 30, 2, 2)
    assert tokens.find(secret.removeprefix("srt_")) is None


def test_a_token_expires(tokens: Tokens, world: World, clock: SettableClock) -> None:
    secret, info = tokens.create(world.person, "push", 1, 2, 2)
    clock.now = info.expires - timedelta(microseconds=1)
    assert tokens.find(secret) is not None
    clock.now = info.expires
    assert tokens.find(secret) is None


def test_a_revoked_token_is_found_no_more_but_listed(tokens: Tokens, world: World, records: Records) -> None:
    secret, info = tokens.create(world.person, "push", 30, 2, 2)
    tokens.revoke(info.id, None)
    count = len(records())
    tokens.revoke(info.id, None)
    assert len(records()) == count
    assert tokens.find(secret) is None
    assert [token.revoked is not None for token in tokens.list(world.person)] == [True]


def test_somebody_elses_token_is_not_there(tokens: Tokens, world: World, administrator: Officer) -> None:
    secret, info = tokens.create(world.person, "push", 30, 2, 2)
    for token, owner in ((info.id, administrator.person_id), ("no-such-token", None)):
        with pytest.raises(NotFound):
            tokens.revoke(token, administrator, owner=owner)
    assert tokens.find(secret) is not None
    tokens.revoke(info.id, administrator, owner=world.person)
    assert tokens.find(secret) is None


def test_a_token_stops_with_its_person(tokens: Tokens, world: World, database: Database) -> None:
    secret, _ = tokens.create(world.person, "push", 30, 2, 2)
    with database.write() as session:
        person = session.get(Person, world.person)
        assert person is not None
        person.active = False
    assert tokens.find(secret) is None


def test_tokens_are_listed_the_newest_first(tokens: Tokens, world: World, clock: SettableClock) -> None:
    first = tokens.create(world.person, "first", 30, 2, 2)[1]
    clock.move(seconds=1)
    second = tokens.create(world.person, "second", 30, 2, 2)[1]
    assert tokens.list(world.person) == (second, first)
    assert tokens.list("nobody") == ()


@pytest.mark.parametrize(
    ("name", "days"), [("", 30), ("   ", 30), ("x" * 101, 30), ("a\u202eb", 30), ("push", 0), ("push", 367)]
)
def test_a_name_or_period_that_is_not_taken_is_told(
    tokens: Tokens, world: World, name: str, days: int
) -> None:
    with pytest.raises(Invalid):
        tokens.create(world.person, name, days, 2, 2)


def test_an_inactive_person_gets_no_token(tokens: Tokens, world: World, database: Database) -> None:
    inactive = add_person(database, world.organisation, email="locked@mod.example", active=False)
    for person in (inactive, "nobody"):
        with pytest.raises(NotFound):
            tokens.create(person, "push", 30, 2, 2)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE api_tokens SET assurance = 3",
        "UPDATE api_tokens SET expires = expires + 1",
        "UPDATE api_tokens SET revoked = NULL",
        "UPDATE api_tokens SET name_sealed = x'00'",
    ],
)
def test_an_edited_token_is_refused(
    tokens: Tokens, world: World, tamper: Callable[..., None], sql: str
) -> None:
    secret, info = tokens.create(world.person, "push", 30, 2, 2)
    tokens.revoke(info.id, None)
    tamper(sql)
    with pytest.raises(TamperedRow):
        tokens.find(secret)
