"""The one place that builds an AccessRequest and asks the rules; every door of the portal goes through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar, cast

from sqlalchemy import Table, select, true
from sqlalchemy.orm import Session

from policies import Label, SecurityPolicy, rules
from policies import requests as rq
from policies.requests import AccessRequest, Action, Environment, Ruleset, Subject
from policies.verdicts import Decision, Outcome
from portal import models
from portal.audit import AuditLog, Event, Receipt
from portal.clock import Clock
from portal.errors import Denial, NotFound, NotPermitted, Tampered
from portal.models import Seals, sealing, verified
from portal.models.listed import one_of
from portal.services.actor import Actor
from portal.services.document_grants import grants_of, with_grants
from portal.services.level_settings import LevelSettings
from portal.services.security_policy import ActivePolicy
from portal.services.subjects import Subjects
from portal.settings import Settings

_OF_DOCUMENTS = frozenset({Action.DOCUMENT_LIST, Action.DOCUMENT_SEARCH})
NO_SUCH_PROGRAMME = "There is no such programme, or it is not open to you."
NO_SUCH_DOCUMENT = "There is no such document, or it is not open to you."
WHOM_TO_ASK: Mapping[str, str] = MappingProxyType(
    {
        "clearance-in-force": "Ask your security officer for access.",
        "assurance": "Sign in more strongly, or ask your security officer.",
        "place-and-time": "Open it at a permitted place and time, or ask your security officer.",
        "handling": "Open its page and view it there.",
        "document-state": "Ask the organisation that sent it.",
        "two-person": "Ask another security officer to approve it.",
    }
)
"""What a person can do about each denial that they may know of."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refused request was about, for the log: ids only; `asked` is an id as it was asked for, kept private."""

    document: str | None = None
    programme: str | None = None
    version: int | None = None
    label: str | None = None
    asked: str | None = None


class Access:
    """Builds subjects and requests from sealed rows, decides, records denials."""

    def __init__(self, log: AuditLog, policy: ActivePolicy, settings: Settings, clock: Clock) -> None:
        self._log = log
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._labels: dict[bytes, tuple[int, Label]] = {}
        self._digests: dict[Label, bytes] = {}
        self._subjects = Subjects(policy, clock)
        self._asking: dict[str, Any] = {}
        self._in_use: tuple[bytes, Mapping[int, Label]] | None = None
        self._ruleset: tuple[SecurityPolicy, LevelSettings, Ruleset] | None = None

    @property
    def policy(self) -> SecurityPolicy:
        """The active policy."""
        return self._policy.current()

    def marking(self, label: Label) -> str:
        """Return a label's display marking, also of one that the active policy no longer holds."""
        return self._policy.marking(label)

    def now(self) -> datetime:
        """Return the time at which the rules decide."""
        return self._clock()

    def environment(self, actor: Actor) -> Environment:
        """Return the time, the rules in force and the address, as the rules see them."""
        now = self._clock()
        return Environment(
            time=now,
            rules=self.rules(self._policy.current(), self._policy.settings_at(now)),
            address=actor.address,
        )

    def rules(self, policy: SecurityPolicy, levels: LevelSettings) -> Ruleset:
        """Return the rules under a policy and settings of its classifications.

        Raises InvalidRequest when a setting of the installation names a classification that the policy does not hold.
        """
        settings, kept = self._settings, self._ruleset
        if kept is not None and kept[0] is policy and kept[1] is levels:
            return kept[2]
        ruleset = Ruleset(
            policy=policy,
            ceiling=settings.ceiling,
            clearance_from=settings.clearance_from,
            assurance=settings.assurance,
            scan_required=frozenset(
                item.name for item in policy.classifications if settings.scanned(item.name) == "required"
            ),
            facility_from=settings.facility_from or None,
            instruction_required=levels.instructed,
            handling=levels.handling,
            networks=levels.networks,
            hours=levels.hours,
        )
        self._ruleset = policy, levels, ruleset
        return ruleset

    def subject(self, session: Session, actor: Actor) -> Subject:
        """Load everything that the rules may ask of a person: all grants ever made, in force or not.

        It is the same object as before when none of their rows has changed.
        """
        return self._subjects.of(session, actor.person_id, actor.assurance, actor.role)

    def subject_of(self, session: Session, person_id: str, assurance: int) -> Subject:
        """Load the subject of any person, as if signed in with this assurance."""
        return self._subjects.of(session, person_id, assurance)

    def account(self, session: Session, actor: Actor) -> Subject:
        """Load what the rules ask of a person for actions that concern no document: account and roles, in one query."""
        return self._subjects.account(session, actor.person_id, actor.assurance, actor.role)

    def labels(self, session: Session, report: Callable[[Tampered], None]) -> Mapping[int, Label]:
        """Return row id → label of every label in use, the same mapping as before when there is no other.

        A damaged row is handed to `report` and left out.
        """
        table = cast(Table, models.LabelRecord.__table__)
        dialect = session.get_bind().dialect.name
        if dialect not in self._asking:
            some = verified.fingerprint([table.c.id, table.c.digest], true(), dialect)
            self._asking[dialect] = select(some)
        state = verified.digest([session.scalar(self._asking[dialect])])
        in_use = self._in_use
        if in_use is not None and in_use[0] == state:
            return in_use[1]
        known: dict[int, Label] = {}
        unread: list[int] = []
        for row_id, digest in session.execute(select(table.c.id, table.c.digest)):
            remembered = self._labels.get(digest)
            if remembered is not None and remembered[0] == row_id:
                known[row_id] = remembered[1]
            else:
                unread.append(row_id)
        sound = True
        if unread:
            seals: Seals = session.info["seals"]
            for row in session.execute(select(table).where(one_of(table.c.id, unread))).mappings():
                try:
                    sealing.verify_mapping(seals, table, dict(row))
                except Tampered as fault:
                    report(fault)
                    sound = False
                else:
                    label = Label.from_canonical(row["canonical"])
                    self._labels[row["digest"]] = row["id"], label
                    known[row["id"]] = label
        if sound:
            self._in_use = state, known
        return known

    def _remember(self, record: models.LabelRecord) -> Label:
        remembered = self._labels.get(record.digest)
        if remembered is None or remembered[0] != record.id:
            remembered = self._labels[record.digest] = record.id, Label.from_canonical(record.canonical)
        return remembered[1]

    def head(self, session: Session, document_id: str) -> tuple[models.Document, rq.Document] | None:
        """Return a document's row, and its head as the rules see it; one query, whether it is there or not.

        Raises TamperedRow for a document whose label is gone, or when a row about it does not match its seal.
        """
        rows = session.execute(with_grants(document_id)).all()
        if not rows:
            return None
        row, record = rows[0][0], rows[0][1]
        return row, grants_of(rows).put_into(self._head(row, record), self._clock())

    def _head(self, row: models.Document, record: models.LabelRecord | None) -> rq.Document:
        if record is None:
            raise models.TamperedRow("labels", row.label_digest.hex())
        return rq.Document(
            id=row.id,
            programme_id=row.programme_id,
            label=self._remember(record),
            originator_id=row.originator_id,
            addressee_id=row.addressee_id,
            state=rq.DocumentState(row.state),
            scan=rq.ScanState(row.scan),
            author_id=row.uploaded_by,
        )

    def marking_of(self, record: models.LabelRecord) -> str:
        """Return the display marking of a label's row; raises TamperedRow when it does not match its digest."""
        return self.policy.marking(self._remember(record))

    def request(
        self, actor: Actor, subject: Subject, action: Action, document: rq.Document | None = None
    ) -> AccessRequest:
        """Return the request that the rules decide (`policies.rules.decide`); a denial is the caller's to `refuse`."""
        return AccessRequest(subject, action, document, self.environment(actor))

    def require(self, session: Session, actor: Actor, action: Action) -> Subject:
        """Decide an action that concerns no one document; records a denial and raises NotPermitted.

        What is returned holds grants only where the action goes on to documents (list, search).
        """
        subject = (self.subject if action in _OF_DOCUMENTS else self.account)(session, actor)
        decision = rules.decide(self.request(actor, subject, action))
        if not decision.permitted:
            self.record_denial(actor, action, decision, Refusal())
            raise _recorded(NotPermitted("Your role does not include this.", rules=(decision.rule,)))
        return subject

    def event(self, actor: Actor, action: Action, **facts: object) -> Event:
        """Return an event with everything that is known of the actor."""
        return Event(
            action=action.value,
            actor=actor.person_id,
            session=actor.session,
            role=actor.role.value if actor.role else None,
            assurance=actor.assurance,
            organisation=actor.organisation_id,
            request=actor.request,
            policy=self._policy.current().digest,
            **facts,  # type: ignore[arg-type]
        )

    def record_denial(
        self, actor: Actor, action: Action, decision: Decision | None, about: Refusal
    ) -> Receipt:
        """Record a denial: before the answer, always."""
        return self._log.append(
            self.event(
                actor,
                action,
                decision="deny",
                rule=decision.rule if decision else "no-such-document",
                document=about.document,
                programme=about.programme,
                version=about.version,
                label=about.label,
                private={"path": about.asked} if about.asked is not None else None,
            )
        )

    def refuse(
        self,
        actor: Actor,
        request: AccessRequest,
        decision: Decision | None,
        about: Refusal,
    ) -> NotFound | NotPermitted:
        """Record a denial and return the error to raise: NotPermitted when the person may know of it, else NotFound."""
        receipt = self.record_denial(actor, request.action, decision, about)
        if decision is None or not decision.knowable:
            return _recorded(NotFound(NO_SUCH_DOCUMENT))
        sentences = rules.explain(request, decision, reader="person")
        return _recorded(
            NotPermitted(
                "You cannot open this document today. " + " ".join(sentences),
                mend=" ".join(dict.fromkeys(WHOM_TO_ASK[rule] for rule in decision.knowable_rules)),
                rules=decision.knowable_rules,
                denial=Denial(sentences, receipt.seq, receipt.time),
            )
        )

    def refuse_upload(
        self, actor: Actor, request: AccessRequest, decision: Decision | None, about: Refusal
    ) -> NotFound | NotPermitted:
        """Record a refused deposit and return the error to raise.

        A member of the programme is told why, since the label is of their own making; to anybody else the programme
        does not exist.
        """
        self.record_denial(actor, request.action, decision, about)
        refusing = {v.rule for v in decision.verdicts if v.outcome is Outcome.REFUSES} if decision else set()
        if decision is None or refusing & {"need-to-know", "account-active", "role-permits", "releasable"}:
            return _recorded(NotFound(NO_SUCH_PROGRAMME))
        sentences = rules.explain(request, decision, reader="person")
        return _recorded(
            NotPermitted(
                "This cannot be deposited. " + " ".join(sentences),
                mend="Choose a label within your clearance, or ask your security officer.",
                rules=tuple(sorted(refusing)),
            )
        )

    def digest(self, label: Label) -> bytes:
        """Return a label's digest, which is made once."""
        found = self._digests.get(label)
        if found is None:
            found = self._digests[label] = bytes.fromhex(label.digest)
        return found


_Error = TypeVar("_Error", NotFound, NotPermitted)


def _recorded(error: _Error) -> _Error:
    error.recorded = True
    return error
