"""What a person may put on a document: the choices of the label picker, and the label they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from policies import marking
from policies.errors import InvalidClearance, InvalidLabel
from policies.labels import Clearance, Label
from policies.model import Category, Classification, Operation, Requirement, Tag, TagKind
from policies.reasons import Reason

if TYPE_CHECKING:
    from policies.policy import SecurityPolicy


@dataclass(frozen=True, slots=True)
class OfferedClassification:
    """A classification that may be chosen: its name, marking words, and the colours of its label."""

    name: str
    words: str
    lacv: int
    color: str | None
    ink: str


@dataclass(frozen=True, slots=True)
class OfferedValue:
    """A category value that may be chosen.

    `held`: the person's own clearance has it; `classifications`: those offered that it may stand with.
    """

    name: str
    words: str
    held: bool
    classifications: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferedTag:
    """The values of one tag that may be chosen; `single` when at most one of them may be."""

    tag_set: str
    name: str
    kind: TagKind
    single: bool
    values: tuple[OfferedValue, ...]


@dataclass(frozen=True, slots=True)
class LabelOffer:
    """Everything that the label picker shows.

    `contexts` are the values that name the policy in a marking (such as NATO or NATO/KFOR), each with its
    tag set; `tags` all other values that a person chooses. What the policy adds by itself (values that no
    marking shows) is not offered: `SecurityPolicy.compose` adds it.
    """

    classifications: tuple[OfferedClassification, ...]
    contexts: tuple[tuple[str, OfferedValue], ...]
    tags: tuple[OfferedTag, ...]


def _usable(category: Category, classifications: list[Classification]) -> tuple[str, ...]:
    if category.obsolete:
        return ()
    return tuple(
        item.name
        for item in classifications
        if item.name not in category.excluded_classes and category.required_class in (None, item.name)
    )


def offer(policy: SecurityPolicy, clearance: Clearance, ceiling: str, language: str) -> LabelOffer:
    """Return the choices open to a clearance, up to the ceiling.

    A restrictive value is offered when it is held; the values of a permissive tag are all offered when one
    of them is held (others may be released to beside oneself); informative values always.
    """
    highest = policy.rank(ceiling)
    if highest is None:
        raise InvalidClearance(Reason.of("unknown-classification", value=ceiling, policy=policy.name))
    held = policy.mask(clearance)
    offered = [
        item
        for item in policy.classifications
        if item.bit & held and item.hierarchy <= highest and not item.obsolete
    ]
    contexts: list[tuple[str, OfferedValue]] = []
    tags: list[OfferedTag] = []
    for tag in policy.tags:
        values: list[OfferedValue] = []
        for category in tag.categories:
            usable = _usable(category, offered) if _open(tag, category, held) else ()
            naming = marking.replacement(category.marks, language)
            shown = naming or marking.words(category.name, category.marks, language, marking.DEFAULT_POSITION)
            if not usable or shown is None or category.entry is not None:
                continue
            value = OfferedValue(category.name, shown, bool(category.bit & held), usable)
            if naming is None:
                values.append(value)
            elif value.held:
                contexts.append((tag.tag_set, value))
        if values:
            tags.append(OfferedTag(tag.tag_set, tag.name, tag.kind, tag.maximum == 1, tuple(values)))
    return LabelOffer(
        tuple(
            OfferedClassification(
                item.name, _class_marking(policy, item, language), item.lacv, item.color, item.ink
            )
            for item in offered
        ),
        tuple(contexts),
        tuple(tags),
    )


def _open(tag: Tag, category: Category, held: int) -> bool:
    if tag.kind is TagKind.RESTRICTIVE:
        return bool(category.bit & held)
    return tag.kind is TagKind.INFORMATIVE or bool(tag.mask & held)


def _class_marking(policy: SecurityPolicy, item: Classification, language: str) -> str:
    """Return the marking of the plain label of a classification (completed when it can be)."""
    try:
        label = compose(policy, item.name, {})
    except InvalidLabel:
        label = Label.of(policy.id, item.name)
    return marking.render(policy, label, language)


def _addition(requirement: Requirement, usable: int, selected: int) -> int:
    """Return the values (a mask) that meet a requirement: all it names, or the first that may be used."""
    open_groups = [group.mask & usable for group in requirement.groups]
    single = [mask for mask in open_groups if mask.bit_count() == 1]
    if requirement.operation is Operation.ALL:
        return sum(single) & ~selected
    return single[0] if single else 0


def compose(policy: SecurityPolicy, classification: str, values: Mapping[str, Iterable[str]]) -> Label:
    """Return the label of these choices, completed by what the policy requires.

    Where the policy requires one of several values and none is chosen, the first that it lists and that may
    stand with this classification is taken. Raises InvalidLabel when the result is not valid.
    """
    chosen = policy.label(classification, values)
    item = policy.classification(chosen.classification)
    assert item is not None
    held: dict[str, set[str]] = {}
    for tag in policy.tags:
        typed = {name for category, name in policy.chosen(chosen, tag) if category.entry is not None}
        held.setdefault(tag.tag_set, set()).update(typed)
    every = [category for tag in policy.tags for category in tag.categories]
    usable = sum(c.bit for c in every if c.entry is None and _usable(c, [item]))
    selected = reduce(or_, (c.bit for tag in policy.tags for c, _ in policy.chosen(chosen, tag)), 0)
    while True:
        requirements = [*item.requirements]
        for category in every:
            if category.bit & selected:
                requirements.extend(category.requirements)
        unmet = (requirement for requirement in requirements if not requirement.met(selected))
        added = next(filter(None, (_addition(one, usable, selected) for one in unmet)), 0)
        if added & ~selected == 0:
            break
        selected |= added
    for category in every:
        if category.bit & selected and category.entry is None:
            held.setdefault(category.tag_set, set()).add(category.name)
    label = Label.of(policy.id, item.name, held)
    problems = tuple(problem for problem in policy.compiled(label).problems)
    if problems:
        raise InvalidLabel(*problems)
    return label
