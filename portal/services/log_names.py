"""Names behind the ids of the access log, as auditors may see them: people, organisations, programmes, never titles.

A row that fails its seal is left out, reported and recorded, so that one forged name cannot close the log to those
who check it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from portal import models
from portal.audit.reading import Record
from portal.errors import Tampered
from portal.models import Seals, sealing
from portal.services.actor import Actor
from portal.services.alarm import Alarm


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id; `homes` is the organisation of each person now."""

    people: Mapping[str, str]
    organisations: Mapping[str, str]
    programmes: Mapping[str, str]
    homes: Mapping[str, str]


@dataclass
class Ids:
    """What is to be named."""

    people: set[str]
    organisations: set[str]
    programmes: set[str]

    def __or__(self, other: Ids) -> Ids:
        return Ids(
            self.people | other.people,
            self.organisations | other.organisations,
            self.programmes | other.programmes,
        )

    @classmethod
    def of(cls, records: Iterable[Record]) -> Ids:
        """Return every id in these records that can have a name."""
        ids = cls(set(), set(), set())
        for record in records:
            for name, kind in (
                ("actor", ids.people),
                ("organisation", ids.organisations),
                ("programme", ids.programmes),
            ):
                if record.get(name):
                    kind.add(record.get(name))
            if record.get("target"):
                organisation = record.action.startswith("organisation.")
                (ids.organisations if organisation else ids.people).add(record.get("target"))
        return ids


class NameReader:
    """Opens names inside a session of the caller's, who has asked whether this may be."""

    def __init__(self, seals: Seals, alarm: Alarm) -> None:
        self._seals = seals
        self._alarm = alarm

    def read(self, session: Session, actor: Actor, ids: Ids) -> Names:
        """Return the names of these ids, as far as they are there and whole; a query for each kind."""
        people: dict[str, str] = {}
        homes: dict[str, str] = {}
        for row, name in self._named(session, actor, models.Person, ids.people):
            people[row["id"]], homes[row["id"]] = name, row["organisation_id"]
        organisations = {
            row["id"]: name
            for row, name in self._named(
                session, actor, models.Organisation, ids.organisations | set(homes.values())
            )
        }
        programmes = {
            row["id"]: name for row, name in self._named(session, actor, models.Programme, ids.programmes)
        }
        return Names(people, organisations, programmes, homes)

    def _named(
        self, session: Session, actor: Actor, kind: type[models.Base], ids: Collection[str]
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        if not ids:
            return
        table = cast(Table, kind.__table__)
        query = select(table).where(table.c.id.in_(ids))
        rows = cast(Sequence[Mapping[str, Any]], session.execute(query).mappings().all())
        for row in rows:
            try:
                sealing.verify_mapping(self._seals, table, row)
                context = (table.name, row["id"])
                name = sealing.open_text(
                    self._seals, context, "name_sealed", row["name_sealed"], table.name, row["id"]
                )
            except Tampered as fault:
                self._alarm.report(fault, actor)
            else:
                yield row, name
