"""Acts that take two: what is proposed, kept word for word, and approvals of exactly that, for a time.

An approval is bound to the digest of everything that the approver was shown; whether it counts is decided by the rule
`two-person` when the act is carried out, on both people as they stand then. What carries an act out hands the rules the
proposal that `decided` returns, and closes it with `close` in the transaction of the change itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies import Label
from policies import requests as rq
from policies.requests import Act, Action
from portal import models
from portal.audit import AuditLog
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, unmoved

PROPOSED_FOR = timedelta(days=30)
APPROVED_FOR = timedelta(days=7)
DONE, WITHDRAWN = "done", "withdrawn"


@dataclass(frozen=True, slots=True)
class ActKind:
    """One act that takes two: who may propose and approve it, and whom it concerns, for the log.

    `subject` reads that from what is proposed, as `document:ID`.
    """

    act: Act
    propose: Action
    approve: Action
    subject: Callable[[Mapping[str, Any]], str]


class Proposals:
    """Keeps the proposals and approvals of one act.

    Each method raises NotPermitted, recorded, for whoever may not; NotFound for what is not there; Conflict for a
    proposal that is closed or has expired.
    """

    def __init__(
        self, database: Database, log: AuditLog, access: Access, clock: Clock, alarm: Alarm, kind: ActKind
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._clock = clock
        self._alarm = alarm
        self._kind = kind

    def propose(self, actor: Actor, content: Mapping[str, Any], reason: str, payload: bytes = b"") -> str:
        """Propose an act and return the proposal's id.

        `content` is everything that an approver is shown, as JSON; it names `payload` by its digest.
        """
        self._require(actor, self._kind.propose)
        now = self._clock()
        written = json.dumps({"act": self._kind.act.value, **content}, ensure_ascii=False, sort_keys=True)
        row = models.Proposal(
            id=models.new_id(),
            act=self._kind.act.value,
            content=written,
            digest=hashlib.sha256(written.encode()).hexdigest(),
            payload=payload,
            proposed_by=actor.person_id,
            created=now,
            valid_until=now + PROPOSED_FOR,
            closed=None,
            outcome=None,
        )
        row.reason = fields.name(reason, "reason", 1000)
        event = self._access.event(
            actor,
            self._kind.propose,
            decision="permit",
            details={
                **self._concerning(row, row.__tablename__, row.id, 1),
                "until": rfc3339(row.valid_until),
            },
            private={"reason": row.reason},
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            change.session.add(row)
        return row.id

    def withdraw(self, actor: Actor, proposal_id: str) -> None:
        """Withdraw a proposal that is open, one's own or another's, also one that has expired."""
        self._require(actor, self._kind.propose)
        with self._database.read() as session, self._alarm.watching(actor):
            row = self.still_open(session, proposal_id, past=True)
        event = self._access.event(
            actor,
            self._kind.propose,
            decision="permit",
            details={
                **self._concerning(row, row.__tablename__, row.id, row.row_version + 1),
                "withdrawn": True,
            },
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            self.close(change.session, row, WITHDRAWN)

    def approve(self, actor: Actor, proposal_id: str, digest: str) -> None:
        """Approve exactly what has this digest, for seven days; never one's own proposal.

        Raises NotPermitted (recorded) for one's own, Conflict when the proposal is another than was shown.
        """
        self._require(actor, self._kind.approve)
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            proposal = self.still_open(session, proposal_id)
        if proposal.digest != digest:
            raise Conflict(
                "This is not what is proposed.", mend="Look at the proposal again, then approve it."
            )
        if proposal.proposed_by == actor.person_id:
            raise self._own(actor, proposal_id)
        row = models.Approval(
            id=models.new_id(),
            proposal_id=proposal.id,
            act=proposal.act,
            digest=digest,
            approver_id=actor.person_id,
            valid_from=now,
            valid_until=min(now + APPROVED_FOR, proposal.valid_until),
        )
        event = self._access.event(
            actor,
            self._kind.approve,
            decision="permit",
            target=proposal.proposed_by,
            details={
                **self._concerning(proposal, row.__tablename__, row.id, 1),
                "until": rfc3339(row.valid_until),
            },
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            unmoved(change.session, proposal)
            change.session.add(row)

    # For what shows them, and what carries them out

    def all(self, session: Session) -> Sequence[models.Proposal]:
        """Return the proposals of this act, the newest first."""
        kind = models.Proposal
        return session.scalars(
            select(kind).where(kind.act == self._kind.act.value).order_by(kind.created.desc(), kind.id)
        ).all()

    def required(self, session: Session, proposal_id: str) -> models.Proposal:
        """Return a proposal of this act, open or not; raises NotFound."""
        row = session.get(models.Proposal, proposal_id)
        if row is None or row.act != self._kind.act.value:
            raise NotFound("There is no such proposal.")
        return row

    def still_open(self, session: Session, proposal_id: str, *, past: bool = False) -> models.Proposal:
        """Return a proposal that is open; one that has expired too when `past`. Raises NotFound, Conflict."""
        row = self.required(session, proposal_id)
        if row.outcome is not None:
            words = "was withdrawn" if row.outcome == WITHDRAWN else "was carried out"
            raise Conflict(f"This proposal {words} already.")
        if not past and self._clock() >= row.valid_until:
            raise Conflict("This proposal has expired.", mend="Propose it again.")
        return row

    def approvals(self, session: Session, proposal_id: str) -> Sequence[models.Approval]:
        """Return a proposal's approvals, the oldest first."""
        kind = models.Approval
        return session.scalars(
            select(kind).where(kind.proposal_id == proposal_id).order_by(kind.valid_from, kind.id)
        ).all()

    def counts(self, row: models.Proposal, approval: models.Approval) -> bool:
        """Tell whether an approval is of exactly this and in force, whoever gave it."""
        return approval.digest == row.digest and approval.valid_from <= self._clock() < approval.valid_until

    def decided(self, session: Session, row: models.Proposal, label: Label | None = None) -> rq.Proposal:
        """Return a proposal with its approvals as the rules decide it: approvers as they stand now.

        `label` is the new label when the act is to relabel.
        """
        approvals = tuple(
            rq.Approval(
                self._access.subject_of(session, item.approver_id, rq.STRONGEST),
                Act(item.act),
                item.digest,
                rq.Period(item.valid_from, item.valid_until),
            )
            for item in self.approvals(session, row.id)
        )
        return rq.Proposal(self._kind.act, row.digest, label, row.proposed_by, approvals)

    def close(self, session: Session, row: models.Proposal, outcome: str) -> None:
        """Close a proposal with its outcome, inside the change that carries it out; Conflict when it moved."""
        current = unmoved(session, row)
        current.closed, current.outcome = self._clock(), outcome

    # What they have in common

    def _require(self, actor: Actor, action: Action) -> None:
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)

    def _concerning(
        self, proposal: models.Proposal, table: str, row_id: str, version: int
    ) -> dict[str, object]:
        subject = self._kind.subject(json.loads(proposal.content))
        return {
            **concerning(subject, table, row_id, version),
            "proposal": proposal.id,
            "digest": proposal.digest,
        }

    def _own(self, actor: Actor, proposal_id: str) -> NotPermitted:
        self._log.append(
            self._access.event(
                actor,
                self._kind.approve,
                decision="deny",
                rule="two-person",
                details={"proposal": proposal_id},
            )
        )
        error = NotPermitted(
            "Nobody approves what they proposed themselves.",
            mend="Ask another security officer.",
            rules=("two-person",),
        )
        error.recorded = True
        return error


def outcome_of(row: models.Proposal, now: datetime) -> str:
    """Return a proposal's outcome as people read it: "" while it is open, `expired` when its time is over."""
    return row.outcome or ("" if now < row.valid_until else "expired")
