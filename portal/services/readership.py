"""Readership: who has opened one of an organisation's own documents, for its partners to see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal import models
from portal.audit import AuditLog
from portal.audit.tracing import Reader
from portal.models.database import Database
from portal.services.actor import Actor
from portal.services.document_views import DocumentPage, Overview


@dataclass(frozen=True, slots=True)
class ReadingOrganisation:
    """An organisation whose people opened the document: how many of them, how often, when last, and the log's entry.

    `own` when it is the originator itself. Names of people are not told: which of an official's staff reads what is not
    the partner's to know.
    """

    organisation: str
    people: int
    times: int
    last: datetime
    log_entry: int
    own: bool = False


class Readership:
    """Tells an originator who has opened its documents.

    Who may add a version is who may know: the originator's people with a need to know and the clearance. Documents
    decided that when it showed or listed them; what it returned is the evidence.
    """

    def __init__(self, database: Database, log: AuditLog) -> None:
        self._database = database
        self._log = log

    def of_document(self, actor: Actor, shown: DocumentPage) -> Sequence[ReadingOrganisation]:
        """Return the organisations that opened a document of the actor's own, the latest first; else nothing."""
        if not shown.may_add_version:
            return ()
        return self._told(actor, [shown.document.id]).get(shown.document.id, ())

    def of_page(self, actor: Actor, listed: Overview) -> Mapping[str, Sequence[ReadingOrganisation]]:
        """Return the same for each document of a page of the actor's own, without those that nobody opened."""
        return self._told(actor, listed.tellable)

    def _told(
        self, actor: Actor, document_ids: Collection[str]
    ) -> Mapping[str, Sequence[ReadingOrganisation]]:
        readers = self._log.traces.readers_of_each(document_ids)
        people = {reader.person for found in readers.values() for reader in found}
        query = (
            select(models.Person, models.Organisation)
            .join(models.Organisation, models.Organisation.id == models.Person.organisation_id)
            .where(models.Person.id.in_(people))
        )
        with self._database.read() as session:
            names = {
                person.id: (organisation.name, organisation.id == actor.organisation_id)
                for person, organisation in (session.execute(query) if people else ())
            }
        return {document_id: _by_organisation(found, names) for document_id, found in readers.items()}


def _by_organisation(
    readers: Iterable[Reader], names: Mapping[str, tuple[str, bool]]
) -> Sequence[ReadingOrganisation]:
    found: dict[str, ReadingOrganisation] = {}
    for reader in readers:
        name, own = names.get(reader.person, ("Somebody whose account is gone", False))
        known = found.get(name)
        if known is None:
            found[name] = ReadingOrganisation(name, 1, reader.count, reader.last_time, reader.last, own)
        else:
            latest = max((known.last, known.log_entry), (reader.last_time, reader.last))
            found[name] = ReadingOrganisation(
                name, known.people + 1, known.times + reader.count, *latest, own
            )
    return sorted(found.values(), key=lambda one: one.last, reverse=True)
