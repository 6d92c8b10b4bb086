"""The rules that look at the person: account, role, sign-in, clearance, need to know, briefings, premises."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policies.requests import AccessRequest, Action, Role
from policies.standing import Cover, document_of, is_member, not_briefed_on, standing_of
from policies.verdicts import Verdict, not_asked, permits, refuses

READING = frozenset(
    {
        Action.DOCUMENT_LIST,
        Action.DOCUMENT_SEARCH,
        Action.DOCUMENT_SHOW,
        Action.DOCUMENT_READ,
        Action.DOCUMENT_PREVIEW,
    }
)
ROLE_ACTIONS: Mapping[Role, frozenset[Action]] = MappingProxyType(
    {
        Role.PARTNER: READING
        | {Action.DOCUMENT_UPLOAD, Action.DOCUMENT_VERSION, Action.INSTRUCTION_ACKNOWLEDGE},
        Role.OFFICIAL: READING | {Action.INSTRUCTION_ACKNOWLEDGE},
        Role.AUDITOR: frozenset({Action.LOG_SEARCH, Action.LOG_READ, Action.LOG_EXPORT}),
        Role.OFFICER: frozenset(
            {
                Action.GRANT_CLEARANCE,
                Action.GRANT_MEMBERSHIP,
                Action.GRANT_BRIEFING,
                Action.GRANT_ROLE,
                Action.GRANT_DOCUMENT,
                Action.GRANT_CONSENT,
                Action.GRANT_POLICY,
                Action.GRANT_FACILITY,
                Action.GRANT_INSTRUCTION,
                Action.GRANT_SETTING,
                Action.QUARANTINE_SHOW,
                Action.POLICY_SHOW,
                Action.POLICY_PROPOSE,
                Action.POLICY_APPROVE,
                Action.DESTRUCTION_SHOW,
                Action.DESTRUCTION_PROPOSE,
                Action.DESTRUCTION_APPROVE,
                Action.SPILL_SHOW,
                Action.SPILL_CONTAIN,
                Action.ACCESS_EXPLAIN,
            }
        ),
        Role.ADMINISTRATOR: frozenset(
            {
                Action.ACCOUNT_MANAGE,
                Action.ORGANISATION_MANAGE,
                Action.PROGRAMME_MANAGE,
                Action.SYSTEM_STATUS,
                Action.KEYS_SHOW,
                Action.KEYS_MANAGE,
            }
        ),
    }
)

_ACTIVE = permits("account-active", "account-active")
_ACCOUNT_INACTIVE = refuses("account-active", "account-inactive")
_ORGANISATION_INACTIVE = refuses("account-active", "organisation-inactive")
_ROLE_PERMITS = permits("role-permits", "role-permits")
_NO_ROLE = refuses("role-permits", "no-role-permits")
_ASSURED = permits("assurance", "assurance-enough")
_NOT_ASSURED = refuses("assurance", "assurance-too-low")
_IN_FORCE = permits("clearance-in-force", "clearance-in-force")
_NO_CLEARANCE = refuses("clearance-in-force", "no-clearance-in-force")
_LAPSED = refuses("clearance-in-force", "clearance-lapsed")
_DOMINATED = permits("label-dominated", "label-dominated")
_INVALID_LABEL = refuses("label-dominated", "label-invalid")
_BEYOND = refuses("label-dominated", "label-beyond-clearance")
_CLEARANCE_ANSWERS = not_asked("label-dominated", "clearance-answers")
_MEMBER = permits("need-to-know", "member")
_NOT_MEMBER = refuses("need-to-know", "not-a-member")
_NOTHING_SPECIAL = permits("briefed", "no-special-category")
_BRIEFED = permits("briefed", "briefed")
_NOT_BRIEFED = refuses("briefed", "not-briefed")
_NOT_INSTRUCTED = refuses("briefed", "instruction-not-acknowledged")
_NO_FACILITY_NEEDED = permits("facility", "facility-not-needed")
_FACILITY = permits("facility", "facility-cleared")
_NO_FACILITY = refuses("facility", "facility-not-cleared")


def account_active(request: AccessRequest) -> Verdict:
    """The account and its organisation are active."""
    if not request.subject.account_active:
        return _ACCOUNT_INACTIVE
    return _ACTIVE if request.subject.organisation_active else _ORGANISATION_INACTIVE


def role_permits(request: AccessRequest) -> Verdict:
    """One of the person's roles has this action."""
    for role in request.subject.roles:
        if request.action in ROLE_ACTIONS[role]:
            return _ROLE_PERMITS
    return _NO_ROLE


def assurance(request: AccessRequest) -> Verdict:
    """Sign-in was strong enough for this classification.

    A setting names the least level for each classification; one that is not named needs the strongest.
    """
    label = standing_of(request).label
    needed = request.environment.rules.assurance_for(label.classification)
    return _ASSURED if request.subject.assurance >= needed else _NOT_ASSURED


def clearance_in_force(request: AccessRequest) -> Verdict:
    """A clearance exists and is valid now; not only one that would cover this label and is not in force.

    Below the level that is a setting a recorded briefing stands in for a clearance.
    """
    stands = standing_of(request)
    if stands.cover is Cover.LAPSED:
        return _LAPSED
    return _IN_FORCE if stands.in_force else _NO_CLEARANCE


def label_dominated(request: AccessRequest) -> Verdict:
    """The label is valid, and the access control decision function permits for a clearance in force.

    Where a clearance that was granted would permit and is only not in force, `clearance-in-force` refuses,
    and this rule leaves the answer to it (so that the person may know what has ended).
    """
    cover = standing_of(request).cover
    if cover is Cover.COVERED:
        return _DOMINATED
    if cover is Cover.LAPSED:
        return _CLEARANCE_ANSWERS
    return _INVALID_LABEL if cover is Cover.INVALID else _BEYOND


def need_to_know(request: AccessRequest) -> Verdict:
    """The person is a current member of the document's programme (their own organisation's too)."""
    member = is_member(request.subject, document_of(request).programme_id, request.environment)
    return _MEMBER if member else _NOT_MEMBER


def briefed(request: AccessRequest) -> Verdict:
    """Every special category (restrictive value) of the label is listed by a briefing in force.

    Where a setting asks for it, the instruction for the classification must have been acknowledged as well,
    before the first access.
    """
    label, environment = standing_of(request).label, request.environment
    if label.special and not_briefed_on(request.subject, label.special, environment):
        return _NOT_BRIEFED
    if label.classification in environment.rules.instruction_required:
        policy_id, time = environment.rules.policy.id, environment.time
        for instruction in request.subject.acknowledgements:
            if (
                instruction.policy_id == policy_id
                and label.classification in instruction.classifications
                and instruction.period.contains(time)
            ):
                return _BRIEFED
        return _NOT_INSTRUCTED
    return _BRIEFED if label.special else _NOTHING_SPECIAL


def facility(request: AccessRequest) -> Verdict:
    """From the level that is a setting, a partner's organisation has a facility clearance in force for it.

    The facility clearance lists the classification itself, as a person's does. Officials work on the premises
    of the programme's lead; partners are those who act in that role.
    """
    rules, label = request.environment.rules, standing_of(request).label
    if rules.facility_rank is None or label.rank < rules.facility_rank:
        return _NO_FACILITY_NEEDED
    if Role.PARTNER not in request.subject.roles:
        return _NO_FACILITY_NEEDED
    for grant in request.subject.facilities:
        if (
            grant.policy_id == rules.policy.id
            and label.classification in grant.classifications
            and grant.period.contains(request.environment.time)
        ):
            return _FACILITY
    return _NO_FACILITY
