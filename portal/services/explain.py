"""Why can, or why can't, this person open this document: the rules' verdicts, for officers and for the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from policies import requests as rq
from policies import rules
from policies.mends import least_changes
from policies.requests import Action
from policies.verdicts import Outcome
from portal import models
from portal.audit import AuditLog
from portal.errors import Invalid, NotFound
from portal.models.database import Database
from portal.services.access import NO_SUCH_DOCUMENT, Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.directory import Named

EXPLAINED = (
    Action.DOCUMENT_READ,
    Action.DOCUMENT_PREVIEW,
    Action.DOCUMENT_SHOW,
    Action.DOCUMENT_LIST,
    Action.DOCUMENT_SEARCH,
    Action.DOCUMENT_VERSION,
)
"""What can be asked about a document."""


@dataclass(frozen=True, slots=True)
class VerdictView:
    """One rule's verdict and its reason as an officer reads it."""

    rule: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class MendView:
    """The least that would have to change for these rules; `possible` is False where no grant would do."""

    rules: tuple[str, ...]
    text: str
    possible: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with every verdict. The document is known by its id, marking and programme, never by its title.

    `assurance` is that of the sign-in that was assumed; `rule` the first that refuses ("" when permitted); `knowable`
    tells whether the person would be told of the denial.
    """

    person: Named
    document: str
    marking: str
    programme: Named
    action: Action
    assurance: int
    permitted: bool
    rule: str
    knowable: bool
    verdicts: tuple[VerdictView, ...]
    mends: tuple[MendView, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnReading:
    """A decision as the person concerned may read it."""

    permitted: bool
    sentences: Sequence[str]


class Explain:
    """Explains decisions; the explanation is the decision itself, made anew, never a second reckoning."""

    def __init__(self, database: Database, log: AuditLog, access: Access, alarm: Alarm) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._alarm = alarm

    def explain(
        self,
        actor: Actor,
        person_id: str,
        document_id: str,
        action: Action | str = Action.DOCUMENT_READ,
        assurance: int = 2,
    ) -> Explanation:
        """Return what the rules say now of a person, a document and an action, to a security officer; recorded.

        The person is taken to be signed in with this `assurance` (1 to 3) and to act in all of their roles. Raises
        NotPermitted, recorded, for anybody else; NotFound for person or document; Invalid for another kind of action.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.ACCESS_EXPLAIN)
            asked = _action(action)
            if not 1 <= assurance <= rq.STRONGEST:
                raise Invalid(
                    f"There is no assurance {assurance}.", mend=f"Use a number from 1 to {rq.STRONGEST}."
                )
            subject = self._access.subject_of(session, person_id, assurance)
            found = self._access.head(session, document_id)
            if found is None:
                raise self._no_document(actor, document_id)
            row, document = found
            request = self._access.request(actor, subject, asked, document)
            decision = rules.decide(request)
            marking = self._access.marking(document.label)
            reasons = rules.explain(request, decision, reader="officer")
            explanation = Explanation(
                person=_person(session, person_id),
                document=row.id,
                marking=marking,
                programme=_programme(session, row.programme_id),
                action=asked,
                assurance=assurance,
                permitted=decision.permitted,
                rule=decision.rule,
                knowable=decision.knowable,
                verdicts=tuple(
                    VerdictView(verdict.rule, verdict.outcome, reason)
                    for verdict, reason in zip(decision.verdicts, reasons, strict=True)
                ),
                mends=tuple(
                    MendView(mend.rules, mend.text, mend.possible)
                    for mend in least_changes(request, decision)
                ),
            )
        self._log.append(
            self._access.event(
                actor,
                Action.ACCESS_EXPLAIN,
                decision="permit",
                target=person_id,
                document=row.id,
                programme=row.programme_id,
                label=marking,
                details={"filters": [asked.value]},
            )
        )
        return explanation

    def why(self, actor: Actor, document_id: str, action: Action | str = Action.DOCUMENT_READ) -> OwnReading:
        """Return why the actor may or may not do `action` with a document whose page they may see; recorded as shown.

        A document out of reach is refused as everywhere: NotFound or, where they may know, NotPermitted, recorded.
        Raises Invalid for another kind of action.
        """
        asked = _action(action)
        with self._database.read() as session, self._alarm.watching(actor):
            subject = self._access.subject(session, actor)
            found = self._access.head(session, document_id)
            if found is None:
                showing = self._access.request(actor, subject, Action.DOCUMENT_SHOW)
                raise self._access.refuse(actor, showing, None, Refusal(asked=document_id[:100]))
            row, document = found
            marking = self._access.marking(document.label)
            showing = self._access.request(actor, subject, Action.DOCUMENT_SHOW, document)
            seen = rules.decide(showing)
            if not seen.permitted:
                about = Refusal(row.id, row.programme_id, None, marking)
                raise self._access.refuse(actor, showing, seen, about)
            request = self._access.request(actor, subject, asked, document)
            decision = rules.decide(request)
        self._log.append(
            self._access.event(
                actor,
                Action.DOCUMENT_SHOW,
                decision="permit",
                document=row.id,
                programme=row.programme_id,
                label=marking,
                details={"filters": [asked.value]},
            )
        )
        return OwnReading(decision.permitted, rules.explain(request, decision, reader="person"))

    def _no_document(self, actor: Actor, document_id: str) -> NotFound:
        self._access.record_denial(actor, Action.ACCESS_EXPLAIN, None, Refusal(asked=document_id[:100]))
        error = NotFound(NO_SUCH_DOCUMENT)
        error.recorded = True
        return error


def _action(action: Action | str) -> Action:
    if action in EXPLAINED:
        return Action(action)
    raise Invalid(
        "This is nothing that is decided about a document.", mend=f"Use one of {', '.join(EXPLAINED)}."
    )


def _person(session: Session, person_id: str) -> Named:
    row = session.get(models.Person, person_id)
    return Named(person_id, row.name if row is not None else "")


def _programme(session: Session, programme_id: str) -> Named:
    row = session.get(models.Programme, programme_id)
    return Named(programme_id, row.name if row is not None else "")
