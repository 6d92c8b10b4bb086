"""Destruction: one security officer requests it, another approves exactly that, then it is carried out and certified.

The wrapped keys are erased first, in the database and with the manifests, then the blobs: from the first step on nothing of
the document can be opened. Its row stays as a tombstone without title and names; readers get the answer for a document
that does not exist. Copies in backups die with the key that wrapped their keys: the certificate says from when on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import certificates, envelope
from crypto.certificates import Certificate, CertificateSigner, DestroyedVersion
from crypto.errors import CryptoError
from crypto.keyring import KeyRing
from policies import requests as rq
from policies import rules
from policies.requests import AccessRequest, Act, Action, DocumentState
from policies.verdicts import Outcome
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields, proposals
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.counters import count_more
from portal.services.directory import Named
from portal.services.manifests import is_manifest
from portal.services.policy_views import ApprovalView
from portal.services.titles import Titles
from portal.settings import Settings
from portal.storage import BlobStore


@dataclass(frozen=True, slots=True)
class DestructionView:
    """A request as an officer sees it: `title` only where they are cleared for the document; `outcome` "" while open."""

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


class Destruction:
    """The officers' use cases; each raises NotPermitted, recorded, for everybody else."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        ring: KeyRing,
        blobs: BlobStore,
        titles: Titles,
        settings: Settings,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._ring = ring
        self._blobs = blobs
        self._titles = titles
        self._settings = settings
        self._clock = clock
        self._alarm = alarm

    # Looking

    def requests(self, actor: Actor) -> Sequence[DestructionView]:
        """Return all requests, the newest first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_SHOW)
            rows = session.scalars(
                select(models.Proposal)
                .where(models.Proposal.act == Act.DESTROY.value)
                .order_by(models.Proposal.created.desc(), models.Proposal.id)
            ).all()
            views = [self._view(session, actor, row) for row in rows]
        self._record_shown(actor, [view.id for view in views])
        return views

    def request(self, actor: Actor, request_id: str) -> DestructionView:
        """Return one request; recorded as shown. Raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_SHOW)
            view = self._view(session, actor, proposals.required(session, request_id, Act.DESTROY))
        self._record_shown(actor, [view.id])
        return view

    def certificate(self, actor: Actor, request_id: str) -> bytes:
        """Return the signed certificate of what was carried out; recorded as shown. Raises NotFound, Conflict."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_SHOW)
            row = proposals.required(session, request_id, Act.DESTROY)
        if not row.payload:
            raise Conflict("There is no certificate yet.", mend="There is one when the blobs are gone.")
        self._record_shown(actor, [row.id])
        return row.payload

    def verifier_keys(self) -> Sequence[str]:
        """Return the keys that check certificates, as verifier key lines, oldest first."""
        keys = self._ring.signers("receipt-signing")
        return [CertificateSigner(self._settings.name, key).vkey for key in keys]

    # Requesting and approving

    def propose(self, actor: Actor, document_id: str, reason: str) -> str:
        """Request a document's destruction and return the request's id.

        Raises NotFound where the document is absent or out of this officer's reach, Conflict when it is requested
        or destroyed already, Invalid without a reason.
        """
        why = fields.name(reason, "reason", 1000)
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_PROPOSE)
            row = self._reachable(session, actor, document_id)
            if self._open_request(session, document_id, now) is not None:
                raise Conflict("Its destruction is requested already.", mend="Look under Destruction.")
            content = _content(session, row)
        proposal = proposals.draw_up(Act.DESTROY, content, actor.person_id, why, now)
        event = self._event(
            actor,
            Action.DESTRUCTION_PROPOSE.value,
            row,
            proposal,
            until=rfc3339(proposal.valid_until),
            **concerning(f"document:{document_id}", proposal.__tablename__, proposal.id, 1),
        )
        event = replace(event, private={"reason": why})
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            if self._open_request(change.session, document_id, now) is not None:
                raise Conflict("Its destruction is requested already.", mend="Look under Destruction.")
            change.session.add(proposal)
        return proposal.id

    def withdraw(self, actor: Actor, request_id: str) -> None:
        """Withdraw a request that was not carried out; raises NotFound, Conflict."""
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_PROPOSE)
            proposal = proposals.still_open(
                proposals.required(session, request_id, Act.DESTROY), now, past=True
            )
            row = session.get_one(models.Document, json.loads(proposal.content)["document"])
        event = self._event(
            actor,
            Action.DESTRUCTION_PROPOSE.value,
            row,
            proposal,
            withdrawn=True,
            **concerning(
                f"document:{row.id}", proposal.__tablename__, proposal.id, proposal.row_version + 1
            ),
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            current = unmoved(change.session, proposal)
            current.closed, current.outcome = now, proposals.WITHDRAWN

    def approve(self, actor: Actor, request_id: str, digest: str) -> None:
        """Approve exactly what has this digest, for seven days; never one's own request.

        Raises NotPermitted (recorded) for one's own, NotFound where the document is out of this officer's reach,
        Conflict when it is another than was shown.
        """
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_APPROVE)
            proposal = proposals.still_open(proposals.required(session, request_id, Act.DESTROY), now)
            row = self._reachable(session, actor, json.loads(proposal.content)["document"])
        if proposal.digest != digest:
            raise Conflict("This is not what is requested.", mend="Look at the request again.")
        if actor.person_id in (proposal.proposed_by, row.uploaded_by):
            raise self._own(actor, row, proposal)
        approval = proposals.approve(proposal, actor.person_id, now)
        event = self._event(
            actor,
            Action.DESTRUCTION_APPROVE.value,
            row,
            proposal,
            until=rfc3339(approval.valid_until),
            **concerning(f"document:{row.id}", approval.__tablename__, approval.id, 1),
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            unmoved(change.session, proposal)
            change.session.add(approval)

    # Carrying out

    def destroy(self, actor: Actor, request_id: str) -> None:
        """Carry out an approved request: keys, then manifests and blobs, then the certificate.

        The rule `two-person` decides: raises NotPermitted, recorded, without an approval that counts; Conflict when
        the document changed since. When the store fails after the keys went, the rest follows by `finish`.
        """
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.DESTRUCTION_PROPOSE)
            proposal = proposals.still_open(proposals.required(session, request_id, Act.DESTROY), now)
            content = json.loads(proposal.content)
            row, document = self._found(session, actor, content["document"])
            asked = proposals.asked(self._access, session, proposal)
            self._decide(session, actor, row, document, asked)
            if _content(session, row)["versions"] != content["versions"]:
                raise Conflict("The document changed since this was requested.", mend="Request it again.")
        approver = next(item.approver for item in asked.approvals if item.approver.person_id != actor.person_id)
        event = self._event(
            actor,
            "document.destroy",
            row,
            proposal,
            approver=approver.person_id,
            versions=len(content["versions"]),
            **concerning(f"document:{row.id}", row.__tablename__, row.id, row.row_version + 1),
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            self._erase(change.session, unmoved(change.session, row), now)
            current = unmoved(change.session, proposal)
            current.closed, current.outcome = now, proposals.DONE
        self._finish(request_id)

    def _erase(self, session: Session, row: models.Document, now: datetime) -> None:
        place = row.programme_id, row.label_id, row.originator_id, row.addressee_id
        count_more(session, (*place, row.state), -1)
        count_more(session, (*place, DocumentState.DESTROYED.value), 1)
        row.state, row.title, row.changed = DocumentState.DESTROYED.value, "", now
        versions = models.Version
        for version in session.scalars(select(versions).where(versions.document_id == row.id)).all():
            version.wrapped_dek, version.file_name, version.notices = b"", "", "[]"
        self._titles.purge(session, row.programme_id, row.id)

    def finish(self) -> int:
        """Erase what is left of destroyed documents and certify it; returns how many. Any number of calls is harmless."""
        kind = models.Proposal
        with self._database.read() as session:
            waiting = session.scalars(
                select(kind.id).where(
                    kind.act == Act.DESTROY.value, kind.outcome == proposals.DONE, kind.payload == b""
                )
            ).all()
        for request_id in waiting:
            self._finish(request_id)
        return len(waiting)

    def _finish(self, request_id: str) -> None:
        with self._database.read() as session, self._alarm.watching(None):
            proposal = proposals.required(session, request_id, Act.DESTROY)
            content = json.loads(proposal.content)
            row = session.get_one(models.Document, content["document"])
            folders = session.scalars(
                select(models.Version.blob).where(models.Version.document_id == row.id)
            ).all()
            approver = proposals.approvals_of(session, request_id)[0].approver_id
        if proposal.payload:
            return
        removed = sum(self._remove(folder) for folder in folders)
        erased = self._clock()
        record = self._log.record(row.log_entry)
        certificate = Certificate(
            document=row.id,
            programme=row.programme_id,
            label_digest=content["label"],
            versions=tuple(DestroyedVersion(**version) for version in content["versions"]),
            requested_by=proposal.proposed_by,
            approved_by=str((record.get("details") or {}).get("approver") or approver),
            carried_out_by=str(record.get("actor")),
            log_entry=row.log_entry,
            destroyed=proposal.closed or erased,
            erased=erased,
            backups_unreadable_from=self._unreadable_from(content["versions"], erased),
        )
        signer = CertificateSigner(self._settings.name, self._ring.signer("receipt-signing"))
        note = certificates.issue(certificate, signer)
        event = Event(
            action="destruction.certify",
            document=row.id,
            programme=row.programme_id,
            details={
                **concerning(
                    f"document:{row.id}", proposal.__tablename__, proposal.id, proposal.row_version + 1
                ),
                "proposal": proposal.id,
                "digest": proposal.digest,
                "objects": removed,
                "until": rfc3339(certificate.backups_unreadable_from),
            },
        )
        with recorded_change(self._log, self._database.write, event) as change:
            unmoved(change.session, proposal).payload = note

    def _remove(self, folder: str) -> int:
        """Remove a version's blobs, manifests first: they hold the wrapped key."""
        names = sorted(self._blobs.list(f"{folder}/"), key=lambda name: not is_manifest(name.rpartition("/")[2]))
        for name in names:
            self._blobs.delete(name)
        return len(names)

    def _unreadable_from(self, versions: Sequence[dict[str, Any]], erased: datetime) -> datetime:
        """Return when the last backup of keys that could open a copy must be gone.

        A KEK is in use for `kek_days` from its creation at the most, and a backup of the keys is kept for
        `key_backup_days`; one that was retired already is no longer in newer backups.
        """
        ends = [erased]
        for version in versions:
            try:
                kek = self._ring.by_id(version["kek"])
            except CryptoError:
                continue
            ends.append(kek.created + timedelta(days=self._settings.kek_days))
        return max(ends) + timedelta(days=self._settings.key_backup_days)

    # What they have in common

    def _found(
        self, session: Session, actor: Actor, document_id: str
    ) -> tuple[models.Document, rq.Document]:
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
        return AccessRequest(
            subject, Action.GRANT_DOCUMENT, document, self._access.environment(actor), asked
        )

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

    def _open_request(self, session: Session, document_id: str, now: datetime) -> models.Proposal | None:
        kind = models.Proposal
        rows = session.scalars(
            select(kind).where(kind.act == Act.DESTROY.value, kind.outcome.is_(None), kind.valid_until > now)
        )
        return next((row for row in rows if json.loads(row.content)["document"] == document_id), None)

    def _own(self, actor: Actor, row: models.Document, proposal: models.Proposal) -> NotPermitted:
        self._log.append(
            self._access.event(
                actor,
                Action.DESTRUCTION_APPROVE,
                decision="deny",
                rule="two-person",
                document=row.id,
                programme=row.programme_id,
                details={"proposal": proposal.id},
            )
        )
        error = NotPermitted(
            "Nobody approves what they requested or sent themselves.",
            mend="Ask another security officer.",
            rules=("two-person",),
        )
        error.recorded = True
        return error

    def _event(
        self, actor: Actor, action: str, row: models.Document, proposal: models.Proposal, **details: object
    ) -> Event:
        event = self._access.event(
            actor,
            Action.DESTRUCTION_PROPOSE,
            decision="permit",
            document=row.id,
            programme=row.programme_id,
            details={**details, "proposal": proposal.id, "digest": proposal.digest},
        )
        return replace(event, action=action)

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
            proposals.named(session, row.proposed_by),
            row.reason,
            row.created,
            row.valid_until,
            row.outcome or ("" if now < row.valid_until else "expired"),
            row.closed,
            proposals.approval_views(session, row, now),
            bool(row.payload),
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
            {
                "number": version.number,
                "sha256": version.sha256.hex(),
                "size": version.size,
                **_kek(version.wrapped_dek),
            }
            for version in versions
        ],
    }


def _kek(wrapped: bytes) -> dict[str, Any]:
    return {"kek": envelope.key_id_of(wrapped, envelope.WRAPPED)}
