"""Spills: a document that should not be where it is, labelled too low say, is contained at once and by one officer.

Contained, nobody opens or finds it. The report says from the log who saw it, also in part. Then it is destroyed by two
officers (`portal.services.destruction`), or another officer than the one who contained it sets it free.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.titlepack import PackEntry
from policies.requests import Act, Action, DocumentState
from portal import models
from portal.audit import AuditLog, Event, RecordFilter
from portal.audit.catalogue import CATALOGUE
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import Conflict, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields
from portal.services.access import NO_SUCH_DOCUMENT, Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.counters import count_more
from portal.services.directory import Named
from portal.services.titles import Titles

FREED = "freed"
_KEPT = timedelta(days=3650)
_SEEN = frozenset({"document.show", *(name for name, entry in CATALOGUE.items() if entry.discloses)})
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class SpillView:
    """A containment: `outcome` is "" while it stands, then `freed` or `destroyed`."""

    id: str
    document: str
    versions: int
    contained_by: Named
    reason: str
    created: datetime
    outcome: str
    log_entry: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """One time that somebody saw the document; `outcome` is "unknown" where it may have been seen whole.

    `size` is in bytes handed over, `ranges` what was asked for; `action` is the log's.
    """

    time: datetime
    person: Named
    organisation: str
    action: str
    version: int
    outcome: str
    size: int
    ranges: tuple[str, ...]
    log_entry: int


@dataclass(frozen=True, slots=True)
class SpillReport:
    """Who saw a contained document, the first time first; `refused` counts attempts that were refused.

    Lists and searches that showed its title are recorded by digest alone: who could have met it there is whoever could
    open it.
    """

    spill: SpillView
    sightings: tuple[Sighting, ...]
    people: int
    refused: int
    log_size: int


class Spills:
    """The officers' use cases; each raises NotPermitted, recorded, for everybody else."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        titles: Titles,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._titles = titles
        self._clock = clock
        self._alarm = alarm

    def contain(self, actor: Actor, document_id: str, reason: str) -> str:
        """Contain a document at once and return the containment's id; no clearance for it is asked for.

        Raises NotFound for what is not there, Conflict for what is contained, withdrawn or destroyed already, Invalid.
        """
        why = fields.name(reason, "reason", 1000)
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.SPILL_CONTAIN)
            row = session.get(models.Document, document_id)
            if row is None:
                about = Refusal(asked=document_id[:100])
                self._access.record_denial(actor, Action.SPILL_CONTAIN, None, about)
                error = NotFound(NO_SUCH_DOCUMENT)
                error.recorded = True
                raise error
            if row.state != DocumentState.RECEIVED.value:
                raise Conflict("This document is not open to anybody now.")
        content = json.dumps(
            {"act": Act.CONTAIN.value, "document": row.id, "versions": row.current_version}, sort_keys=True
        )
        spill = models.Proposal(
            id=models.new_id(),
            act=Act.CONTAIN.value,
            content=content,
            digest=hashlib.sha256(content.encode()).hexdigest(),
            payload=b"",
            proposed_by=actor.person_id,
            created=now,
            valid_until=now + _KEPT,
            closed=None,
            outcome=None,
        )
        spill.reason = why
        readers = self._log.readers_of(row.id)
        event = self._event(actor, row, spill, readers=len(readers))
        event = replace(event, private={"reason": why})
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            current = unmoved(change.session, row)
            _move(change.session, current, DocumentState.QUARANTINED, now)
            self._titles.purge(change.session, row.programme_id, row.id)
            change.session.add(spill)
        return spill.id

    def free(self, actor: Actor, spill_id: str) -> None:
        """End a containment that was for nothing; another officer than the one who contained it.

        Raises NotPermitted (recorded) for one's own, NotFound, Conflict when it has ended.
        """
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.SPILL_CONTAIN)
            spill = _required(session, spill_id)
            row = session.get_one(models.Document, json.loads(spill.content)["document"])
        if spill.outcome is not None or row.state != DocumentState.QUARANTINED.value:
            raise Conflict("This containment has ended already.")
        if spill.proposed_by == actor.person_id:
            self._log.append(
                self._access.event(
                    actor,
                    Action.SPILL_CONTAIN,
                    decision="deny",
                    rule="two-person",
                    document=row.id,
                    programme=row.programme_id,
                )
            )
            error = NotPermitted(
                "Nobody sets free what they contained themselves.",
                mend="Ask another security officer.",
                rules=("two-person",),
            )
            error.recorded = True
            raise error
        event = self._event(actor, row, spill, withdrawn=True)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            current = unmoved(change.session, row)
            _move(change.session, current, DocumentState.RECEIVED, now)
            entry = PackEntry(row.id, row.label_digest, row.title)
            self._titles.add(change.session, row.programme_id, entry)
            ended = unmoved(change.session, spill)
            ended.closed, ended.outcome = now, FREED

    def spills(self, actor: Actor) -> Sequence[SpillView]:
        """Return all containments, the newest first; recorded as shown."""
        kind = models.Proposal
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.SPILL_SHOW)
            rows = session.scalars(
                select(kind).where(kind.act == Act.CONTAIN.value).order_by(kind.created.desc(), kind.id)
            ).all()
            views = [_view(session, row) for row in rows]
        self._record_shown(actor, [view.id for view in views])
        return views

    def report(self, actor: Actor, spill_id: str) -> SpillReport:
        """Return who saw a contained document, from the log; recorded as shown. Raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.SPILL_SHOW)
            view = _view(session, _required(session, spill_id))
        size = self._log.size()
        sightings, refused = self._sightings(view.document)
        self._record_shown(actor, [view.id])
        people = len({sighting.person.id for sighting in sightings})
        return SpillReport(view, sightings, people, refused, size)

    def _sightings(self, document_id: str) -> tuple[tuple[Sighting, ...], int]:
        found: list[tuple[Mapping[str, Any], datetime, Mapping[str, Any]]] = []
        refused, before = 0, None
        while True:
            page = self._log.entries(RecordFilter(document=document_id), before=before, limit=_AT_ONCE)
            for item in page.entries:
                fields_of = item.record.fields
                if fields_of.get("decision") == "deny":
                    refused += 1
                elif item.record.action in _SEEN:
                    ending = item.outcome.fields if item.outcome is not None else {}
                    found.append((fields_of, item.record.time, ending))
            if page.next is None:
                break
            before = page.next
        with self._database.read() as session:
            return tuple(_sighting(session, *one) for one in reversed(found)), refused

    def _event(self, actor: Actor, row: models.Document, spill: models.Proposal, **details: object) -> Event:
        return self._access.event(
            actor,
            Action.SPILL_CONTAIN,
            decision="permit",
            document=row.id,
            programme=row.programme_id,
            details={
                **concerning(f"document:{row.id}", row.__tablename__, row.id, row.row_version + 1),
                "proposal": spill.id,
                **details,
            },
        )

    def _record_shown(self, actor: Actor, ids: list[str]) -> None:
        self._log.append(self._access.event(actor, Action.SPILL_SHOW, decision="permit", details=shown(ids)))


def _move(session: Session, row: models.Document, state: DocumentState, now: datetime) -> None:
    place = row.programme_id, row.label_id, row.originator_id, row.addressee_id
    count_more(session, (*place, row.state), -1)
    count_more(session, (*place, state.value), 1)
    row.state, row.changed = state.value, now


def _required(session: Session, spill_id: str) -> models.Proposal:
    row = session.get(models.Proposal, spill_id)
    if row is None or row.act != Act.CONTAIN.value:
        raise NotFound("There is no such containment.")
    return row


def _view(session: Session, row: models.Proposal) -> SpillView:
    content = json.loads(row.content)
    document = session.get(models.Document, content["document"])
    gone = document is not None and document.state == DocumentState.DESTROYED.value
    outcome = row.outcome or ("destroyed" if gone else "")
    return SpillView(
        row.id,
        content["document"],
        content["versions"],
        _named(session, row.proposed_by),
        row.reason,
        row.created,
        outcome,
        row.log_entry,
    )


def _sighting(
    session: Session, record: Mapping[str, Any], time: datetime, ending: Mapping[str, Any]
) -> Sighting:
    details = record.get("details") or {}
    organisation = session.get(models.Organisation, str(record.get("organisation")))
    intent = CATALOGUE[str(record["action"])].outcomes
    return Sighting(
        time,
        _named(session, str(record.get("actor"))),
        organisation.name if organisation is not None else "",
        str(record["action"]),
        int(record.get("version") or 0),
        str(ending.get("outcome") or ("unknown" if intent else "complete")),
        int(ending.get("bytes_handed") or 0),
        tuple(details.get("ranges") or ()),
        int(record["seq"]),
    )


def _named(session: Session, person_id: str) -> Named:
    row = session.get(models.Person, person_id)
    return Named(person_id, row.name if row is not None else "")
