"""What a change of policy would do: who gains or loses which labels, and which labels become invalid.

The comparison is streamed, so that a page can show how far it is and a person can stop it. Nobody is asked a
second time for each document: documents are counted by programme and label beforehand, and a person is
compared with the labels that lie in their programmes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from policies.bulk import LabelTable, visible_labels, visible_programmes
from policies.labels import Label
from policies.policy import SecurityPolicy
from policies.reasons import Reason
from policies.requests import Action, Environment, Ruleset, Subject

PROGRESS_EVERY = 100


@dataclass(frozen=True, slots=True)
class Population:
    """Whom a change would touch, at one time: people, and how many documents each programme has of each label.

    `people` is asked once and may be a generator; `size` is their number where it is known. `address`: where
    they are taken to be, for rules that look at it. `reach`: how many of those documents the rules about single
    documents (releasable, say) leave to a person; without it all of them.
    """

    time: datetime
    people: Iterable[Subject]
    documents: Mapping[tuple[str, Label], int]
    size: int | None = None
    address: str | None = None
    reach: Callable[[Subject, str, Label], int] | None = None

    def left_to(self, person: Subject, programme: str, label: Label, number: int) -> int:
        """Return how many of a programme's `number` documents of a label a person could open at all."""
        return number if self.reach is None else self.reach(person, programme, label)


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A label that becomes invalid (`reasons` say why) or, without reasons, valid; and its documents."""

    label: Label
    documents: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class AccessChange:
    """A person gains or loses the documents of one label in one programme."""

    person_id: str
    programme_id: str
    label: Label
    documents: int
    gained: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How many people have been compared, of how many (None: not known)."""

    done: int
    total: int | None


Change = LabelChange | AccessChange | Progress


def _open(policy: SecurityPolicy | Ruleset) -> Ruleset:
    """Return rules under which nothing but the policy itself decides about a label."""
    if isinstance(policy, Ruleset):
        return policy
    lowest, highest = policy.classifications[0].name, policy.classifications[-1].name
    weakest = {item.name: 1 for item in policy.classifications}
    return Ruleset(policy, highest, clearance_from=lowest, assurance=weakest)


def compare(
    old: SecurityPolicy | Ruleset,
    new: SecurityPolicy | Ruleset,
    population: Population,
    action: Action = Action.DOCUMENT_READ,
) -> Iterator[Change]:
    """Yield what would change: first labels, then people one after the other, with progress between.

    Given policies, only what they say of labels, clearances and briefings is compared; given rulesets, the
    settings count too. Rules about single documents (releasable, document-state) are the same before and after.
    """
    before = Environment(population.time, _open(old), population.address)
    after = Environment(population.time, _open(new), population.address)
    counts: dict[Label, int] = {}
    by_programme: dict[str, dict[Label, int]] = {}
    for (programme, label), number in population.documents.items():
        counts[label] = counts.get(label, 0) + number
        by_programme.setdefault(programme, {})[label] = number
    yield from _labels(before, after, counts)
    tables = LabelTable(before.rules.policy, counts), LabelTable(after.rules.policy, counts)
    done = 0
    for person in population.people:
        saw, sees = (
            visible_labels(person, table, place, action)
            for table, place in zip(tables, (before, after), strict=True)
        )
        changed = saw ^ sees
        if changed:
            for programme in sorted(visible_programmes(person, after)):
                for label, number in by_programme.get(programme, {}).items():
                    mine = population.left_to(person, programme, label, number) if label in changed else 0
                    if mine:
                        yield AccessChange(person.person_id, programme, label, mine, label in sees)
        done += 1
        if done % PROGRESS_EVERY == 0:
            yield Progress(done, population.size)
    yield Progress(done, done)


def _labels(before: Environment, after: Environment, counts: Mapping[Label, int]) -> Iterator[LabelChange]:
    for label, number in counts.items():
        was = before.rules.policy.problems(label, before.time)
        becomes = after.rules.policy.problems(label, after.time)
        if bool(was) is not bool(becomes):
            yield LabelChange(label, number, becomes)


@dataclass(frozen=True, slots=True)
class Touched:
    """How many people a change touches, and of how many documents of one programme and label (at most) each."""

    people: int
    documents: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The changes added up: by (programme, label) for access, by label for validity."""

    gained: Mapping[tuple[str, Label], Touched] = field(default_factory=dict)
    lost: Mapping[tuple[str, Label], Touched] = field(default_factory=dict)
    invalid: Mapping[Label, LabelChange] = field(default_factory=dict)
    valid: Mapping[Label, LabelChange] = field(default_factory=dict)
    people: int = 0


def summarise(changes: Iterable[Change]) -> Summary:
    """Add up what `compare` yields; `people` is how many were compared."""
    people: dict[bool, Counter[tuple[str, Label]]] = {True: Counter(), False: Counter()}
    documents: dict[tuple[str, Label], int] = {}
    validity: dict[bool, dict[Label, LabelChange]] = {True: {}, False: {}}
    compared = 0
    for change in changes:
        if isinstance(change, Progress):
            compared = change.done
        elif isinstance(change, LabelChange):
            validity[not change.reasons][change.label] = change
        else:
            place = change.programme_id, change.label
            people[change.gained][place] += 1
            documents[place] = max(documents.get(place, 0), change.documents)
    gained, lost = (
        MappingProxyType({place: Touched(number, documents[place]) for place, number in people[side].items()})
        for side in (True, False)
    )
    return Summary(
        gained, lost, MappingProxyType(validity[False]), MappingProxyType(validity[True]), compared
    )
