"""The portal's rules: each one small named function, with a stable identifier that the log cites.

`decide` asks every rule that applies to the action. A request is permitted only when each of them permits;
a refusal carries the verdicts of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from policies.bulk import LabelTable, visible_labels, visible_programmes
from policies.circumstance_rules import ACTS, place_and_time, two_person
from policies.document_rules import (
    WITHDRAWN,
    document_state,
    handling,
    originator_consent,
    releasable,
    system_ceiling,
)
from policies.errors import InvalidRequest
from policies.explanation import explain
from policies.person_rules import (
    READING,
    ROLE_ACTIONS,
    account_active,
    assurance,
    briefed,
    clearance_in_force,
    facility,
    label_dominated,
    need_to_know,
    role_permits,
)
from policies.requests import AccessRequest, Action
from policies.verdicts import Decision, Outcome, Verdict, not_asked

__all__ = [
    "ROLE_ACTIONS",
    "RULES",
    "UPLOAD_RULES",
    "Decision",
    "LabelTable",
    "Outcome",
    "Verdict",
    "account_active",
    "assurance",
    "briefed",
    "clearance_in_force",
    "decide",
    "document_state",
    "explain",
    "facility",
    "handling",
    "label_dominated",
    "need_to_know",
    "originator_consent",
    "place_and_time",
    "releasable",
    "role_permits",
    "system_ceiling",
    "two_person",
    "visible_labels",
    "visible_programmes",
]

Rule = Callable[[AccessRequest], Verdict]

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "account-active": account_active,
        "role-permits": role_permits,
        "assurance": assurance,
        "clearance-in-force": clearance_in_force,
        "label-dominated": label_dominated,
        "need-to-know": need_to_know,
        "briefed": briefed,
        "facility": facility,
        "releasable": releasable,
        "originator-consent": originator_consent,
        "document-state": document_state,
        "system-ceiling": system_ceiling,
        "handling": handling,
        "two-person": two_person,
        "place-and-time": place_and_time,
    }
)
"""Every rule by its identifier, in the order in which verdicts are listed."""

_OF_PERSON = frozenset({"account-active", "role-permits"})
_OF_DOCUMENT = frozenset(RULES) - {"two-person"}
UPLOAD_RULES = _OF_DOCUMENT - {"releasable", "originator-consent", "document-state", "handling"}
# What an officer does to a document: they are cleared for it, without being one of its readers.
_OF_OFFICER = frozenset(RULES) - {"need-to-know", "releasable", "document-state", "handling"}
ABOUT_DOCUMENTS = READING | {Action.DOCUMENT_UPLOAD, Action.DOCUMENT_VERSION, Action.GRANT_DOCUMENT}
# A list or a search as a whole is about no document yet; every other action of these names one.
_WITHOUT_DOCUMENT = frozenset({Action.DOCUMENT_LIST, Action.DOCUMENT_SEARCH})
_KNOWABLE = frozenset({"clearance-in-force", "assurance", "place-and-time", "handling", "two-person"})
# The label of an upload is the person's own choice: what it asks for tells them nothing new.
_KNOWABLE_OF_UPLOAD = _KNOWABLE | {"label-dominated", "briefed", "facility", "system-ceiling"}


def _unasked(rule: str) -> Rule:
    verdict = not_asked(rule)
    return lambda _request: verdict


def _plan(applicable: frozenset[str]) -> tuple[tuple[Rule, ...], int]:
    rules = tuple(rule if name in applicable else _unasked(name) for name, rule in RULES.items())
    return rules, len(applicable)


_PLAN_OF_PERSON = _plan(_OF_PERSON)
_PLAN_OF_ACT = _plan(_OF_PERSON | {"two-person"})
_PLAN_OF_UPLOAD = _plan(UPLOAD_RULES)
_PLAN_OF_DOCUMENT = _plan(_OF_DOCUMENT)
_PLAN_OF_OFFICER = _plan(_OF_OFFICER)


def _plan_for(request: AccessRequest) -> tuple[tuple[Rule, ...], int]:
    action = request.action
    if action not in ABOUT_DOCUMENTS:
        act = request.proposal is not None and action in ACTS
        return _PLAN_OF_ACT if act or action is Action.GRANT_POLICY else _PLAN_OF_PERSON
    if request.document is None:
        if action not in _WITHOUT_DOCUMENT:
            raise InvalidRequest(f"{action} is decided about a document")
        return _PLAN_OF_PERSON
    if action is Action.DOCUMENT_UPLOAD:
        return _PLAN_OF_UPLOAD
    return _PLAN_OF_OFFICER if action is Action.GRANT_DOCUMENT else _PLAN_OF_DOCUMENT


def decide(request: AccessRequest) -> Decision:
    """Decide one request. Raises InvalidRequest when an action about a document comes without one."""
    rules, applicable = _plan_for(request)
    verdicts = tuple([rule(request) for rule in rules])
    granted = 0
    for verdict in verdicts:
        if verdict.outcome is Outcome.PERMITS:
            granted += 1
    if granted == applicable:
        return Decision(True, verdicts, "", False, ())
    refusing = tuple(verdict.rule for verdict in verdicts if verdict.outcome is Outcome.REFUSES)
    knowable = _is_knowable(request, verdicts)
    return Decision(False, verdicts, refusing[0], knowable, refusing if knowable else ())


def _is_knowable(request: AccessRequest, verdicts: tuple[Verdict, ...]) -> bool:
    """Whether the person may be told: only something that may be known is missing.

    A refusal by `label-dominated` means that nothing ever granted covers the label, and membership and
    release must hold now: so the document is one that the person has reason to know. Without a document, the
    person may know that what they propose themselves lacks a second person.
    """
    if request.document is None or request.action not in ABOUT_DOCUMENTS:
        known = frozenset({"two-person"})
    elif request.action is Action.DOCUMENT_UPLOAD:
        known = _KNOWABLE_OF_UPLOAD
    else:
        known = _KNOWABLE
    return all(
        verdict.outcome is not Outcome.REFUSES or verdict.rule in known or verdict is WITHDRAWN
        for verdict in verdicts
    )
