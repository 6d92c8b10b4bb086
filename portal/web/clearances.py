"""Clearances and briefings in words, and the choices of the forms that grant them, all from the security policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from werkzeug.datastructures import MultiDict

from policies import InvalidLabel, SecurityPolicy, marking
from policies.model import Category, Tag, TagKind
from portal.services.grant_views import BriefingView, ClearanceView
from portal.web.forms import TAG
from portal.web.words import Chip

_LANGUAGE = marking.DEFAULT_LANGUAGE
_HINTS: Mapping[TagKind, str] = MappingProxyType(
    {
        TagKind.RESTRICTIVE: "A reader must hold every one that a document carries.",
        TagKind.PERMISSIVE: "A reader must hold one of those that a document carries.",
    }
)


@dataclass(frozen=True, slots=True)
class Level:
    """A classification to choose: its name, marking words and number."""

    value: str
    words: str
    lacv: int
    checked: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A category value to choose."""

    value: str
    words: str
    checked: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one tag; `name` is that of their field."""

    name: str
    legend: str
    hint: str
    choices: tuple[Value, ...]

    @property
    def chosen(self) -> bool:
        """Whether any value is chosen."""
        return any(value.checked for value in self.choices)


@dataclass(frozen=True, slots=True)
class Covered:
    """What a grant covers: the chip of its highest level (None: no level), and its categories in words."""

    chip: Chip | None
    words: str


def class_words(policy: SecurityPolicy, name: str) -> str:
    """Return the marking of a classification alone, such as NATO RESTRICTED; the bare name where there is none."""
    try:
        return policy.marking(policy.compose(name))
    except InvalidLabel:
        return name


def levels(policy: SecurityPolicy, chosen: Sequence[str], below: str | None = None) -> Sequence[Level]:
    """Return the classifications to choose from, lowest first: all, or those under `below`, as briefings take them."""
    limit = policy.rank(below) if below is not None else None
    return [
        Level(item.name, class_words(policy, item.name), item.lacv, item.name in chosen)
        for item in policy.classifications
        if not item.obsolete and (limit is None or item.hierarchy < limit)
    ]


def groups(policy: SecurityPolicy, values: MultiDict[str, str]) -> Sequence[Group]:
    """Return the category values to choose from, by tag.

    Informative tags are left out, since they decide nothing; those that name the policy in a marking (contexts) come
    first, since a clearance without one of them opens nothing.
    """
    return [
        Group(
            f"{TAG}{tag.tag_set}",
            tag.name,
            _names_hint(policy) if _names_policy(tag) else _HINTS[tag.kind],
            tuple(
                Value(item.name, _value_words(item), item.name in values.getlist(f"{TAG}{tag.tag_set}"))
                for item in tag.categories
                if not item.obsolete
            ),
        )
        for tag in sorted(policy.tags, key=lambda tag: not _names_policy(tag))
        if tag.kind in _HINTS
    ]


def _names_hint(policy: SecurityPolicy) -> str:
    return f"Whose documents it covers: without {policy.name} it opens no {policy.name} document."


def _names_policy(tag: Tag) -> bool:
    return any(marking.replacement(item.marks, _LANGUAGE) for item in tag.categories)


def _value_words(item: Category) -> str:
    shown = None
    if not marking.replacement(item.marks, _LANGUAGE):
        shown = marking.words(item.name, item.marks, _LANGUAGE, marking.DEFAULT_POSITION)
    return shown or item.name


def covered(policy: SecurityPolicy, view: ClearanceView | BriefingView) -> Covered:
    """Return what a clearance or a briefing covers."""
    words = [
        f"{tag_set}: {', '.join(values)}" for tag_set, values in sorted(view.categories.items()) if values
    ]
    if view.policy_id != policy.id:
        names = ", ".join(view.classifications)
        return Covered(
            Chip(names, "", 0) if names else None, " · ".join([f"Policy {view.policy_id}", *words])
        )
    ranked = [item for item in policy.classifications if item.name in view.classifications]
    if not ranked:
        return Covered(None, " · ".join(words))
    highest = ranked[-1]
    held = ", ".join(item.name for item in ranked)
    if isinstance(view, BriefingView):
        if len(ranked) > 1:
            words.insert(0, f"Levels: {held}")
    elif len(ranked) < sum(item.hierarchy <= highest.hierarchy for item in policy.classifications):
        # A list with gaps is no clearance "up to": say what it holds.
        words.insert(0, f"Only {held}")
    return Covered(Chip(class_words(policy, highest.name), "", highest.lacv), " · ".join(words))
