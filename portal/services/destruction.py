"""Destruction: one security officer requests it, another approves exactly that, then it is carried out and certified.

The wrapped keys are erased first, in the database and with the manifests, then the blobs: from the first step on
nothing of the document can be opened. Its row stays as a tombstone without title and names; readers get the answer for
a document that does not exist. Copies in backups die with the key that wrapped their keys: the certificate says when.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import envelope
from policies import requests as rq
from policies import rules
from policies.requests import AccessRequest, Act, Action, DocumentState
from policies.verdicts import Outcome
from portal import models
from portal.audit import AuditLog
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import Conflict, NotFound, NotPermitted
from portal.models.database import Database
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.counters import count_more
from portal.services.directory import Named
from portal.services.erasure import ERASING, Certified, Erasure
from portal.services.policy_views import ApprovalView
from portal.services.proposals import DONE, ActKind, Proposals, outcome_of
from portal.services.titles import Titles


@dataclass(frozen=True, slots=True)
class DestructionView:
    """A request as an officer sees it: `title` where they are cleared for the document; `outcome` "" while open."""

    id: str
    digest: str
    document: str
    title: str
    marking: str
    versions: int
    requested_by: Named
    reason: str
    created: datetime
    until: datetime
    outcome: str
    closed: datetime | None
    approvals: tuple[ApprovalView, ...]
    certified: bool
    log_entry: int


DESTROY = "document.destroy"
"""The act in the log; the rules decide it as a change of the document."""
_DESTROY = ActKind(
    Act.DESTROY,
    Action.DESTRUCTION_PROPOSE,
    Action.DESTRUCTION_APPROVE,
    lambda content: f"document:{content['document']}",
)


class Destruction:
    """The officers' use cases; each raises NotPermitted, recorded, for everybody else."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        titles: Titles,
        clock: Clock,
        alarm: Alarm,
        erasure: Erasure,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._titles = titles
        self._proposals = Proposals(database, log, access, clock, alarm, _DESTROY)
        self._clock = clock
        self._alarm = alarm
        self.erasure = erasure

    # Looking

    def requests(self, actor: Actor) -> Sequence[DestructionView]:
        """Return all requests, the newest first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_SHOW)
            views = [self._view(session, actor, row) for row in self._proposals.all(session)]
        self._record_shown(actor, [view.id for view in views])
        return views

    def request(self, actor: Actor, request_id: str) -> DestructionView:
        """Return one request; recorded as shown. Raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_SHOW)
            view = self._view(session, actor, self._proposals.required(session, request_id))
        self._record_shown(actor, [view.id])
        return view

    def certificates(self, actor: Actor, request_id: str) -> Sequence[Certified]:
        """Return the signed certificates of what was carried out, one a version; recorded as shown.

        Raises NotFound, Conflict where there are none yet.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_SHOW)
            row = self._proposals.required(session, request_id)
        if row.outcome != DONE:
            raise Conflict("There is no certificate yet.", mend="There is one when the blobs are gone.")
        self._record_shown(actor, [row.id])
        return self.erasure.read(row.payload)

    # Requesting and approving

    def propose(self, actor: Actor, document_id: str, reason: str) -> str:
        """Request a document's destruction and return the request's id.

        Raises NotFound where the document is absent or out of this officer's reach, Conflict when it is requested
        already, Invalid without a reason.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_PROPOSE)
            row = self._reachable(session, actor, document_id)
            if self._is_requested(session, document_id):
                raise Conflict("Its destruction is requested already.", mend="Look under Destruction.")
            content = _content(session, row)
        return self._proposals.propose(actor, content, reason)

    def withdraw(self, actor: Actor, request_id: str) -> None:
        """Withdraw a request that was not carried out; raises NotFound, Conflict."""
        self._proposals.withdraw(actor, request_id)

    def approve(self, actor: Actor, request_id: str, digest: str) -> None:
        """Approve exactly what has this digest, for seven days; never one's own request.

        Raises NotPermitted (recorded) for one's own, NotFound where the document is out of this officer's reach,
        Conflict when it is another than was shown.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_APPROVE)
            proposal = self._proposals.still_open(session, request_id)
            self._reachable(session, actor, json.loads(proposal.content)["document"])
        self._proposals.approve(actor, request_id, digest)

    # Carrying out

    def destroy(self, actor: Actor, request_id: str) -> None:
        """Carry out an approved request: keys, then manifests and blobs, then the certificate.

        The rule `two-person` decides: raises NotPermitted, recorded, without an approval that counts; Conflict when
        the document changed since. When the store fails after the keys went, the rest follows by `Erasure.finish_all`.
        """
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_PROPOSE)
            proposal = self._proposals.still_open(session, request_id)
            content = json.loads(proposal.content)
            row, document = self._found(session, actor, content["document"])
            asked = self._proposals.decided(session, proposal)
            self._decide(session, actor, row, document, asked)
            if _content(session, row)["versions"] != content["versions"]:
                raise Conflict("The document changed since this was requested.", mend="Request it again.")
            approver = next(
                item.approver_id
                for item in self._proposals.approvals(session, request_id)
                if self._proposals.counts(proposal, item) and item.approver_id != actor.person_id
            )
        event = self._access.event(
            actor,
            Action.GRANT_DOCUMENT,
            decision="permit",
            document=row.id,
            programme=row.programme_id,
            label=self._access.marking(document.label),
            details={
                **concerning(f"document:{row.id}", row.__tablename__, row.id, row.row_version + 1),
                "proposal": proposal.id,
                "digest": proposal.digest,
                "approver": approver,
                "versions": len(content["versions"]),
            },
        )
        event = replace(event, action=DESTROY)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            keys = self._erase(change.session, unmoved(change.session, row), now)
            current = unmoved(change.session, proposal)
            current.closed, current.outcome, current.payload = (
                now,
                ERASING,
                json.dumps(keys).encode(),
            )
        self.erasure.finish(request_id)

    def _erase(self, session: Session, row: models.Document, now: datetime) -> dict[str, str]:
        """Erase keys and names, and return the id of the key that wrapped each version's, for the certificates."""
        place = row.programme_id, row.label_id, row.originator_id, row.addressee_id
        count_more(session, (*place, row.state), -1)
        count_more(session, (*place, DocumentState.DESTROYED.value), 1)
        row.state, row.title, row.changed = DocumentState.DESTROYED.value, "", now
        versions = models.Version
        keys = {}
        for version in session.scalars(select(versions).where(versions.document_id == row.id)).all():
            keys[str(version.number)] = envelope.key_id_of(version.wrapped_dek, envelope.WRAPPED)
            version.wrapped_dek, version.file_name, version.notices = b"", "", "[]"
        self._titles.purge(session, row.programme_id, row.id)
        return keys

    # What they have in common

    def _found(self, session: Session, actor: Actor, document_id: str) -> tuple[models.Document, rq.Document]:
        found = self._access.head(session, document_id)
        if found is None or found[0].state == DocumentState.DESTROYED.value:
            self._access.record_denial(actor, Action.GRANT_DOCUMENT, None, Refusal(asked=document_id[:100]))
            error = NotFound("There is no such document, or it is not open to you.")
            error.recorded = True
            raise error
        return found[0], replace(found[1], author_id=found[0].uploaded_by)

    def _reachable(self, session: Session, actor: Actor, document_id: str) -> models.Document:
        """Return a document whose destruction this officer may ask for: everything permits but the second person."""
        row, document = self._found(session, actor, document_id)
        request = self._asking(session, actor, document)
        decision = rules.decide(request)
        refusing = {verdict.rule for verdict in decision.verdicts if verdict.outcome is Outcome.REFUSES}
        if refusing - {"two-person"}:
            about = Refusal(row.id, row.programme_id, None, self._access.marking(document.label))
            raise self._access.refuse(actor, request, decision, about)
        return row

    def _asking(
        self, session: Session, actor: Actor, document: rq.Document, proposal: rq.Proposal | None = None
    ) -> AccessRequest:
        subject = self._access.subject(session, actor)
        asked = proposal or rq.Proposal(Act.DESTROY, "0" * 64, author_id=actor.person_id)
        return AccessRequest(subject, Action.GRANT_DOCUMENT, document, self._access.environment(actor), asked)

    def _decide(
        self,
        session: Session,
        actor: Actor,
        row: models.Document,
        document: rq.Document,
        asked: rq.Proposal,
    ) -> None:
        request = self._asking(session, actor, document, asked)
        decision = rules.decide(request)
        if decision.permitted:
            return
        about = Refusal(row.id, row.programme_id, None, self._access.marking(document.label))
        if not decision.knowable:
            raise self._access.refuse(actor, request, decision, about)
        self._access.record_denial(actor, Action.GRANT_DOCUMENT, decision, about)
        refused = NotPermitted(
            "This cannot be destroyed yet. " + " ".join(rules.explain(request, decision, reader="person")),
            mend="Ask another security officer to approve it.",
            rules=decision.knowable_rules or (decision.rule,),
        )
        refused.recorded = True
        raise refused

    def _is_requested(self, session: Session, document_id: str) -> bool:
        now = self._clock()
        return any(
            outcome_of(row, now) == "" and json.loads(row.content)["document"] == document_id
            for row in self._proposals.all(session)
        )

    def _view(self, session: Session, actor: Actor, row: models.Proposal) -> DestructionView:
        content, now = json.loads(row.content), self._clock()
        found = self._access.head(session, content["document"])
        title, marking = "", ""
        if found is not None:
            decision = rules.decide(
                self._asking(session, actor, replace(found[1], author_id=found[0].uploaded_by))
            )
            refusing = {verdict.rule for verdict in decision.verdicts if verdict.outcome is Outcome.REFUSES}
            if not refusing - {"two-person"}:
                title, marking = found[0].title, self._access.marking(found[1].label)
        return DestructionView(
            row.id,
            row.digest,
            content["document"],
            title,
            marking,
            len(content["versions"]),
            _named(session, row.proposed_by),
            row.reason,
            row.created,
            row.valid_until,
            outcome_of(row, now),
            row.closed,
            tuple(
                ApprovalView(
                    _named(session, item.approver_id),
                    item.valid_from,
                    item.valid_until,
                    self._proposals.counts(row, item),
                )
                for item in self._proposals.approvals(session, row.id)
            ),
            row.outcome == DONE,
            row.log_entry,
        )

    def _record_shown(self, actor: Actor, ids: list[str]) -> None:
        self._log.append(
            self._access.event(actor, Action.DESTRUCTION_SHOW, decision="permit", details=shown(ids))
        )


def _content(session: Session, row: models.Document) -> dict[str, Any]:
    """Return exactly what would be destroyed, so that an approval is of this and nothing else."""
    kind = models.Version
    versions = session.scalars(select(kind).where(kind.document_id == row.id).order_by(kind.number)).all()
    return {
        "document": row.id,
        "label": row.label_digest.hex(),
        "versions": [
            {"number": version.number, "sha256": version.sha256.hex(), "size": version.size}
            for version in versions
        ],
    }


def _named(session: Session, person_id: str) -> Named:
    row = session.get(models.Person, person_id)
    return Named(person_id, row.name if row is not None else "")
