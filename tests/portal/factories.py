"""People, organisations, programmes and grants for tests, written as the portal writes them: as sealed rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from crypto.keyring import WrappedKey
from portal.audit import AuditLog
from portal.identity import totp
from portal.identity.emails import email_index
from portal.identity.passwords import PasswordHasher
from portal.models import (
    Acknowledgement,
    Briefing,
    ClearanceGrant,
    Credential,
    FacilityClearance,
    Instruction,
    Membership,
    Organisation,
    Person,
    Programme,
    RoleGrant,
    SealedRow,
    new_id,
)
from portal.models.database import Database

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""When the world of the tests begins; what is granted without a date holds from here."""

EVER = datetime(2026, 1, 1, tzinfo=UTC)
NATO = "1.3.26.1.3.1"
LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET")
PASSWORD = "seven herons over Lake Balaton"

CHEAP_HASHER = PasswordHasher(memory=8, rounds=1)
"""Argon2id with the least parameters, so that tests are quick."""


class SettableClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **period: float) -> datetime:
        """Move on by the period (as `timedelta` takes it) and return the new time."""
        self.now += timedelta(**period)
        return self.now


class KeyList:
    """A key store in memory; the keys in it are wrapped as anywhere."""

    def __init__(self) -> None:
        self.keys: list[WrappedKey] = []

    def load(self) -> Iterable[WrappedKey]:
        return tuple(self.keys)

    def add(self, key: WrappedKey) -> None:
        if any((key.kind, key.domain, key.version) == (k.kind, k.domain, k.version) for k in self.keys):
            raise ValueError("this key's place is taken")
        self.keys.append(key)


def records_of(log: AuditLog, action: str | None = None) -> list[dict[str, Any]]:
    """Return the log's records, all of them or those of one action, from the exact bytes of their leaves."""
    found = [json.loads(log.record(seq).leaf) for seq in range(log.size())]
    return [record for record in found if action in (None, record["action"])]


def add(database: Database, row: SealedRow, *, log_entry: int = 0) -> None:
    """Write one row."""
    with database.write(log_entry=log_entry) as session:
        session.add(row)


def add_organisation(
    database: Database,
    name: str = "Ministry of Defence",
    *,
    nation: str = "NLD",
    active: bool = True,
    facility: Iterable[str] = LEVELS,
) -> str:
    """Add an organisation, its premises cleared for these classifications, and return its id."""
    row = Organisation(id=new_id(), nation=nation, active=active, created=START)
    row.name = name
    add(database, row)
    if facility:
        add_facility(database, row.id, facility)
    return row.id


def add_facility(
    database: Database,
    organisation_id: str,
    classifications: Iterable[str] = LEVELS,
    *,
    start: datetime = EVER,
    end: datetime | None = None,
) -> str:
    """Clear an organisation's premises and return the grant's id."""
    row = FacilityClearance(
        id=new_id(),
        organisation_id=organisation_id,
        policy_id=NATO,
        classifications=json.dumps(sorted(classifications)),
        valid_from=start,
        valid_until=end,
    )
    row.authority = "National Security Authority"
    add(database, row)
    return row.id


def add_instruction(
    database: Database, classifications: Iterable[str], *, start: datetime = EVER, end: datetime | None = None
) -> str:
    """Put an instruction into force for these classifications and return its id."""
    row = Instruction(
        id=new_id(),
        policy_id=NATO,
        classifications=json.dumps(sorted(classifications)),
        valid_from=start,
        valid_until=end,
    )
    row.title, row.text = "Handling", "Keep it locked away."
    add(database, row)
    return row.id


def add_acknowledgement(
    database: Database, person_id: str, instruction_id: str, *, start: datetime = EVER
) -> str:
    """Let a person have acknowledged an instruction and return the row's id."""
    row = Acknowledgement(
        id=new_id(), person_id=person_id, instruction_id=instruction_id, valid_from=start, valid_until=None
    )
    add(database, row)
    return row.id


def add_person(
    database: Database,
    organisation_id: str,
    *,
    name: str = "Anna de Vries",
    email: str = "anna@mod.example",
    nation: str = "NLD",
    active: bool = True,
    roles: Iterable[str] = (),
) -> str:
    """Add a person with an account and roles, without credentials, and return their id."""
    row = Person(id=new_id(), organisation_id=organisation_id, nation=nation, active=active, created=START)
    row.name = name
    row.email = email
    row.email_index = email_index(database.seals.rows, email)
    add(database, row)
    for role in roles:
        add_role(database, row.id, role)
    return row.id


def add_role(
    database: Database, person_id: str, role: str, *, start: datetime = START, end: datetime | None = None
) -> str:
    """Give a person a role and return the grant's id."""
    row = RoleGrant(id=new_id(), person_id=person_id, role=role, valid_from=start, valid_until=end)
    add(database, row)
    return row.id


def add_credential(
    database: Database,
    person_id: str,
    *,
    password: str = PASSWORD,
    totp_secret: str | None = None,
    second_factor: bool = True,
    hasher: PasswordHasher = CHEAP_HASHER,
) -> str:
    """Give a person a password and (unless told otherwise) a second factor; return the factor's secret in base32."""
    secret = totp_secret or totp.new_secret()
    row = Credential(
        person_id=person_id,
        password_hash=hasher.hash(password),
        totp_step=totp.NEVER,
        totp_active=second_factor,
        changed=START,
    )
    row.totp = secret if second_factor else ""
    add(database, row)
    return secret


def add_programme(
    database: Database, lead_organisation_id: str, name: str = "Harbour Shield", *, active: bool = True
) -> str:
    """Add a programme and return its id."""
    row = Programme(id=new_id(), lead_organisation_id=lead_organisation_id, active=active, created=START)
    row.name = name
    add(database, row)
    return row.id


def add_membership(
    database: Database,
    person_id: str,
    programme_id: str,
    *,
    start: datetime = START,
    end: datetime | None = None,
) -> str:
    """Make a person a member of a programme and return the membership's id."""
    row = Membership(
        id=new_id(), person_id=person_id, programme_id=programme_id, valid_from=start, valid_until=end
    )
    add(database, row)
    return row.id


def add_clearance(
    database: Database,
    person_id: str,
    classifications: Iterable[str],
    categories: Mapping[str, Iterable[str]] | None = None,
    *,
    policy_id: str = NATO,
    authority: str = "National Security Authority",
    start: datetime = START,
    end: datetime | None = None,
) -> str:
    """Give a person a clearance for each of these classifications and return the grant's id."""
    row = ClearanceGrant(
        id=new_id(),
        person_id=person_id,
        policy_id=policy_id,
        classifications=json.dumps(sorted(classifications)),
        categories=_categories(categories),
        valid_from=start,
        valid_until=end,
    )
    row.authority = authority
    add(database, row)
    return row.id


def add_briefing(
    database: Database,
    person_id: str,
    classifications: Iterable[str] = (),
    categories: Mapping[str, Iterable[str]] | None = None,
    *,
    policy_id: str = NATO,
    start: datetime = START,
    end: datetime | None = None,
) -> str:
    """Record a briefing on lower levels or special categories and return its id."""
    row = Briefing(
        id=new_id(),
        person_id=person_id,
        policy_id=policy_id,
        classifications=json.dumps(sorted(classifications)),
        categories=_categories(categories),
        valid_from=start,
        valid_until=end,
    )
    add(database, row)
    return row.id


def _categories(categories: Mapping[str, Iterable[str]] | None) -> str:
    return json.dumps({tag: sorted(values) for tag, values in (categories or {}).items()})
