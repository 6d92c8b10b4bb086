"""Readership: who has opened one of an organisation's own documents, for its partners to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from policies import rules
from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor


@dataclass(frozen=True, slots=True)
class ReadingOrganisation:
    """An organisation whose people opened the document: how many of them, how often, when last, and the log's entry.

    Names of people are not told: which of an official's staff reads what is not the partner's to know.
    """

    organisation: str
    people: int
    times: int
    last: datetime
    log_entry: int


class Readership:
    """Tells an originator who has opened its documents."""

    def __init__(self, database: Database, log: AuditLog, access: Access) -> None:
        self._database = database
        self._log = log
        self._access = access

    def of(self, actor: Actor, document_id: str) -> Sequence[ReadingOrganisation]:
        """Return the organisations that opened a document of the actor's own, the latest first; else nothing.

        Who may add a version is who may know: the originator's people with a need to know and the clearance.
        """
        with self._database.read() as session:
            subject = self._access.subject(session, actor)
            head = self._access.head(session, document_id)
            if head is None:
                return ()
            _, document = head
            request = self._access.request(actor, subject, Action.DOCUMENT_VERSION, document)
            if not rules.decide(request).permitted:
                return ()
            readers = self._log.readers_of(document_id)
            people = {
                person.id: person.organisation_id
                for person in session.scalars(
                    select(models.Person).where(models.Person.id.in_([reader.person for reader in readers]))
                )
            }
            names = {
                organisation.id: organisation.name
                for organisation in session.scalars(
                    select(models.Organisation).where(models.Organisation.id.in_(set(people.values())))
                )
            }
        found: dict[str, ReadingOrganisation] = {}
        for reader in readers:
            name = names.get(people.get(reader.person, ""), "Somebody whose account is gone")
            known = found.get(name)
            if known is None:
                found[name] = ReadingOrganisation(name, 1, reader.count, reader.last_time, reader.last)
            else:
                latest = max((known.last, known.log_entry), (reader.last_time, reader.last))
                found[name] = ReadingOrganisation(name, known.people + 1, known.times + reader.count, *latest)
        return sorted(found.values(), key=lambda one: one.last, reverse=True)
