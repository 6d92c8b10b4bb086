"""Finding a document without its title: officers name it by its number or its programme, and see its label."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import shown
from portal.services.names import Names

_NUMBER = re.compile(r"[0-9a-f]{4}[0-9a-f-]{0,32}", re.IGNORECASE)
_PROGRAMMES = 50


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document as an officer knows it; never its title."""

    id: str
    marking: str
    programme: str
    created: datetime


class Finder:
    """Finds documents for those who ask about access, and may not read them."""

    def __init__(self, database: Database, log: AuditLog, access: Access, alarm: Alarm, names: Names) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._alarm = alarm
        self._names = names

    def organisation_names(self, actor: Actor, ids: Collection[str]) -> Mapping[str, str]:
        """Return those of these ids that are organisations', with their names: for sentences that name them by id."""
        query = select(models.Organisation).where(models.Organisation.id.in_(ids))
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.ACCESS_EXPLAIN)
            return {row.id: row.name for row in session.scalars(query)}

    def documents(self, actor: Actor, typed: str, limit: int = 20) -> Sequence[FoundDocument]:
        """Return documents whose number begins so (from four characters on), or whose programme is called so, newest
        first; recorded as shown. Raises NotPermitted, recorded, for whoever may not ask about access.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.ACCESS_EXPLAIN)
            programmes = self._names.find(session, models.Programme, typed, _PROGRAMMES)
            wanted: list[ColumnElement[bool]] = [models.Document.programme_id.in_(programmes)]
            number = _NUMBER.search(typed)
            if number is not None:
                first = number[0].lower()
                wanted.append(models.Document.id.between(first, first + "g"))
            query = (
                select(models.Document, models.LabelRecord, models.Programme)
                .join(models.LabelRecord, models.LabelRecord.digest == models.Document.label_digest)
                .join(models.Programme, models.Programme.id == models.Document.programme_id)
                .where(or_(*wanted))
                .order_by(models.Document.created.desc(), models.Document.id.desc())
                .limit(limit)
            )
            found = [
                FoundDocument(row.id, self._access.marking_of(label), programme.name, row.created)
                for row, label, programme in session.execute(query)
            ]
        self._log.append(
            self._access.event(
                actor,
                Action.ACCESS_EXPLAIN,
                decision="permit",
                details={**shown([item.id for item in found]), "filters": ["query"]},
                private={"query": typed[:200]} if typed else None,
            )
        )
        return found
