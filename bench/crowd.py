"""People, organisations and programmes of a large installation, and a month of what they did in its log."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, insert, select

from policies import SecurityPolicy
from policies.requests import Role
from portal import models
from portal.audit import Event
from portal.cli.demonstration.clock import HistoryClock
from portal.identity.emails import email_index
from portal.models import Seals
from portal.services.runtime import Runtime

LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
_PROGRAMMES_EACH = 3
_BATCH = 500
_DENIED = 0.05
_GIVEN = (
    "Ada Ben Clara Dirk Elif Femke Goran Hanna Ivo Jana Karel Lena Marc Nora Olaf Paula Quinn Rosa Sven Tove"
)
_FAMILY = (
    "Adler Bos Costa Dahl Evans Fabre Garcia Horvat Ivanov Jansen Kaya Larsen Moreau Novak Olsen Peeters"
)


class Rows:
    """Seals rows as `portal.models.sealing` does at a flush, and inserts them; `entry` is the intent they rest on."""

    def __init__(self, seals: Seals, entry: int) -> None:
        self.seals = seals
        self.entry = entry

    def put(self, connection: Connection, model: type[models.SealedRow], rows: list[dict[str, Any]]) -> None:
        """Seal and insert rows, which hold every other column."""
        if not rows:
            return
        table = cast(Table, model.__table__)
        names = sorted(column.key for column in table.columns if column.key not in ("seal", "row_version"))
        keys = [column.key for column in table.primary_key.columns]
        for row in rows:
            row |= {"log_entry": self.entry, "row_version": 1}
            key = "/".join(str(row[name]) for name in keys)
            row["seal"] = self.seals.rows.seal(table.name, key, 1, [(name, row[name]) for name in names])
        connection.execute(insert(model), rows)

    def text(self, table: str, row_id: str, column: str, value: str) -> bytes:
        """Return a sealed text column."""
        return self.seals.values.seal((table, row_id, column), value.encode())


class Crowd:
    """Makes people with what they were granted, and what they are of."""

    def __init__(self, rows: Rows, policy: SecurityPolicy, chance: random.Random, since: datetime) -> None:
        self._rows = rows
        self._policy = policy
        self._chance = chance
        self._since = since

    def organisation(self, connection: Connection, name: str, nation: str) -> str:
        row_id = models.new_id()
        row = {"id": row_id, "nation": nation, "active": True, "created": self._since}
        row["name_sealed"] = self._rows.text("organisations", row_id, "name_sealed", name)
        self._rows.put(connection, models.Organisation, [row])
        self._rows.put(connection, models.FacilityClearance, [self._facility(row_id)])
        return row_id

    def _facility(self, organisation: str) -> dict[str, Any]:
        row_id = models.new_id()
        return {
            "id": row_id,
            "organisation_id": organisation,
            "policy_id": self._policy.id,
            "classifications": json.dumps(sorted(LEVELS)),
            "authority_sealed": self._rows.text(
                "facility_clearances", row_id, "authority_sealed", "National Security Authority"
            ),
            "valid_from": self._since,
            "valid_until": None,
            "granted_by": None,
        }

    def programmes(
        self, connection: Connection, count: int, lead: str, name: str = "Programme"
    ) -> tuple[str, ...]:
        rows = []
        for number in range(count):
            row_id = models.new_id()
            sealed = self._rows.text("programmes", row_id, "name_sealed", f"{name} {number:03}")
            rows.append(
                {
                    "id": row_id,
                    "lead_organisation_id": lead,
                    "active": True,
                    "created": self._since,
                    "name_sealed": sealed,
                }
            )
        self._rows.put(connection, models.Programme, rows)
        return tuple(row["id"] for row in rows)

    def people(
        self, connection: Connection, count: int, organisations: Sequence[str], programmes: Sequence[str]
    ) -> None:
        """Make people of all organisations, each a member of some programmes."""
        for number in range(count):
            office = self._chance.random() < 0.2
            organisation = organisations[0] if office else self._chance.choice(organisations)
            member_of = self._chance.sample(programmes, min(_PROGRAMMES_EACH, len(programmes)))
            role = Role.OFFICIAL if organisation == organisations[0] else Role.PARTNER
            levels = LEVELS[: self._chance.randint(1, len(LEVELS))]
            self.person(connection, f"person{number}", organisation, role, member_of, levels)

    def person(
        self,
        connection: Connection,
        name: str,
        organisation: str,
        role: Role,
        programmes: Sequence[str],
        levels: Sequence[str],
    ) -> str:
        """Make somebody with a role, a clearance to `levels` and memberships of `programmes`; returns the id."""
        row_id, email = models.new_id(), f"{name}@bench.example"
        full = f"{self._chance.choice(_GIVEN.split())} {self._chance.choice(_FAMILY.split())}"
        period = {"valid_from": self._since, "valid_until": None, "granted_by": None}
        row = {"id": row_id, "organisation_id": organisation, "nation": "BEL", "active": True}
        row["created"] = self._since
        row["name_sealed"] = self._rows.text("people", row_id, "name_sealed", full)
        row["email_sealed"] = self._rows.text("people", row_id, "email_sealed", email)
        row["email_index"] = email_index(self._rows.seals.rows, email)
        self._rows.put(connection, models.Person, [row])
        given = {"id": models.new_id(), "person_id": row_id, "role": role.value}
        self._rows.put(connection, models.RoleGrant, [given | period])
        if levels:
            self._rows.put(connection, models.ClearanceGrant, [self._clearance(row_id, levels) | period])
        members = [
            {"id": models.new_id(), "person_id": row_id, "programme_id": programme} | period
            for programme in programmes
        ]
        self._rows.put(connection, models.Membership, members)
        return row_id

    def _clearance(self, person: str, levels: Sequence[str]) -> dict[str, Any]:
        row_id = models.new_id()
        categories = {"Context": ["NATO", "Releasable"], "Releasable To": held_nations(self._policy)}
        authority = "National Security Authority"
        return {
            "id": row_id,
            "person_id": person,
            "policy_id": self._policy.id,
            "classifications": json.dumps(sorted(levels)),
            "categories": json.dumps(categories),
            "authority_sealed": self._rows.text("clearances", row_id, "authority_sealed", authority),
        }


def nations(policy: SecurityPolicy) -> list[str]:
    """Return every nation that a label may be releasable to."""
    tag = next(tag for tag in policy.tags if tag.name == "Releasable To")
    return sorted(item.name for item in tag.categories)


def held_nations(policy: SecurityPolicy) -> list[str]:
    """Return the half of the nations that clearances hold, so that lists have labels to leave out."""
    return nations(policy)[::2]


def record_month(runtime: Runtime, clock: HistoryClock, count: int, chance: random.Random) -> None:
    """Append `count` records of people who looked at documents, spread over a month that ends now."""
    documents, people = cast(Table, models.Document.__table__).c, cast(Table, models.Person.__table__).c
    with runtime.database.engine.connect() as connection:
        shown = connection.execute(
            select(documents.id, documents.programme_id).order_by(documents.created.desc()).limit(20_000)
        ).all()
        readers = connection.execute(select(people.id, people.organisation_id)).all()
    start = clock()
    step = (timedelta(days=31) - timedelta(minutes=5)) / max(1, count)
    for first in range(0, count, _BATCH):
        clock.move_to(start + step * first)
        events = [_event(shown, readers, chance) for _ in range(min(_BATCH, count - first))]
        runtime.log.append_all(events)


def _event(shown: Sequence[Any], readers: Sequence[Any], chance: random.Random) -> Event:
    document, programme = chance.choice(shown)
    person, organisation = chance.choice(readers)
    denied = chance.random() < _DENIED
    return Event(
        action="document.show",
        actor=person,
        session=models.new_id(),
        role="official",
        assurance=2,
        organisation=organisation,
        request=models.new_id(),
        document=document,
        programme=programme,
        decision="deny" if denied else "permit",
        rule="need-to-know" if denied else None,
    )
