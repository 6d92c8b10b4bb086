"""Dominance, and the dominant label of a collection (ADatP-4774.1 §4.4, Rules 1 to 9).

The dominant label is for display and for the record. It never decides: a permissive tag whose values the
members do not share is dropped by the rules, and the label without it can be open to people to whom a member
is not. So a collection is permitted only when every member is, and the aggregate says where it is wider.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from policies.labels import Clearance, Label
from policies.model import Tag, TagKind
from policies.reasons import Reason

if TYPE_CHECKING:
    from policies.policy import SecurityPolicy


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The dominant label of a collection.

    `label` None: there is none, and `reasons` say why; somebody must decide, and until then the collection
    stands at the highest level that the system may hold (Rules 2 and 9). `wider`: one reason for each
    permissive tag that was dropped although a member has it, so that `label` is wider than that member.
    """

    label: Label | None
    reasons: tuple[Reason, ...] = ()
    wider: tuple[Reason, ...] = ()


def dominates(policy: SecurityPolicy, higher: Label, lower: Label) -> bool:
    """Whether every clearance up to a level that opens `higher` opens `lower` too; both must be valid.

    The classification is at least as high, every restrictive value is there, and each permissive tag of
    `lower` is there with no other values. Labels that name what the policy does not hold dominate nothing.
    """
    above, below = higher.under(policy.id), lower.under(policy.id)
    if above is None or below is None or policy.unknown_names(above) or policy.unknown_names(below):
        return False
    ranks = policy.rank(above.classification), policy.rank(below.classification)
    if ranks[0] is None or ranks[1] is None or ranks[0] < ranks[1]:
        return False
    for tag in policy.tags:
        has, needs = _names(policy, above, tag), _names(policy, below, tag)
        if tag.kind is TagKind.RESTRICTIVE and not needs <= has:
            return False
        if tag.kind is TagKind.PERMISSIVE and needs and (not has or not has <= needs):
            return False
    return True


def _names(policy: SecurityPolicy, label: Label, tag: Tag) -> frozenset[str]:
    return frozenset(name for _, name in policy.chosen(label, tag))


def aggregate(labels: Iterable[Label], policy: SecurityPolicy, at: datetime | None = None) -> Aggregate:
    """Return the dominant label of several; those of other policies count by their alternatives in this one.

    `at` (aware) judges what the policy limits in time.
    """
    distinct = list(dict.fromkeys(labels))
    if not distinct:
        return Aggregate(None, (Reason.of("nothing-to-combine"),))
    members: list[Label] = []
    wrong: dict[Reason, None] = {}
    for label in distinct:
        problems = policy.problems(label, at)
        wrong.update(dict.fromkeys(problems))
        own = label.under(policy.id)
        if own is not None:
            members.append(own)
    if wrong:
        return Aggregate(None, tuple(wrong))
    highest = max(members, key=lambda label: policy.rank(label.classification) or 0).classification
    values: dict[str, set[str]] = {}
    notes: dict[str, set[str]] = {}
    wider: list[Reason] = []
    for tag in policy.tags:
        held = [_names(policy, label, tag) for label in members]
        united, shared = frozenset[str]().union(*held), held[0].intersection(*held)
        if tag.kind is TagKind.PERMISSIVE:
            values.setdefault(tag.tag_set, set()).update(shared)
            if united and not shared:
                wider.append(_dropped(tag, held))
        else:
            kept = values if tag.kind is TagKind.RESTRICTIVE else notes
            kept.setdefault(tag.tag_set, set()).update(united)
    # Rule 8 lets informative values be united; where together they are not valid, they are left out.
    both = {name: values.get(name, set()) | notes.get(name, set()) for name in {*values, *notes}}
    full = Label.of(policy.id, highest, both)
    if not policy.problems(full, at):
        return Aggregate(full, (), tuple(wider))
    bare = Label.of(policy.id, highest, values)
    problems = policy.problems(bare, at)
    return Aggregate(None if problems else bare, problems, tuple(wider))


def _dropped(tag: Tag, held: list[frozenset[str]]) -> Reason:
    code = "permissive-dropped-not-shared" if all(held) else "permissive-dropped-absent"
    groups = dict.fromkeys(", ".join(sorted(names)) for names in held if names)
    return Reason.of(code, tag=tag.name, values="; ".join(groups))


def permits_all(
    labels: Iterable[Label], clearance: Clearance, policy: SecurityPolicy, at: datetime | None = None
) -> bool:
    """Whether a collection is permitted: every member is, and there is at least one."""
    distinct = set(labels)
    return bool(distinct) and all(policy.permits(label, clearance, at) for label in distinct)
