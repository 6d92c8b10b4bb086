"""Quarantine: what is kept back, and the two officers who may admit a version in spite of what was found in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies import requests as rq
from policies import rules
from policies.requests import AccessRequest, Act, Action
from policies.verdicts import Outcome
from portal import models
from portal.audit import AuditLog
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import Conflict, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields, standing
from portal.services.access import NO_SUCH_DOCUMENT, Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.proposals import DONE, ActKind, Proposals, outcome_of
from portal.services.standing import Examination, Standing

_SHOWN = 200
_ADMIT = ActKind(
    Act.ADMIT,
    Action.QUARANTINE_SHOW,
    Action.QUARANTINE_SHOW,
    lambda content: f"document:{content['document']}",
)


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A version that is kept back, as an officer sees it: never its title or content.

    `proposal` and `digest` are of the open proposal to admit it, "" for none; `own`: this officer made it;
    `approved`: an approval of it counts.
    """

    document_id: str
    number: int
    marking: str
    originator: str
    size: int
    media_type: str
    found: Examination
    since: datetime
    proposal: str = ""
    digest: str = ""
    reason: str = ""
    own: bool = False
    approved: bool = False


class Quarantine:
    """The officers' use cases; each raises NotPermitted, recorded, for everybody else."""

    def __init__(self, database: Database, log: AuditLog, access: Access, clock: Clock, alarm: Alarm) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._clock = clock
        self._alarm = alarm
        self._proposals = Proposals(database, log, access, clock, alarm, _ADMIT)

    def kept_back(self, actor: Actor) -> Sequence[KeptBack]:
        """Return what waits or is in quarantine, under labels that this officer is cleared for; recorded as shown."""
        row = models.Inspection
        kept = [Standing.WAITING.value, Standing.QUARANTINED.value, Standing.REFUSED.value]
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.QUARANTINE_SHOW)
            open_ones = {
                (content["document"], content["version"]): proposal
                for proposal in self._proposals.all(session)
                if outcome_of(proposal, self._clock()) == "" and (content := json.loads(proposal.content))
            }
            found = session.scalars(
                select(row).where(row.standing.in_(kept)).order_by(row.created.desc()).limit(_SHOWN)
            ).all()
            views = [
                view
                for item in found
                if (view := self._view(session, actor, item, open_ones.get((item.document_id, item.number))))
            ]
        ids = [f"{view.document_id}/{view.number}" for view in views]
        self._log.append(
            self._access.event(actor, Action.QUARANTINE_SHOW, decision="permit", details=shown(ids))
        )
        return views

    def propose(self, actor: Actor, document_id: str, number: int, reason: str) -> str:
        """Propose to admit a version and return the proposal's id; raises NotFound, Conflict, Invalid."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.QUARANTINE_SHOW)
            row, _ = self._required(session, actor, document_id, number)
            version = session.get_one(models.Version, (document_id, number))
            content = {
                "document": document_id,
                "version": number,
                "sha256": version.sha256.hex(),
                "scan": row.scan,
                "reasons": json.loads(row.reasons),
                "finding": row.finding,
                "row_version": row.row_version,
            }
            if any(
                outcome_of(item, self._clock()) == ""
                and json.loads(item.content)["document"] == document_id
                and json.loads(item.content)["version"] == number
                for item in self._proposals.all(session)
            ):
                raise Conflict("This is proposed already.", mend="Look at the list again.")
        return self._proposals.propose(actor, content, reason)

    def approve(self, actor: Actor, proposal_id: str, digest: str) -> None:
        """Approve exactly what has this digest; never one's own proposal. Raises NotPermitted, NotFound, Conflict."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.QUARANTINE_SHOW)
            content = json.loads(self._proposals.still_open(session, proposal_id).content)
            self._required(session, actor, content["document"], content["version"])
        self._proposals.approve(actor, proposal_id, digest)

    def admit(self, actor: Actor, proposal_id: str) -> None:
        """Hand out a version from now on, as two officers agreed.

        The rule `two-person` decides: raises NotPermitted, recorded, without an approval that counts; Conflict when
        what was found changed since, NotFound.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.QUARANTINE_SHOW)
            proposal = self._proposals.still_open(session, proposal_id)
            content = json.loads(proposal.content)
            row, document = self._required(session, actor, content["document"], content["version"])
            if row.row_version != content["row_version"]:
                raise Conflict("What was found changed since this was proposed.", mend="Propose it again.")
            self._decide(session, actor, document, self._proposals.decided(session, proposal))
        found = replace(standing.examined(row), standing=Standing.ADMITTED)
        self._change(actor, row, document, found, proposal)

    def refuse(self, actor: Actor, document_id: str, number: int, reason: str) -> None:
        """Decide that a version stays in quarantine; one officer is enough. Raises NotFound, Conflict, Invalid."""
        why = fields.name(reason, "reason", 1000)
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.QUARANTINE_SHOW)
            row, document = self._required(session, actor, document_id, number)
        if row.standing == Standing.WAITING.value:
            raise Conflict("It waits for its scan still.", mend="Decide when the verdict is there.")
        found = replace(standing.examined(row), standing=Standing.REFUSED)
        self._change(actor, row, document, found, None, why)

    def _change(
        self,
        actor: Actor,
        row: models.Inspection,
        document: rq.Document,
        found: Examination,
        proposal: models.Proposal | None,
        reason: str = "",
    ) -> None:
        event = replace(
            self._access.event(
                actor,
                Action.GRANT_DOCUMENT,
                decision="permit",
                document=row.document_id,
                version=row.number,
                programme=document.programme_id,
                label=self._access.marking(document.label),
                details={
                    **concerning(
                        f"document:{row.document_id}",
                        row.__tablename__,
                        f"{row.document_id}/{row.number}",
                        row.row_version + 1,
                    ),
                    **standing.details(found),
                    **({"proposal": proposal.id, "digest": proposal.digest} if proposal else {}),
                },
                private={"reason": reason} if reason else None,
            ),
            action="document.quarantine",
        )
        now = self._clock()
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            session = change.session
            standing.write(unmoved(session, row), found, now)
            session.flush()
            head = session.get_one(models.Document, row.document_id, with_for_update=True)
            version = session.get_one(models.Version, (row.document_id, row.number))
            standing.follow(session, head, version, found, now, was_held=True)
            if proposal is not None:
                self._proposals.close(session, proposal, DONE)

    def _required(
        self, session: Session, actor: Actor, document_id: str, number: int
    ) -> tuple[models.Inspection, rq.Document]:
        """Return what was found in a version that is kept back and that this officer may decide about."""
        found = self._access.head(session, document_id)
        row = session.get(models.Inspection, (document_id, number))
        if found is None or row is None or not self._may(session, actor, found):
            about = Refusal(asked=f"{document_id}/{number}"[:100])
            self._access.record_denial(actor, Action.GRANT_DOCUMENT, None, about)
            error = NotFound(NO_SUCH_DOCUMENT)
            error.recorded = True
            raise error
        if not standing.examined(row).held:
            raise Conflict("This version is not kept back.")
        return row, replace(found[1], author_id=found[0].uploaded_by)

    def _may(self, session: Session, actor: Actor, found: tuple[models.Document, rq.Document]) -> bool:
        decision = rules.decide(self._asking(session, actor, found[1]))
        refusing = {verdict.rule for verdict in decision.verdicts if verdict.outcome is Outcome.REFUSES}
        return not refusing - {"two-person"}

    def _asking(
        self, session: Session, actor: Actor, document: rq.Document, proposal: rq.Proposal | None = None
    ) -> AccessRequest:
        asked = proposal or rq.Proposal(Act.ADMIT, "0" * 64, author_id=actor.person_id)
        subject = self._access.subject(session, actor)
        return AccessRequest(subject, Action.GRANT_DOCUMENT, document, self._access.environment(actor), asked)

    def _decide(self, session: Session, actor: Actor, document: rq.Document, asked: rq.Proposal) -> None:
        request = self._asking(session, actor, document, asked)
        decision = rules.decide(request)
        if decision.permitted:
            return
        about = Refusal(document.id, document.programme_id, None, self._access.marking(document.label))
        self._access.record_denial(actor, Action.GRANT_DOCUMENT, decision, about)
        refused = NotPermitted(
            "This cannot be admitted yet.",
            mend="Ask another security officer to approve it.",
            rules=("two-person",),
        )
        refused.recorded = True
        raise refused

    def _view(
        self, session: Session, actor: Actor, row: models.Inspection, proposal: models.Proposal | None
    ) -> KeptBack | None:
        found = self._access.head(session, row.document_id)
        version = session.get(models.Version, (row.document_id, row.number))
        if found is None or version is None or not self._may(session, actor, found):
            return None
        originator = session.get(models.Organisation, found[0].originator_id)
        view = KeptBack(
            row.document_id,
            row.number,
            self._access.marking(found[1].label),
            originator.name if originator is not None else "",
            version.size,
            version.media_type,
            standing.examined(row),
            row.created,
        )
        if proposal is None:
            return view
        return replace(
            view,
            proposal=proposal.id,
            digest=proposal.digest,
            reason=proposal.reason,
            own=proposal.proposed_by == actor.person_id,
            approved=any(
                self._proposals.counts(proposal, item)
                for item in self._proposals.approvals(session, proposal.id)
            ),
        )
