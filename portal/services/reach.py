"""What a person may list now: labels in bulk and programmes, compiled once for each state of the person and kept.

What is kept rests on objects that are replaced by any change: the subject (all of somebody's rows), the labels in use,
the rules (policy and settings). It holds until the next moment at which a grant or a label begins or ends; what hours
and networks say is part of what it is kept under. So it never outlives a change, on any node.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from policies import Label, rules
from policies.requests import Environment, Ruleset, Subject
from policies.rules import LabelTable
from portal.errors import Tampered
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.document_grants import Released

_KEPT = 256


@dataclass(frozen=True, slots=True)
class Reach:
    """What a person may list now: labels by row and by digest, programmes, organisation; never changed.

    `released`: documents of others that are released to them, by id; asked anew for each request.
    """

    labels: Mapping[int, Label]
    digests: Mapping[bytes, Label]
    programmes: frozenset[str]
    organisation_id: str
    label_ids: frozenset[int]
    released: Mapping[str, Released] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reach, what it rests on, and between which moments it holds (None: without end)."""

    subject: Subject
    known: Mapping[int, Label]
    rules: Ruleset
    after: datetime | None
    before: datetime | None
    reach: Reach

    def holds(self, subject: Subject, known: Mapping[int, Label], environment: Environment) -> bool:
        time = environment.time
        return (
            self.subject is subject
            and self.known is known
            and self.rules is environment.rules
            and (self.after is None or self.after < time)
            and (self.before is None or time < self.before)
        )


class Reaches:
    """Compiles and keeps reaches."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._kept: OrderedDict[Any, _Kept] = OrderedDict()
        self._table: tuple[Mapping[int, Label], LabelTable, frozenset[datetime]] | None = None
        self._lock = threading.Lock()

    def of(
        self, session: Session, actor: Actor, subject: Subject, report: Callable[[Tampered], None]
    ) -> Reach:
        """Return what somebody may list now; a damaged label is handed to `report` and left out."""
        known = self._access.labels(session, report)
        environment = self._access.environment(actor)
        key = subject.person_id, subject.assurance, subject.roles, *_circumstances(environment)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.holds(subject, known, environment):
                self._kept.move_to_end(key)
                return kept.reach
        table, edges = self._compiled(known, environment)
        reach = self._reach(subject, known, table, environment)
        time, edges = environment.time, edges.union(_edges(subject))
        if time not in edges:
            after = max((edge for edge in edges if edge < time), default=None)
            before = min((edge for edge in edges if edge > time), default=None)
            with self._lock:
                self._kept[key] = _Kept(subject, known, environment.rules, after, before, reach)
                self._kept.move_to_end(key)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return reach

    def _reach(
        self, subject: Subject, known: Mapping[int, Label], table: LabelTable, environment: Environment
    ) -> Reach:
        visible = rules.visible_labels(subject, table, environment)
        labels = {row_id: label for row_id, label in known.items() if label in visible}
        return Reach(
            labels,
            {self._access.digest(label): label for label in labels.values()},
            rules.visible_programmes(subject, environment),
            subject.organisation_id,
            frozenset(labels),
        )

    def _compiled(
        self, known: Mapping[int, Label], environment: Environment
    ) -> tuple[LabelTable, frozenset[datetime]]:
        """Return the labels compiled for the policy, and when any of them begins or ends; it holds nobody's grants."""
        policy, kept = environment.rules.policy, self._table
        if kept is None or kept[0] is not known or kept[1].policy is not policy:
            windows = (window for label in known.values() for _, window in policy.compiled(label).windows)
            edges = frozenset(
                edge for window in windows for edge in (window.start, window.end) if edge is not None
            )
            kept = self._table = known, LabelTable(policy, known.values()), edges
        return kept[1], kept[2]


def _circumstances(environment: Environment) -> tuple[Any, ...]:
    """Return what the rules see of place and time, beside the moments at which grants begin and end."""
    ruleset = environment.rules
    open_now = tuple(
        any(span.contains(environment.time) for span in spans) for spans in ruleset.hours.values()
    )
    return environment.address if ruleset.networks else None, open_now


def _edges(subject: Subject) -> Iterator[datetime]:
    """Yield every moment at which a grant of somebody's begins or ends."""
    grants = (
        subject.clearances,
        subject.memberships,
        subject.briefings,
        subject.facilities,
        subject.acknowledgements,
    )
    for held in grants:
        for grant in held:
            yield grant.period.start
            if grant.period.end is not None:
                yield grant.period.end
