"""The one place that builds an AccessRequest and asks the rules; every door of the portal goes through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar, cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from policies import Clearance, Label, SecurityPolicy, rules
from policies import requests as rq
from policies.requests import AccessRequest, Action, Environment, Ruleset, Subject
from policies.rules import LabelTable
from policies.verdicts import Decision, Outcome
from portal import models
from portal.audit import AuditLog, Event, Receipt
from portal.clock import Clock
from portal.errors import Denial, NotFound, NotPermitted, Tampered
from portal.models import Seals, sealing
from portal.services.actor import Actor
from portal.services.document_grants import grants_of, with_grants
from portal.services.level_settings import LevelSettings
from portal.services.security_policy import ActivePolicy
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
        self._table: tuple[frozenset[Label], LabelTable] | None = None
        self._memberships = models.VerifiedRows(models.Membership)
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
            scan_required=frozenset(),
            facility_from=settings.facility_from or None,
            instruction_required=levels.instructed,
            handling=levels.handling,
            networks=levels.networks,
            hours=levels.hours,
        )
        self._ruleset = policy, levels, ruleset
        return ruleset

    def subject(self, session: Session, actor: Actor) -> Subject:
        """Load everything that the rules may ask of a person: all grants ever made, in force or not."""
        subject = self.subject_of(session, actor.person_id, actor.assurance)
        if actor.role is None:
            return subject
        return _acting_as(subject, actor.role)

    def subject_of(self, session: Session, person_id: str, assurance: int) -> Subject:
        """Load the subject of any person, as if signed in with this assurance."""
        person, organisation, roles = self._holder(session, person_id)
        clearances, briefings, facilities = _held(session, person_id)
        return replace(
            self._without_grants(person, organisation, roles, assurance),
            clearances=tuple(
                rq.ClearanceGrant(clearance_of(row), rq.Period(row.valid_from, row.valid_until))
                for row in clearances
            ),
            memberships=tuple(
                rq.Membership(row.programme_id, rq.Period(row.valid_from, row.valid_until))
                for row in self._memberships.read(session, models.Membership.person_id == person_id)
            ),
            briefings=tuple(
                rq.Briefing(
                    row.policy_id,
                    frozenset(json.loads(row.classifications)),
                    _categories(row.categories),
                    rq.Period(row.valid_from, row.valid_until),
                )
                for row in briefings
            ),
            facilities=tuple(
                rq.FacilityClearance(
                    row.policy_id,
                    frozenset(json.loads(row.classifications)),
                    rq.Period(row.valid_from, row.valid_until),
                )
                for row in facilities
            ),
            acknowledgements=acknowledgements(session, person_id),
        )

    def account(self, session: Session, actor: Actor) -> Subject:
        """Load what the rules ask of a person for actions that concern no document: account and roles, in one query."""
        subject = self._without_grants(*self._holder(session, actor.person_id), actor.assurance)
        return subject if actor.role is None else _acting_as(subject, actor.role)

    def _holder(
        self, session: Session, person_id: str
    ) -> tuple[models.Person, models.Organisation | None, Sequence[models.RoleGrant]]:
        # What the rules are made of is asked with the first query of every request: a change works on the next one.
        current = (
            select(models.Policy.digest).where(models.Policy.active).limit(1).scalar_subquery(),
            select(func.max(models.LevelSetting.log_entry)).scalar_subquery(),
            select(func.max(models.Instruction.log_entry)).scalar_subquery(),
        )
        found = session.execute(
            select(models.Person, models.Organisation, models.RoleGrant, *current)
            .outerjoin(models.Organisation, models.Organisation.id == models.Person.organisation_id)
            .outerjoin(models.RoleGrant, models.RoleGrant.person_id == models.Person.id)
            .where(models.Person.id == person_id)
        ).all()
        if not found:
            raise NotFound("There is no such person.")
        self._policy.notice(found[0][3], found[0][4:])
        return found[0][0], found[0][1], [row[2] for row in found if row[2] is not None]

    def _without_grants(
        self,
        person: models.Person,
        organisation: models.Organisation | None,
        roles: Sequence[models.RoleGrant],
        assurance: int,
    ) -> Subject:
        now = self._clock()
        return Subject(
            person_id=person.id,
            organisation_id=person.organisation_id,
            nation=person.nation,
            account_active=person.active,
            organisation_active=organisation is not None and organisation.active,
            roles=frozenset(
                rq.Role(row.role) for row in roles if rq.Period(row.valid_from, row.valid_until).contains(now)
            ),
            assurance=assurance,
        )

    def labels(self, session: Session, report: Callable[[Tampered], None]) -> Mapping[int, Label]:
        """Return row id → label of every label in use; a damaged row is handed to `report` and left out."""
        table = cast(Table, models.LabelRecord.__table__)
        known: dict[int, Label] = {}
        unread: list[int] = []
        for row_id, digest in session.execute(select(table.c.id, table.c.digest)):
            remembered = self._labels.get(digest)
            if remembered is not None and remembered[0] == row_id:
                known[row_id] = remembered[1]
            else:
                unread.append(row_id)
        if unread:
            seals: Seals = session.info["seals"]
            for row in session.execute(select(table).where(table.c.id.in_(unread))).mappings():
                try:
                    sealing.verify_mapping(seals, table, dict(row))
                except Tampered as fault:
                    report(fault)
                else:
                    label = Label.from_canonical(row["canonical"])
                    self._labels[row["digest"]] = row["id"], label
                    known[row["id"]] = label
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

    def visible(self, actor: Actor, subject: Subject, labels: Iterable[Label]) -> frozenset[Label]:
        """Return the labels that this person may see, in bulk."""
        environment = self.environment(actor)
        wanted, kept = frozenset(labels), self._table
        # The table holds nothing of a person. Labels in use are mostly those of the last request.
        if kept is None or kept[0] != wanted or kept[1].policy is not environment.rules.policy:
            kept = self._table = wanted, LabelTable(environment.rules.policy, wanted)
        return rules.visible_labels(subject, kept[1], environment)

    def visible_programmes(self, actor: Actor, subject: Subject) -> frozenset[str]:
        """Return the programmes in which this person has a need to know now."""
        return rules.visible_programmes(subject, self.environment(actor))


def clearance_of(row: models.ClearanceGrant) -> Clearance:
    """Return the clearance value that a row holds."""
    return Clearance(row.policy_id, frozenset(json.loads(row.classifications)), _categories(row.categories))


def acknowledgements(session: Session, person_id: str) -> tuple[rq.Acknowledgement, ...]:
    """Return what a person has acknowledged: each as long as it and its instruction are in force."""
    rows = session.execute(
        select(models.Acknowledgement, models.Instruction)
        .join(models.Instruction, models.Instruction.id == models.Acknowledgement.instruction_id)
        .where(models.Acknowledgement.person_id == person_id)
    )
    return tuple(
        rq.Acknowledgement(
            instruction.policy_id,
            frozenset(json.loads(instruction.classifications)),
            rq.Period(
                max(row.valid_from, instruction.valid_from),
                min(filter(None, (row.valid_until, instruction.valid_until)), default=None),
            ),
        )
        for row, instruction in rows
    )


def _held(
    session: Session, person_id: str
) -> tuple[Sequence[models.ClearanceGrant], Sequence[models.Briefing], Sequence[models.FacilityClearance]]:
    """Return a person's clearances and briefings and their organisation's clearances, in one query: each has few."""
    rows = session.execute(
        select(models.ClearanceGrant, models.Briefing, models.FacilityClearance)
        .select_from(models.Person)
        .outerjoin(models.ClearanceGrant, models.ClearanceGrant.person_id == models.Person.id)
        .outerjoin(models.Briefing, models.Briefing.person_id == models.Person.id)
        .outerjoin(
            models.FacilityClearance,
            models.FacilityClearance.organisation_id == models.Person.organisation_id,
        )
        .where(models.Person.id == person_id)
    ).all()
    clearances = dict.fromkeys(row[0] for row in rows if row[0] is not None)
    briefings = dict.fromkeys(row[1] for row in rows if row[1] is not None)
    facilities = dict.fromkeys(row[2] for row in rows if row[2] is not None)
    return tuple(clearances), tuple(briefings), tuple(facilities)


def _categories(text: str) -> Mapping[str, frozenset[str]]:
    return {tag: frozenset(values) for tag, values in json.loads(text).items()}


def _acting_as(subject: Subject, role: rq.Role) -> Subject:
    return replace(subject, roles=subject.roles & {role})


_Error = TypeVar("_Error", NotFound, NotPermitted)


def _recorded(error: _Error) -> _Error:
    error.recorded = True
    return error
