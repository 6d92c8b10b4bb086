"""Validity of a label under a policy, and the compiled form that a decision compares.

Validity is apart from the access control decision function and comes first: an invalid label is a
denial. All of requiredClass, excludedClass, required and excluded categories, numbers of values,
obsolete names and times of validity are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from policies.labels import Label
from policies.model import Category, Classification, Requirement, Tag, TagKind, Window
from policies.reasons import Reason

if TYPE_CHECKING:
    from policies.policy import SecurityPolicy


_NEVER_HELD = -1  # every bit there is: no clearance holds them all


@dataclass(frozen=True, slots=True)
class CompiledLabel:
    """A label as masks, made once and kept by the policy.

    `required`: what a clearance must hold whole (the classification and every restrictive value; for a label
    with problems, more than any clearance can hold);
    `any_of`: one mask per permissive tag, of which a clearance must hold a part; `special`: the restrictive
    values alone; `rank`: the classification's hierarchy, and `classification` its name in this policy ("" when
    the label has none in it); `windows`: what is limited in time.
    """

    problems: tuple[Reason, ...]
    required: int
    any_of: tuple[int, ...]
    special: int
    rank: int
    windows: tuple[tuple[str, Window], ...]
    classification: str = ""

    def held_by(self, clearance: int) -> bool:
        """Whether a clearance (a mask) holds what this label asks for; never for a label with problems."""
        if self.required & ~clearance:
            return False
        # A loop, not all(): this line is the decision itself, and a generator doubles its time.
        for mask in self.any_of:  # noqa: SIM110
            if not mask & clearance:
                return False
        return True


def compile_label(policy: SecurityPolicy, label: Label) -> CompiledLabel:
    """Compile one label. Whatever is wrong with it apart from the time is in `problems`.

    A label of another policy is compiled as its alternative in this one.
    """
    names = list(unknown_names(policy, label))
    own = label.under(policy.id)
    classification = None if own is None else policy.classification(own.classification)
    if names or own is None or classification is None:
        return CompiledLabel(tuple(names), _NEVER_HELD, (), 0, 0, ())
    categories = [
        category
        for tag_set, values in own.categories
        for category in map(policy.category, (tag_set,) * len(values), values)
        if category is not None
    ]
    # Several values may have been typed for one category: bits are joined, never added up.
    selected = reduce(or_, (category.bit for category in categories), 0)
    special = reduce(or_, (c.bit for c in categories if c.kind is TagKind.RESTRICTIVE), 0)
    permissive = (tag.mask & selected for tag in policy.tags if tag.kind is TagKind.PERMISSIVE)
    windows = [(f"{category.tag_set} {category.name}", category.window) for category in categories]
    windows.append((f"The policy {policy.name}", policy.window))
    problems = tuple(_problems(policy, classification, categories, selected))
    return CompiledLabel(
        problems=problems,
        required=_NEVER_HELD if problems else classification.bit | special,
        any_of=tuple(mask for mask in permissive if mask),
        special=special,
        rank=classification.hierarchy,
        windows=tuple((what, window) for what, window in windows if not window.unlimited),
        classification=classification.name,
    )


def out_of_time(compiled: CompiledLabel, at: datetime | None) -> tuple[Reason, ...]:
    """Return what may not be used at this time. Without a time, what is limited at all is a problem."""
    reasons = []
    for what, window in compiled.windows:
        if at is None:
            reasons.append(Reason.of("time-needed", what=what))
        elif window.start is not None and at < window.start:
            reasons.append(Reason.of("not-yet-valid", what=what, moment=window.start.isoformat()))
        elif window.end is not None and at > window.end:
            reasons.append(Reason.of("no-longer-valid", what=what, moment=window.end.isoformat()))
    return tuple(reasons)


def unknown_names(policy: SecurityPolicy, label: Label) -> Iterator[Reason]:
    """Yield a reason for each name of the label that the policy does not hold."""
    own = label.under(policy.id)
    if own is None:
        yield Reason.of("other-policy", found=label.policy_id, expected=policy.name)
        return
    label = own
    if policy.classification(label.classification) is None:
        yield Reason.of("unknown-classification", value=label.classification, policy=policy.name)
    for tag_set, values in label.categories:
        if not policy.has_tag_set(tag_set):
            yield Reason.of("unknown-tag-set", tag_set=tag_set, policy=policy.name)
            continue
        for value in values:
            if policy.category(tag_set, value) is None:
                yield Reason.of("unknown-value", value=value, tag_set=tag_set)


def _problems(
    policy: SecurityPolicy, classification: Classification, categories: list[Category], selected: int
) -> Iterator[Reason]:
    if classification.obsolete:
        yield Reason.of("obsolete-classification", value=classification.name)
    for category in categories:
        yield from _class_problems(category, classification)
    for tag in policy.tags:
        yield from _count_problems(tag, sum(1 for category in categories if category.bit & tag.mask))
    yield from _unmet(classification.name, classification.requirements, selected)
    for category in categories:
        what = f"{category.tag_set} {category.name}"
        yield from _unmet(what, category.requirements, selected)
        for group in category.exclusions:
            if group.mask & selected:
                yield Reason.of("excluded-category", what=what, categories=group.names)


def _class_problems(category: Category, classification: Classification) -> Iterator[Reason]:
    where = {"tag_set": category.tag_set, "value": category.name}
    if category.obsolete:
        yield Reason.of("obsolete-value", **where)
    if category.required_class not in (None, classification.name):
        yield Reason.of("required-class", classification=str(category.required_class), **where)
    if classification.name in category.excluded_classes:
        yield Reason.of("excluded-class", classification=classification.name, **where)


def _count_problems(tag: Tag, count: int) -> Iterator[Reason]:
    if count < tag.minimum:
        yield Reason.of("too-few-values", tag=tag.name, limit=tag.minimum)
    if tag.maximum is not None and count > tag.maximum:
        yield Reason.of("too-many-values", tag=tag.name, limit=tag.maximum)


def _unmet(what: str, requirements: tuple[Requirement, ...], selected: int) -> Iterator[Reason]:
    for requirement in requirements:
        if not requirement.met(selected):
            names = ", ".join(group.names for group in requirement.groups)
            yield Reason.of(f"required-category-{requirement.operation}", what=what, categories=names)
