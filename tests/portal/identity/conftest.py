"""The parts of identity on a small world: one organisation, one person with a password and a second factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from portal.audit import AuditLog
from portal.identity import Links, SessionLimits, Sessions, SignIn, Tokens
from portal.models.database import Database
from tests.portal.factories import (
    CHEAP_HASHER,
    SettableClock,
    add_credential,
    add_organisation,
    add_person,
    records_of,
)

EMAIL = "anna@mod.example"


@dataclass(frozen=True, slots=True)
class World:
    """Who there is: one organisation, one person of it, and the secret of their second factor."""

    organisation: str
    person: str
    totp_secret: str


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who acts, as services would hand them over."""

    person_id: str
    organisation_id: str
    session: str = "session-of-the-administrator"
    role: str | None = "administrator"
    assurance: int = 2
    request: str | None = "request-7"
    address: str | None = "192.0.2.7"


@pytest.fixture
def world(database: Database) -> World:
    organisation = add_organisation(database)
    person = add_person(database, organisation, email=EMAIL, roles=["official"])
    return World(organisation, person, add_credential(database, person))


@pytest.fixture
def administrator(database: Database, world: World) -> Officer:
    person = add_person(
        database, world.organisation, name="Bram Smit", email="bram@mod.example", roles=["administrator"]
    )
    return Officer(person, world.organisation)


@pytest.fixture
def sessions(database: Database, audit_log: AuditLog, clock: SettableClock) -> Sessions:
    return Sessions(database, audit_log, clock, SessionLimits())


@pytest.fixture
def tokens(database: Database, audit_log: AuditLog, clock: SettableClock) -> Tokens:
    return Tokens(database, audit_log, clock)


@pytest.fixture
def links(database: Database, audit_log: AuditLog, clock: SettableClock) -> Links:
    return Links(database, audit_log, clock, CHEAP_HASHER)


@pytest.fixture
def sign_in(database: Database, audit_log: AuditLog, clock: SettableClock, sessions: Sessions) -> SignIn:
    return SignIn(database, audit_log, clock, CHEAP_HASHER, sessions)


@pytest.fixture
def records(audit_log: AuditLog) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that gives the log's records, all of them or those of one action."""

    def read(action: str | None = None) -> list[dict[str, Any]]:
        return records_of(audit_log, action)

    return read


@pytest.fixture
def tamper(database: Database) -> Callable[..., None]:
    """Return a function that runs SQL on the database behind the portal's back."""

    def run(sql: str, **values: object) -> None:
        with database.engine.begin() as connection:
            assert connection.exec_driver_sql(sql, values).rowcount == 1

    return run
