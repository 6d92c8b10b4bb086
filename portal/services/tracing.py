"""Tracing: what one person did and read, who has seen one document, and finding either; each look is recorded.

Auditors see no title and no content: a document is its number, label, programme and originator.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from policies import Label
from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Reader, RecordFilter
from portal.audit.catalogue import CHANGE_OF_DOCUMENT
from portal.audit.search import LogEntry
from portal.audit.tracing import Group, Known, Refused, Totals
from portal.errors import NotFound, Tampered
from portal.models import sealing
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.log_names import Ids, NameReader, Names
from portal.services.names import Names as NamesFinder
from portal.services.pages import Cursors, check_limit

_DOCUMENTS = cast(Table, models.Document.__table__)
_LABELS = cast(Table, models.LabelRecord.__table__)
_VERSIONS = cast(Table, models.Version.__table__)
_MOST_FOUND = 50
_RECENT = 15
_NUMBER = re.compile(r"[0-9a-fA-F-]{4,36}")


@dataclass(frozen=True, slots=True)
class Head:
    """A document as auditors see it now: the marking of its label, its programme and originator (ids), its state."""

    id: str
    marking: str
    programme: str
    originator: str
    state: str
    created: datetime
    version: int


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version without its file's name; `log_entry` is the record of its deposit."""

    number: int
    size: int
    media_type: str
    uploaded_by: str
    created: datetime
    log_entry: int


@dataclass(frozen=True, slots=True)
class DocumentTrace:
    """Who has seen a document; `head` is None where its rows are gone or fail their seal."""

    id: str
    head: Head | None
    versions: Sequence[VersionFacts]
    totals: Totals
    groups: Sequence[Group]
    readers: Sequence[Reader]
    next: str | None
    refused: Sequence[Refused]
    changes: Sequence[LogEntry]
    names: Names


@dataclass(frozen=True, slots=True)
class PersonTrace:
    """What a person did: sums, documents that they read, refusals, their latest entries; `records` counts all."""

    id: str
    records: int
    totals: Totals
    readings: Sequence[Reader]
    next: str | None
    refused: Sequence[Refused]
    refusals: Sequence[LogEntry]
    recent: Sequence[LogEntry]
    heads: Mapping[str, Head]
    names: Names


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of people or documents that the log carries, the most recently recorded first."""

    items: Sequence[Known]
    next: str | None
    heads: Mapping[str, Head]
    names: Names


@dataclass(frozen=True, slots=True)
class Found:
    """What words led to: an entry's number, people (ids), documents; `more` when there are others as well."""

    entry: int | None
    people: Sequence[str]
    documents: Sequence[Known]
    heads: Mapping[str, Head]
    more: bool
    names: Names


class Tracing:
    """Follows people and documents through the log, for auditors."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        cursors: Cursors,
        names: NameReader,
        finder: NamesFinder,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._cursors = cursors
        self._names = names
        self._finder = finder
        self._alarm = alarm

    def document(
        self, actor: Actor, document: str, cursor: str | None = None, limit: int = 50
    ) -> DocumentTrace:
        """Return who has seen a document, a page of readers at a time; raises NotFound where nothing speaks of it."""
        before = self._before(actor, "readers", cursor)
        traces = self._log.traces
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            readers = traces.readers_of(document, before, check_limit(limit) + 1)
            groups = traces.groups(document)
            refused = traces.refused("document", document, _MOST_FOUND)
            changes = self._log.entries(RecordFilter(document=document, action=CHANGE_OF_DOCUMENT)).entries
            head = self._heads(session, actor, [document]).get(document)
            versions = self._versions(session, actor, document)
            if head is None and not traces.known("document", among=[document]):
                raise NotFound("The log knows no such document.", mend="Correct its number.")
            ids = Ids.of(entry.record for entry in changes)
            ids.people |= {one.person for one in readers} | {one.person for one in refused}
            ids.people |= {one.uploaded_by for one in versions}
            for some in (groups, readers, refused):
                ids.organisations |= {one.organisation for one in some if one.organisation}
            if head is not None:
                ids.programmes.add(head.programme)
                ids.organisations.add(head.originator)
            names = self._names.read(session, actor, ids)
        self._record(actor, {"document": document}, [reader.person for reader in readers[:limit]])
        return DocumentTrace(
            document,
            head,
            versions,
            traces.totals("document", document),
            groups,
            readers[:limit],
            self._next(actor, "readers", readers, limit),
            refused,
            changes,
            names,
        )

    def person(self, actor: Actor, person: str, cursor: str | None = None, limit: int = 50) -> PersonTrace:
        """Return what a person did, a page of what they read at a time; raises NotFound for nobody."""
        before = self._before(actor, "readings", cursor)
        traces = self._log.traces
        known = traces.known("actor", among=[person])
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            readings = traces.readings_of(person, before, check_limit(limit) + 1)
            refused = traces.refused("actor", person, _MOST_FOUND)
            mine = RecordFilter(person=person)
            recent = self._log.entries(mine, routine=False, limit=_RECENT).entries
            refusals = self._log.entries(RecordFilter(person=person, decision="deny"), limit=_RECENT).entries
            documents = {one.document for one in readings} | {one.document for one in refused}
            heads = self._heads(session, actor, documents)
            ids = Ids.of(entry.record for entry in (*recent, *refusals))
            ids.people.add(person)
            ids.programmes |= {head.programme for head in heads.values()}
            ids.organisations |= {head.originator for head in heads.values()}
            names = self._names.read(session, actor, ids)
        if not known and person not in names.people:
            raise NotFound("There is no such person.", mend="Look for them by name.")
        self._record(actor, {"person": person}, [reading.document for reading in readings[:limit]])
        return PersonTrace(
            person,
            known[0].count if known else 0,
            traces.totals("actor", person),
            readings[:limit],
            self._next(actor, "readings", readings, limit),
            refused,
            refusals,
            recent,
            heads,
            names,
        )

    def people(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Listed:
        """Return the people who act in the log, the latest first."""
        return self._listed(actor, "actor", cursor, limit)

    def documents(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Listed:
        """Return the documents that the log speaks of, the latest first."""
        return self._listed(actor, "document", cursor, limit)

    def find(self, actor: Actor, words: str) -> Found:
        """Return what words lead to: an entry by its number, documents by the beginning of theirs, people by name.

        The words enter the log as a commitment only.
        """
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            people = self._finder.find(session, models.Person, words, _MOST_FOUND + 1)
            documents: Sequence[Known] = ()
            if _NUMBER.fullmatch(words.strip()):
                start = words.strip().lower()
                documents = self._log.traces.known("document", starting=start, limit=_MOST_FOUND + 1)
            heads = self._heads(session, actor, [one.value for one in documents])
            ids = Ids(set(people[:_MOST_FOUND]), set(), {head.programme for head in heads.values()})
            ids.organisations |= {head.originator for head in heads.values()}
            names = self._names.read(session, actor, ids)
        digits = re.sub(r"[\s,.\u202f\u00a0]", "", words)
        entry = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else None
        if entry is not None and entry >= self._log.size():
            entry = None
        shown = [*people[:_MOST_FOUND], *(one.value for one in documents[:_MOST_FOUND])]
        self._record(actor, {"filters": ["find"]}, shown, words)
        return Found(
            entry,
            people[:_MOST_FOUND],
            documents[:_MOST_FOUND],
            heads,
            len(people) > _MOST_FOUND or len(documents) > _MOST_FOUND,
            names,
        )

    def _listed(self, actor: Actor, kind: str, cursor: str | None, limit: int) -> Listed:
        before = self._before(actor, kind, cursor)
        with self._database.read() as session:
            self._access.require(session, actor, Action.LOG_SEARCH)
            items = self._log.traces.known(kind, before=before, limit=check_limit(limit) + 1)
            values = [one.value for one in items[:limit]]
            heads = self._heads(session, actor, values) if kind == "document" else {}
            ids = Ids(
                set(values if kind == "actor" else ()), set(), {one.programme for one in heads.values()}
            )
            ids.organisations |= {head.originator for head in heads.values()}
            names = self._names.read(session, actor, ids)
        self._record(actor, {}, values)
        return Listed(items[:limit], self._next(actor, kind, items, limit), heads, names)

    def _before(self, actor: Actor, purpose: str, cursor: str | None) -> int | None:
        return None if cursor is None else int(self._cursors.read(purpose, actor.person_id, cursor))

    def _next(
        self, actor: Actor, purpose: str, items: Sequence[Reader] | Sequence[Known], limit: int
    ) -> str | None:
        if len(items) <= limit:
            return None
        return self._cursors.write(purpose, actor.person_id, items[limit - 1].last)

    def _record(
        self, actor: Actor, about: Mapping[str, object], shown: Sequence[str], words: str = ""
    ) -> None:
        digest = hashlib.sha256("\n".join(shown).encode()).hexdigest()
        self._log.append(
            self._access.event(
                actor,
                Action.LOG_SEARCH,
                decision="permit",
                details={**about, "shown": len(shown), "shown_digest": digest},
                private={"query": words} if words else None,
            )
        )

    def _heads(self, session: Session, actor: Actor, ids: Collection[str]) -> Mapping[str, Head]:
        """Return documents by id; one whose row or label fails its seal is left out, reported and recorded."""
        if not ids:
            return {}
        policy = self._access.policy
        query = (
            select(_DOCUMENTS, *(column.label(f"label_{column.key}_") for column in _LABELS.columns))
            .outerjoin(_LABELS, _LABELS.c.digest == _DOCUMENTS.c.label_digest)
            .where(_DOCUMENTS.c.id.in_(ids))
        )
        found: dict[str, Head] = {}
        for row in session.execute(query).mappings():
            label = {column.key: row[f"label_{column.key}_"] for column in _LABELS.columns}
            try:
                head = {column.key: row[column.key] for column in _DOCUMENTS.columns}
                sealing.verify_mapping(self._database.seals, _DOCUMENTS, head)
                if label["id"] is None:
                    raise models.TamperedRow("labels", row["label_digest"].hex())
                sealing.verify_mapping(self._database.seals, _LABELS, label)
            except Tampered as fault:
                self._alarm.report(fault, actor)
                continue
            found[row["id"]] = Head(
                row["id"],
                policy.marking(Label.from_canonical(label["canonical"])),
                row["programme_id"],
                row["originator_id"],
                row["state"],
                row["created"],
                row["current_version"],
            )
        return found

    def _versions(self, session: Session, actor: Actor, document: str) -> Sequence[VersionFacts]:
        query = (
            select(_VERSIONS).where(_VERSIONS.c.document_id == document).order_by(_VERSIONS.c.number.desc())
        )
        found = []
        for row in cast(Sequence[Mapping[str, Any]], session.execute(query).mappings().all()):
            try:
                sealing.verify_mapping(self._database.seals, _VERSIONS, row)
            except Tampered as fault:
                self._alarm.report(fault, actor)
            else:
                found.append(
                    VersionFacts(
                        row["number"],
                        row["size"],
                        row["media_type"],
                        row["uploaded_by"],
                        row["created"],
                        row["log_entry"],
                    )
                )
        return found
