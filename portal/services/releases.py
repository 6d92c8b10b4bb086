"""Releasing documents to further people, organisations and programmes, as far as their originators agree.

A release is decided by the rules like any act upon a document: the officer is cleared for it, and where the originator
controls the document, its consent is in force. To end a release, to record a consent or to put a document under its
originator's control takes the role alone: it opens nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias, TypeVar, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies import requests as rq
from policies import rules
from policies.requests import AccessRequest, Act, Action, ReleasedTo
from policies.verdicts import Outcome
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339
from portal.errors import Invalid, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields
from portal.services.access import NO_SUCH_DOCUMENT, Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.directory import Named
from portal.services.grant_views import grant_state
from portal.services.grants import OWN_GRANTS
from portal.services.kept import end_of, refuse_twice
from portal.services.release_views import ConsentView, ControlView, DocumentReleases, ReleaseView

_Row: TypeAlias = models.DocumentRelease | models.OriginatorControl | models.OriginatorConsent
_Target: TypeAlias = models.Person | models.Organisation | models.Programme
_Kind = TypeVar("_Kind", models.DocumentRelease, models.OriginatorControl, models.OriginatorConsent)
SECTIONS: Mapping[str, type[_Row]] = MappingProxyType(
    {
        "releases": models.DocumentRelease,
        "controls": models.OriginatorControl,
        "consents": models.OriginatorConsent,
    }
)
"""What is kept of a document, by the name of its section."""
_TARGETS: Mapping[ReleasedTo, type[_Target]] = MappingProxyType(
    {
        ReleasedTo.PERSON: models.Person,
        ReleasedTo.ORGANISATION: models.Organisation,
        ReleasedTo.PROGRAMME: models.Programme,
    }
)
_LONGEST_REASON = 1000


class Releases:
    """The officers' use cases on releases; each raises NotPermitted, recorded, for everybody else.

    They raise Invalid for wrong input, Conflict when the same stands for part of that time, NotFound for what is not
    there. An earlier `valid_from` than now is taken as now (None: now); `valid_until` None is open.
    """

    def __init__(self, database: Database, log: AuditLog, access: Access, clock: Clock, alarm: Alarm) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._clock = clock
        self._alarm = alarm

    def of_document(self, actor: Actor, document_id: str) -> DocumentReleases:
        """Return a document's releases, controls and consents, ever made; recorded as shown."""
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CONSENT)
            head, document = self._head(session, actor, document_id)
            releases = _all(session, models.DocumentRelease, document_id)
            controls = _all(session, models.OriginatorControl, document_id)
            consents = _all(session, models.OriginatorConsent, document_id)
            found = DocumentReleases(
                head.id,
                self._access.marking(document.label),
                _named(session, models.Programme, head.programme_id),
                _named(session, models.Organisation, head.originator_id),
                _named(session, models.Organisation, head.addressee_id),
                document.originator_controlled,
                tuple(
                    ReleaseView(
                        row.id,
                        grant_state(now, row.valid_from, row.valid_until),
                        ReleasedTo(row.to_kind),
                        _named(session, _TARGETS[ReleasedTo(row.to_kind)], row.to_id),
                        row.reason,
                        row.consent_id is not None or row.made_by == head.originator_id,
                        row.valid_from,
                        row.valid_until,
                        row.log_entry,
                    )
                    for row in releases
                ),
                tuple(
                    ControlView(
                        row.id,
                        grant_state(now, row.valid_from, row.valid_until),
                        row.reason,
                        row.valid_from,
                        row.valid_until,
                        row.log_entry,
                    )
                    for row in controls
                ),
                tuple(
                    ConsentView(
                        row.id,
                        grant_state(now, row.valid_from, row.valid_until),
                        Act(row.act),
                        row.reference,
                        row.valid_from,
                        row.valid_until,
                        row.log_entry,
                    )
                    for row in consents
                ),
            )
        event = self._access.event(
            actor,
            Action.GRANT_CONSENT,
            decision="permit",
            document=found.document,
            programme=found.programme.id,
            label=found.marking,
            details=shown([row.id for row in (*releases, *controls, *consents)]),
        )
        self._log.append(replace(event, action="grant.show"))
        return found

    def release(
        self,
        actor: Actor,
        document_id: str,
        to_kind: ReleasedTo | str,
        to_id: str,
        *,
        reason: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> str:
        """Release a document to a person, an organisation or a programme, and return the release's id.

        Members of the document's programme alone can read it by that: a release does not stand in for the need to know.
        """
        kind, period = _one_of(ReleasedTo, to_kind), fields.period(self._clock(), valid_from, valid_until)
        because = fields.name(reason, "reason", _LONGEST_REASON)
        with self._database.read() as session, self._alarm.watching(actor):
            head, document = self._head(session, actor, document_id)
            if session.get(_TARGETS[kind], to_id) is None:
                raise NotFound(f"There is no such {kind}.")
            if kind is ReleasedTo.PERSON and to_id == actor.person_id:
                raise self._own(actor, head)
            content = {
                "act": Act.RELEASE.value,
                "document": head.id,
                "label": head.label_digest.hex(),
                "to": f"{kind}:{to_id}",
                "from": rfc3339(period.start),
                "until": rfc3339(period.end) if period.end else None,
            }
            digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
            self._decide(session, actor, document, digest)
            consents = _all(session, models.OriginatorConsent, document_id)
        agreed = [
            row.id
            for row in consents
            if row.act == Act.RELEASE.value
            and rq.Period(row.valid_from, row.valid_until).contains(self._clock())
        ]
        row = models.DocumentRelease(
            id=models.new_id(),
            document_id=head.id,
            to_kind=kind.value,
            to_id=to_id,
            made_by=actor.organisation_id,
            consent_id=agreed[0] if agreed else None,
            **_held(actor, period),
        )
        row.reason = because
        details = {"act": Act.RELEASE.value, "party": f"{kind}:{to_id}", "digest": digest}
        event = self._event(actor, head, document, row, 1, row.valid_until, details, {"reason": because})
        return self._add(actor, row, event, ("document_id", "to_kind", "to_id"))

    def control(
        self,
        actor: Actor,
        document_id: str,
        *,
        reason: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> str:
        """Put a document under its originator's control: from then on no release counts without its consent."""
        period = fields.period(self._clock(), valid_from, valid_until)
        head, document = self._required(actor, document_id)
        row = models.OriginatorControl(id=models.new_id(), document_id=head.id, **_held(actor, period))
        row.reason = fields.name(reason, "reason", _LONGEST_REASON)
        event = self._event(
            actor, head, document, row, 1, row.valid_until, {"act": "control"}, {"reason": row.reason}
        )
        return self._add(actor, row, event, ("document_id",))

    def consent(
        self,
        actor: Actor,
        document_id: str,
        act: Act | str = Act.RELEASE,
        *,
        reference: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> str:
        """Record the originator's consent to one act upon a document, and return its id.

        `reference` says where it stands, such as a letter's number. What is released under it ends with it.
        """
        chosen, period = _one_of(Act, act), fields.period(self._clock(), valid_from, valid_until)
        head, document = self._required(actor, document_id)
        row = models.OriginatorConsent(
            id=models.new_id(),
            document_id=head.id,
            organisation_id=head.originator_id,
            act=chosen.value,
            **_held(actor, period),
        )
        row.reference = fields.name(reference, "reference", _LONGEST_REASON)
        details = {"act": chosen.value, "party": f"organisation:{head.originator_id}"}
        event = self._event(
            actor, head, document, row, 1, row.valid_until, details, {"reason": row.reference}
        )
        return self._add(actor, row, event, ("document_id", "act"))

    def end(self, actor: Actor, section: str, row_id: str, at: datetime | None = None) -> None:
        """End a release, a control or a consent (`section`, see SECTIONS) now, or at a later time.

        To end the originator's control needs its consent to a release, as a release does.
        """
        if section not in SECTIONS:
            raise NotFound("There is nothing of this kind.")
        kind, now = SECTIONS[section], self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CONSENT)
            row = cast("_Row | None", session.get(kind, row_id))
            if row is None:
                raise NotFound("There is nothing of this number.")
            head, document = self._head(session, actor, row.document_id)
            end = end_of(row, at, now)
            if isinstance(row, models.OriginatorControl):
                digest = hashlib.sha256(f"end of control {row.id} {rfc3339(end)}".encode()).hexdigest()
                self._decide(session, actor, document, digest)
        details: dict[str, object] = {"withdrawn": True}
        if isinstance(row, models.DocumentRelease):
            details |= {"act": Act.RELEASE.value, "party": f"{row.to_kind}:{row.to_id}"}
        elif isinstance(row, models.OriginatorConsent):
            details |= {"act": row.act, "party": f"organisation:{row.organisation_id}"}
        else:
            details["act"] = "control"
        event = self._event(actor, head, document, row, row.row_version + 1, end, details, None)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            unmoved(change.session, row).valid_until = end

    # What they have in common

    def _required(self, actor: Actor, document_id: str) -> tuple[models.Document, rq.Document]:
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CONSENT)
            return self._head(session, actor, document_id)

    def _head(self, session: Session, actor: Actor, document_id: str) -> tuple[models.Document, rq.Document]:
        found = self._access.head(session, document_id)
        if found is None:
            about = Refusal(asked=document_id[:100])
            self._access.record_denial(actor, Action.GRANT_DOCUMENT, None, about)
            error = NotFound(NO_SUCH_DOCUMENT)
            error.recorded = True
            raise error
        return found

    def _decide(self, session: Session, actor: Actor, document: rq.Document, digest: str) -> None:
        """Ask the rules whether the actor may release this document; raises NotPermitted, recorded."""
        subject = self._access.subject(session, actor)
        proposal = rq.Proposal(Act.RELEASE, digest, author_id=actor.person_id)
        environment = self._access.environment(actor)
        request = AccessRequest(subject, Action.GRANT_DOCUMENT, document, environment, proposal)
        decision = rules.decide(request)
        if decision.permitted:
            return
        about = Refusal(document.id, document.programme_id, None, self._access.marking(document.label))
        self._access.record_denial(actor, Action.GRANT_DOCUMENT, decision, about)
        # Officers find every document and its label, so nothing is given away here.
        sentences = rules.explain(request, decision, reader="officer")
        told = [
            (verdict.rule, sentence)
            for verdict, sentence in zip(decision.verdicts, sentences, strict=True)
            if verdict.outcome is Outcome.REFUSES
        ]
        refused = NotPermitted(
            "You cannot release this document. " + " ".join(sentence for _, sentence in told),
            mend="Get what is missing, or ask another security officer who is cleared for it.",
            rules=tuple(rule for rule, _ in told),
        )
        refused.recorded = True
        raise refused

    def _own(self, actor: Actor, head: models.Document) -> NotPermitted:
        self._log.append(
            self._access.event(
                actor,
                Action.GRANT_DOCUMENT,
                decision="deny",
                rule=OWN_GRANTS,
                target=actor.person_id,
                document=head.id,
                programme=head.programme_id,
            )
        )
        error = NotPermitted(
            "Officers do not change what they hold themselves.",
            mend="Ask another security officer.",
            rules=(OWN_GRANTS,),
        )
        error.recorded = True
        return error

    def _event(
        self,
        actor: Actor,
        head: models.Document,
        document: rq.Document,
        row: _Row,
        version: int,
        until: datetime | None,
        more: Mapping[str, object],
        private: Mapping[str, str] | None,
    ) -> Event:
        details = {
            **concerning(f"document:{head.id}", row.__tablename__, row.id, version),
            "from": rfc3339(row.valid_from),
            **({"until": rfc3339(until)} if until is not None else {}),
            **more,
        }
        return self._access.event(
            actor,
            Action.GRANT_CONSENT if isinstance(row, models.OriginatorConsent) else Action.GRANT_DOCUMENT,
            decision="permit",
            target=_person(row),
            document=head.id,
            programme=head.programme_id,
            label=self._access.marking(document.label),
            details=details,
            private=private,
        )

    def _add(self, actor: Actor, row: _Row, event: Event, alike: tuple[str, ...]) -> str:
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            change.session.get(models.Document, row.document_id, with_for_update=True)
            refuse_twice(change.session, row, alike)
            change.session.add(row)
        return row.id


def _all(session: Session, kind: type[_Kind], document_id: str) -> Sequence[_Kind]:
    return session.scalars(
        select(kind).where(kind.document_id == document_id).order_by(kind.valid_from.desc(), kind.id)
    ).all()


def _named(session: Session, kind: type[_Target], row_id: str) -> Named:
    row = session.get(kind, row_id)
    return Named(row_id, cast("_Target", row).name if row is not None else "")


def _person(row: _Row) -> str | None:
    if isinstance(row, models.DocumentRelease) and row.to_kind == ReleasedTo.PERSON.value:
        return row.to_id
    return None


_Choice = TypeVar("_Choice", ReleasedTo, Act)


def _one_of(kind: Callable[[str], _Choice], text: str) -> _Choice:
    try:
        return kind(text)
    except ValueError:
        raise Invalid(f"“{text}” cannot be chosen here.", mend="Choose one of the list.") from None


def _held(actor: Actor, period: rq.Period) -> dict[str, object]:
    return {"valid_from": period.start, "valid_until": period.end, "granted_by": actor.person_id}
