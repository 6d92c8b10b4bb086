"""Changing the security policy: what it would do, and putting it into force, which takes two security officers.

One proposes a policy, another approves exactly that, and then it is activated. The approval is bound to the digest of
everything that is proposed, and it expires. The former policy stays, for the labels and records of its time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies import InvalidPolicy, InvalidRequest, Label, SecurityPolicy, changes, parse_policy, rules
from policies import requests as rq
from policies.changes import Change, Population
from policies.differences import differences
from policies.requests import AccessRequest, Act, Action, Ruleset, Subject
from portal import models
from portal.audit import AuditLog
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import Conflict, Invalid, NotPermitted
from portal.models.database import Database
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.directory import Named
from portal.services.document_grants import released_to
from portal.services.policy_views import ApprovalView, PolicyView, ProposalPage, ProposalView
from portal.services.proposals import DONE, ActKind, Proposals, outcome_of
from portal.services.security_policy import ActivePolicy

_ACTIVATE = ActKind(
    Act.ACTIVATE, Action.POLICY_PROPOSE, Action.POLICY_APPROVE, lambda content: f"policy:{content['id']}"
)


class PolicyChanges:
    """The officers' use cases on the security policy; each raises NotPermitted, recorded, for everybody else."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        policy: ActivePolicy,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._policy = policy
        self._clock = clock
        self._alarm = alarm
        self._proposals = Proposals(database, log, access, clock, alarm, _ACTIVATE)

    # Looking

    def policies(self, actor: Actor) -> Sequence[PolicyView]:
        """Return every policy that is or was active, the newest first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
            rows = session.scalars(
                select(models.Policy).order_by(models.Policy.active.desc(), models.Policy.activated.desc())
            ).all()
        views = []
        for row in rows:
            policy = self._policy.by_digest(row.digest)
            views.append(
                PolicyView(row.digest, policy.name, policy.version, row.active, row.activated, row.log_entry)
            )
        self._record_shown(actor, [view.digest for view in views])
        return views

    def policy(self, actor: Actor, digest: str) -> SecurityPolicy:
        """Return a policy that is or was active, by its digest; recorded as shown. Raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
        found = self._policy.by_digest(digest)
        self._record_shown(actor, [digest])
        return found

    def proposals(self, actor: Actor) -> Sequence[ProposalView]:
        """Return all proposals, the newest first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
            views = [self._view(session, row) for row in self._proposals.all(session)]
        self._record_shown(actor, [view.id for view in views])
        return views

    def proposal(self, actor: Actor, proposal_id: str) -> ProposalPage:
        """Return a proposal with what it would change in the policy; recorded as shown. Raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
            row = self._proposals.required(session, proposal_id)
            view = self._view(session, row)
        self._record_shown(actor, [view.id])
        return ProposalPage(view, differences(self._policy.current(), parse_policy(row.payload)))

    def effect(self, actor: Actor, spif: bytes | str, instead_of: bytes | None = None) -> Iterator[Change]:
        """Return what a policy (its file, or the id of a proposal) would change, person by person, as it is found.

        It is compared with the active one, or with the policy file `instead_of`.

        It is recorded and checked before anything is compared. Raises Invalid for a policy that cannot be used here.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
            data = spif if isinstance(spif, bytes) else self._proposals.required(session, spif).payload
        new = self._usable(data)
        old = self._policy.current() if instead_of is None else self._usable(instead_of)
        self._record_shown(actor, [new.digest])
        return self._compared(actor, old, new)

    def _compared(self, actor: Actor, old: SecurityPolicy, new: SecurityPolicy) -> Iterator[Change]:
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            people = session.scalars(select(models.Person.id).order_by(models.Person.created)).all()
            labels = self._access.labels(session, lambda fault: self._alarm.report(fault, actor))
            counters = session.execute(
                select(
                    models.Counter.programme_id,
                    models.Counter.label_id,
                    models.Counter.originator_id,
                    models.Counter.addressee_id,
                    models.Counter.number,
                ).where(models.Counter.state == rq.DocumentState.RECEIVED.value, models.Counter.number > 0)
            ).all()
            documents: dict[tuple[str, Label], int] = {}
            of_organisation: dict[tuple[str, str, Label], int] = {}
            for programme, label_id, originator, addressee, number in counters:
                label = labels.get(label_id)
                if label is None:
                    continue
                documents[programme, label] = documents.get((programme, label), 0) + number
                for organisation in {originator, addressee}:
                    key = organisation, programme, label
                    of_organisation[key] = of_organisation.get(key, 0) + number
            last: tuple[str, Counter[tuple[str, Label | None]]] = "", Counter()

            def reach(person: Subject, programme: str, label: Label) -> int:
                nonlocal last
                if last[0] != person.person_id:
                    member = {item.programme_id for item in person.memberships if item.period.contains(now)}
                    released = released_to(session, person, member, now)
                    last = (
                        person.person_id,
                        Counter((one.programme_id, labels.get(one.label_id)) for one in released),
                    )
                own = of_organisation.get((person.organisation_id, programme, label), 0)
                return own + last[1][programme, label]

            population = Population(
                now,
                (self._access.subject_of(session, person_id, rq.STRONGEST) for person_id in people),
                documents,
                len(people),
                reach=reach,
            )
            yield from changes.compare(self._rules(old, now), self._rules(new, now), population)

    def names(self, actor: Actor, ids: Sequence[str]) -> Mapping[str, str]:
        """Return names of people and programmes by their ids, to an officer; they were shown with the effect."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
            people = session.scalars(select(models.Person).where(models.Person.id.in_(ids)))
            programmes = session.scalars(select(models.Programme).where(models.Programme.id.in_(ids)))
            return {row.id: row.name for row in (*people, *programmes)}

    # Proposing, approving, activating

    def propose(self, actor: Actor, spif: bytes, reason: str) -> str:
        """Propose a policy and return the proposal's id.

        Raises Invalid when it cannot be used here, Conflict when it is the active one.
        """
        self._require(actor, Action.POLICY_PROPOSE)
        new, old = self._usable(spif), self._policy.current()
        if new.digest == old.digest:
            raise Conflict("This policy is the active one already.")
        content = {
            "policy": new.digest,
            "name": new.name,
            "id": new.id,
            "version": new.version,
            "instead_of": old.digest,
            "changes": [item.text for item in differences(old, new)],
        }
        return self._proposals.propose(actor, content, reason, spif)

    def withdraw(self, actor: Actor, proposal_id: str) -> None:
        """Withdraw a proposal that is open, one's own or another's; raises NotFound, Conflict."""
        self._proposals.withdraw(actor, proposal_id)

    def approve(self, actor: Actor, proposal_id: str, digest: str) -> None:
        """Approve exactly what has this digest, for seven days; never one's own proposal (see `Proposals`)."""
        self._proposals.approve(actor, proposal_id, digest)

    def activate(self, actor: Actor, proposal_id: str) -> None:
        """Put a proposed and approved policy into force in place of the active one, at once and on every node.

        The rule `two-person` decides: raises NotPermitted, recorded, without an approval that counts. Raises Conflict
        when another policy has become active since it was proposed, NotFound.
        """
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.POLICY_SHOW)
            row = self._proposals.still_open(session, proposal_id)
            subject = self._access.account(session, actor)
            proposal = self._proposals.decided(session, row)
            former = session.scalar(select(models.Policy).where(models.Policy.active))
        request = AccessRequest(subject, Action.GRANT_POLICY, None, self._access.environment(actor), proposal)
        decision = rules.decide(request)
        if not decision.permitted:
            self._access.record_denial(actor, Action.GRANT_POLICY, decision, Refusal())
            refused = NotPermitted(
                "This policy cannot be put into force. "
                + " ".join(rules.explain(request, decision, reader="person")),
                mend="Ask another security officer to approve it.",
                rules=decision.knowable_rules or (decision.rule,),
            )
            refused.recorded = True
            raise refused
        if former is None or json.loads(row.content)["instead_of"] != former.digest:
            raise Conflict(
                "Another policy has become active since this was proposed.", mend="Propose it again."
            )
        new = self._usable(row.payload)
        approver = next(item for item in proposal.approvals if item.approver.person_id != actor.person_id)
        event = self._access.event(
            actor,
            Action.GRANT_POLICY,
            decision="permit",
            details={
                **concerning(f"policy:{new.id}", models.Policy.__tablename__, new.digest, 1),
                "proposal": row.id,
                "digest": row.digest,
                "former": former.digest,
                "approver": approver.approver.person_id,
            },
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            session = change.session
            unmoved(session, former).active = False
            session.flush()
            known = session.get(models.Policy, new.digest)
            if known is None:
                session.add(models.Policy(digest=new.digest, spif=row.payload, active=True, activated=now))
            else:
                known.active, known.activated = True, now
            self._proposals.close(session, row, DONE)

    # What they have in common

    def _require(self, actor: Actor, action: Action) -> None:
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)

    def _rules(self, policy: SecurityPolicy, now: datetime) -> Ruleset:
        # Nobody is at a place or a time in a comparison: it is about what people may open at the right ones.
        levels = replace(self._policy.settings_at(now, policy), networks={}, hours={})
        return self._access.rules(policy, levels)

    def _usable(self, spif: bytes) -> SecurityPolicy:
        try:
            new = parse_policy(spif)
            self._rules(new, self._clock())
        except InvalidPolicy as fault:
            raise Invalid(f"This policy is refused: {fault}", mend="Correct the file.") from None
        except InvalidRequest as fault:
            raise Invalid(
                f"This policy does not fit the settings of this installation: {fault}.",
                mend="Correct the policy, or the settings that name classifications (ceiling, clearance_from, …).",
            ) from None
        return new

    def _view(self, session: Session, row: models.Proposal) -> ProposalView:
        content = json.loads(row.content)
        return ProposalView(
            row.id,
            row.digest,
            content["name"],
            content["version"],
            content["policy"],
            _named(session, row.proposed_by),
            row.reason,
            row.created,
            row.valid_until,
            outcome_of(row, self._clock()),
            tuple(
                ApprovalView(
                    _named(session, item.approver_id),
                    item.valid_from,
                    item.valid_until,
                    self._proposals.counts(row, item),
                )
                for item in self._proposals.approvals(session, row.id)
            ),
            row.log_entry,
        )

    def _record_shown(self, actor: Actor, ids: list[str]) -> None:
        self._log.append(self._access.event(actor, Action.POLICY_SHOW, decision="permit", details=shown(ids)))


def _named(session: Session, person_id: str) -> Named:
    row = session.get(models.Person, person_id)
    return Named(person_id, row.name if row is not None else "")
