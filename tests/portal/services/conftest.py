"""The administration services on a small world: one ministry, its staff, the shipped policy in force."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from policies import SHIPPED
from policies.requests import Role
from portal.audit import AuditLog
from portal.identity import Links
from portal.identity.sessions import SessionLimits, Sessions
from portal.models import Policy, Seals
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.directory import Directory
from portal.services.explain import Explain
from portal.services.grants import Grants
from portal.services.names import Names
from portal.services.pages import Cursors
from portal.services.people import People
from portal.services.security_policy import ActivePolicy
from portal.settings import Settings
from tests.portal.factories import (
    CHEAP_HASHER,
    START,
    SettableClock,
    add,
    add_organisation,
    add_person,
    records_of,
)

Records = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Staff:
    """The ministry and those who work at the portal, each as an actor in their only role."""

    organisation: str
    administrator: Actor
    officer: Actor
    second_officer: Actor
    auditor: Actor
    official: Actor
    partner: Actor


@pytest.fixture
def active_policy(database: Database) -> ActivePolicy:
    spif = SHIPPED.read_bytes()
    digest = hashlib.sha256(spif).hexdigest()
    add(database, Policy(digest=digest, spif=spif, active=True, activated=START))
    return ActivePolicy(database)


@pytest.fixture
def access(audit_log: AuditLog, active_policy: ActivePolicy, tmp_path: Path, clock: SettableClock) -> Access:
    return Access(audit_log, active_policy, Settings(data=tmp_path), clock)


@pytest.fixture
def alarm(audit_log: AuditLog) -> Alarm:
    return Alarm(audit_log)


@pytest.fixture
def cursors(seals: Seals) -> Cursors:
    return Cursors(seals.values)


@pytest.fixture
def links(database: Database, audit_log: AuditLog, clock: SettableClock) -> Links:
    return Links(database, audit_log, clock, CHEAP_HASHER)


@pytest.fixture
def people(
    database: Database,
    audit_log: AuditLog,
    access: Access,
    clock: SettableClock,
    links: Links,
    cursors: Cursors,
    alarm: Alarm,
) -> People:
    sessions = Sessions(database, audit_log, clock, SessionLimits())
    directory = Directory(database, cursors, clock, alarm, Names(database))
    return People(database, audit_log, access, clock, links, sessions, directory, alarm)


@pytest.fixture
def grants(
    database: Database,
    audit_log: AuditLog,
    access: Access,
    clock: SettableClock,
    cursors: Cursors,
    alarm: Alarm,
) -> Grants:
    directory = Directory(database, cursors, clock, alarm, Names(database))
    return Grants(database, audit_log, access, clock, cursors, alarm, directory)


@pytest.fixture
def explain(database: Database, audit_log: AuditLog, access: Access, alarm: Alarm) -> Explain:
    return Explain(database, audit_log, access, alarm)


@pytest.fixture
def staff(database: Database) -> Staff:
    organisation = add_organisation(database)
    company = add_organisation(database, "Deltawerk Systems")

    def actor(name: str, role: Role, employer: str = organisation) -> Actor:
        email = f"{name.split()[0].lower()}@{'mod' if employer == organisation else 'deltawerk'}.example"
        person = add_person(database, employer, name=name, email=email, roles=[role])
        return Actor(person, employer, 2, f"session-of-{person}", request="request-7")

    return Staff(
        organisation,
        administrator=actor("Ada Smit", Role.ADMINISTRATOR),
        officer=actor("Otto Visser", Role.OFFICER),
        second_officer=actor("Olga Meijer", Role.OFFICER),
        auditor=actor("Aron Bakker", Role.AUDITOR),
        official=actor("Fenna Dekker", Role.OFFICIAL),
        partner=actor("Piet Mulder", Role.PARTNER, company),
    )


@pytest.fixture
def records(audit_log: AuditLog) -> Records:
    """Return the log's records, of one action where it is given, oldest first."""

    def read(action: str | None = None) -> list[dict[str, Any]]:
        return records_of(audit_log, action)

    return read


@pytest.fixture
def queries(database: Database) -> list[str]:
    """The statements sent to the business database, as they go."""
    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    return seen
