"""The rules that look at the circumstances: a second person's approval, the place and the time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policies.places import within
from policies.requests import AccessRequest, Act, Action, Approval, Environment, Proposal, Role
from policies.standing import Cover, not_briefed_on, standing, standing_of
from policies.verdicts import Verdict, permits, refuses

ACTS: Mapping[Action, frozenset[Act]] = MappingProxyType(
    {
        Action.GRANT_DOCUMENT: frozenset({Act.RELABEL, Act.RELEASE, Act.DESTROY, Act.ADMIT}),
        Action.GRANT_POLICY: frozenset({Act.ACTIVATE}),
        Action.LOG_EXPORT: frozenset({Act.EXPORT}),
    }
)
"""The acts that each action may be asked for."""
BY_TWO = frozenset({Act.RELABEL, Act.DESTROY, Act.ADMIT, Act.EXPORT, Act.ACTIVATE})
"""The acts that need a second person."""

_ONE_IS_ENOUGH = permits("two-person", "second-person-not-needed")
_APPROVED = permits("two-person", "approved")
_NOTHING_PROPOSED = refuses("two-person", "nothing-proposed")
_NOT_APPROVED = refuses("two-person", "not-approved")
_ANYWHERE = permits("place-and-time", "place-not-limited")
_IN_PLACE = permits("place-and-time", "place-and-time")
_WRONG_PLACE = refuses("place-and-time", "outside-networks")
_WRONG_TIME = refuses("place-and-time", "outside-hours")


def two_person(request: AccessRequest) -> Verdict:
    """Relabelling, destruction, admitting from quarantine, disclosing exports and a new policy take a second officer.

    The approval is of this act and bound to the digest of exactly what is proposed; it is in force, and it
    expires. Who approves is an active security officer, is neither the person who asks nor who drew up the
    proposal nor who brought the document in, and is cleared for the document and for the label that it would
    get. Where nobody knows who brought the document in, nobody can be told apart from them.
    """
    proposal = request.proposal
    if proposal is None or proposal.act not in ACTS.get(request.action, frozenset()):
        return _NOTHING_PROPOSED
    if proposal.act not in BY_TWO:
        return _ONE_IS_ENOUGH
    for approval in proposal.approvals:
        if _counts(approval, proposal, request):
            return _APPROVED
    return _NOT_APPROVED


def _counts(approval: Approval, proposal: Proposal, request: AccessRequest) -> bool:
    environment, document, approver = request.environment, request.document, approval.approver
    if approval.act is not proposal.act or approval.digest != proposal.digest:
        return False
    if approval.period.end is None or not approval.period.contains(environment.time):
        return False
    if not (approver.account_active and approver.organisation_active and Role.OFFICER in approver.roles):
        return False
    if approver.person_id in (request.subject.person_id, proposal.author_id):
        return False
    if document is None:
        return True
    if document.author_id is None or document.author_id == approver.person_id:
        return False
    labels = (document.label,) if proposal.label is None else (document.label, proposal.label)
    for label in labels:
        stands = standing(approver, label, environment)
        if stands.cover is not Cover.COVERED or not_briefed_on(approver, stands.label.special, environment):
            return False
    return True


def place_and_time(request: AccessRequest) -> Verdict:
    """From a permitted network and within permitted hours, where they are set for the classification.

    An address that is not known is in no network.
    """
    environment: Environment = request.environment
    rules = environment.rules
    if not rules.networks and not rules.hours:
        return _ANYWHERE
    classification = standing_of(request).label.classification
    networks, hours = rules.networks.get(classification), rules.hours.get(classification)
    if networks is None and hours is None:
        return _ANYWHERE
    if networks is not None and not within(environment.address, networks):
        return _WRONG_PLACE
    if hours is not None and not any(span.contains(environment.time) for span in hours):
        return _WRONG_TIME
    return _IN_PLACE
