"""Many labels at once: which of them a person may see, on masks that were made beforehand.

Distinct labels are few. A `LabelTable` is made of them once and kept; a clearance then runs over its rows in
one pass. Its masks are those of one policy (told by its digest), and it holds nothing about any person: what a
grant says is asked anew each time, so that a change works at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from policies.circumstance_rules import place_and_time
from policies.document_rules import handling, system_ceiling
from policies.labels import Label
from policies.model import TagKind
from policies.person_rules import account_active, assurance, briefed, facility, role_permits
from policies.policy import SecurityPolicy
from policies.requests import AccessRequest, Action, Document, Environment, Subject
from policies.standing import not_briefed_on
from policies.validity import CompiledLabel, out_of_time
from policies.verdicts import Outcome

# What these say depends on the classification alone, so it is asked once for each and not for each label.
_BY_CLASSIFICATION = (assurance, briefed, facility, system_ceiling, handling, place_and_time)


class _Group:
    """Labels of one classification with the same restrictive values: only permissive tags tell them apart."""

    __slots__ = ("classification", "free", "limited", "many", "one", "required", "two")

    def __init__(self, classification: int, required: int) -> None:
        self.classification = classification
        self.required = required
        self.free: list[Label] = []
        self.one: list[tuple[Label, int]] = []
        self.two: list[tuple[Label, int, int]] = []
        self.many: list[tuple[Label, CompiledLabel]] = []
        self.limited: list[tuple[Label, CompiledLabel]] = []

    def add(self, label: Label, compiled: CompiledLabel) -> None:
        masks = compiled.any_of
        if compiled.windows:
            self.limited.append((label, compiled))
        elif not masks:
            self.free.append(label)
        elif len(masks) == 1:
            self.one.append((label, masks[0]))
        elif len(masks) == 2:
            self.two.append((label, masks[0], masks[1]))
        else:
            self.many.append((label, compiled))


class LabelTable:
    """Labels compiled for one policy, to be compared with clearances in bulk; iterating gives the labels.

    A label that is not valid under the policy is in no row: no clearance holds it.
    """

    def __init__(self, policy: SecurityPolicy, labels: Iterable[Label]) -> None:
        self.policy = policy
        self._labels = tuple(dict.fromkeys(labels))
        groups: dict[int, _Group] = {}
        for label in self._labels:
            compiled = policy.compiled(label)
            item = policy.classification(compiled.classification)
            if compiled.problems or item is None:
                continue
            group = groups.setdefault(compiled.required, _Group(item.bit, compiled.required))
            group.add(label, compiled)
        self._groups = tuple(groups.values())

    def __iter__(self) -> Iterator[Label]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def held(self, mask: int, classifications: int = -1, at: datetime | None = None) -> list[Label]:
        """Return the labels that a clearance (a mask) opens, among those of these classifications (a mask).

        The same as `SecurityPolicy.permits(label, clearance, at)` for each.
        """
        found: list[Label] = []
        for group in self._groups:
            if group.required & ~mask or not group.classification & classifications:
                continue
            found += group.free
            found += [label for label, one in group.one if one & mask]
            found += [label for label, one, two in group.two if one & mask and two & mask]
            if group.many:
                found += [label for label, compiled in group.many if compiled.held_by(mask)]
            if group.limited:
                found += [
                    label
                    for label, compiled in group.limited
                    if compiled.held_by(mask) and not out_of_time(compiled, at)
                ]
        return found


def _open_classifications(subject: Subject, environment: Environment, action: Action) -> int:
    """Return the classifications (a mask) that no rule refuses whatever else a label says."""
    policy = environment.rules.policy
    found = 0
    for item in policy.classifications:
        plain = Label(policy.id, item.name)
        request = AccessRequest(subject, action, Document(None, "", plain, "", ""), environment)
        if all(rule(request).outcome is Outcome.PERMITS for rule in _BY_CLASSIFICATION):
            found |= item.bit
    return found


def visible_labels(
    subject: Subject,
    labels: Iterable[Label],
    environment: Environment,
    action: Action = Action.DOCUMENT_READ,
) -> frozenset[Label]:
    """Return those labels that nothing about the person, the label or the circumstances refuses.

    The same as deciding a document of each label alone, but for the rules that look at the document
    (need-to-know, releasable, originator-consent, document-state): a list asks those of the database. Hand in
    a `LabelTable` that was kept, and nothing is compiled again.
    """
    person = AccessRequest(subject, action, None, environment)
    for rule in (account_active, role_permits):
        if rule(person).outcome is not Outcome.PERMITS:
            return frozenset()
    rules, time = environment.rules, environment.time
    policy = rules.policy
    table = (
        labels if isinstance(labels, LabelTable) and labels.policy is policy else LabelTable(policy, labels)
    )
    opened = _open_classifications(subject, environment, action)
    below = sum(item.bit for item in policy.classifications if item.hierarchy < rules.clearance_rank)
    special = sum(tag.mask for tag in policy.tags if tag.kind is TagKind.RESTRICTIVE)
    # A restrictive value counts only where a clearance holds it and a briefing lists it.
    counted = ~not_briefed_on(subject, special, environment)
    visible: set[Label] = set()
    for grant in subject.clearances:
        if grant.period.contains(time):
            visible.update(table.held(policy.mask(grant.clearance) & counted, opened, time))
    for briefing in subject.briefings:
        if briefing.classifications and briefing.period.contains(time):
            visible.update(table.held(policy.mask(briefing.clearance) & counted, opened & below, time))
    return frozenset(visible)


def visible_programmes(subject: Subject, environment: Environment) -> frozenset[str]:
    """Return the programmes of which the person is a member now; none while the account is not active."""
    if not (subject.account_active and subject.organisation_active):
        return frozenset()
    return frozenset(
        membership.programme_id
        for membership in subject.memberships
        if membership.period.contains(environment.time)
    )
