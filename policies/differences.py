"""What differs between two security policies, item by item: what people read before a policy is put into force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from policies.model import Addition, Category, Classification, Marks, Requirement, Tag
from policies.policy import SecurityPolicy

Facts = Mapping[str, str]


class Kind(StrEnum):
    """What became of an item."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One item that differs: `what` names it; `before` and `after` say how, for one that changed."""

    kind: Kind
    what: str
    fact: str = ""
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        """The difference as a sentence."""
        if self.kind is not Kind.CHANGED:
            return f"{self.what} was {self.kind}."
        return f"{self.what}: {self.fact} was “{self.before}” and is “{self.after}”."


def differences(old: SecurityPolicy, new: SecurityPolicy) -> tuple[Difference, ...]:
    """Return what differs, in the order of the policy: identity, classifications, tags, values, equivalences."""
    return tuple(_compare(_items(old), _items(new)))


def _compare(old: Mapping[str, Facts], new: Mapping[str, Facts]) -> Iterator[Difference]:
    for what in dict.fromkeys((*old, *new)):
        if what not in new:
            yield Difference(Kind.REMOVED, what)
        elif what not in old:
            yield Difference(Kind.ADDED, what)
        else:
            before, after = old[what], new[what]
            for fact in before:
                if before[fact] != after[fact]:
                    yield Difference(Kind.CHANGED, what, fact, before[fact], after[fact])


def _items(policy: SecurityPolicy) -> dict[str, Facts]:
    items: dict[str, Facts] = {
        "The policy": {
            "name": policy.name,
            "object identifier": policy.id,
            "version": str(policy.version),
            "time of validity": f"{policy.window.start or 'any'} to {policy.window.end or 'any'}",
            "privacy marks": _words(policy.privacy_marks),
        }
    }
    for item in policy.classifications:
        items[f"Classification {item.name}"] = _of_class(item)
    for tag_set in policy.tag_sets:
        items[f"Tag set {tag_set.name}"] = {"object identifier": tag_set.id}
        for tag in tag_set.tags:
            items[f"Tag {tag.tag_set} {tag.name} ({tag.written})"] = _of_tag(tag)
            for category in tag.categories:
                items[f"Value {category.tag_set} {category.name}"] = _of_category(category)
    for other in policy.equivalent_policies:
        items[f"Equivalent policy {other.name}"] = {
            "object identifier": other.id,
            "what it demands": _additions(other.additions),
        }
    return items


def _of_class(item: Classification) -> Facts:
    return {
        "level": str(item.hierarchy),
        "value": str(item.lacv),
        "colour": item.color or "none",
        "obsolete": _yes(item.obsolete),
        "marking": _marks(item.marks),
        "required categories": _requirements(item.requirements),
        "equivalents": _listed(
            f"{other.policy} {other.lacv} ({other.applied}; {_additions(other.additions)})"
            for other in item.equivalents
        ),
    }


def _of_tag(tag: Tag) -> Facts:
    return {
        "kind": tag.kind.value,
        "least number of values": str(tag.minimum),
        "greatest number of values": "any" if tag.maximum is None else str(tag.maximum),
        "marking": _marks(tag.marks),
    }


def _of_category(category: Category) -> Facts:
    return {
        "value": category.lacv,
        "kind": category.kind.value,
        "tag": category.tag,
        "obsolete": _yes(category.obsolete),
        "required class": category.required_class or "none",
        "excluded classes": _words(category.excluded_classes),
        "required categories": _requirements(category.requirements),
        "excluded categories": _listed(group.names for group in category.exclusions),
        "time of validity": f"{category.window.start or 'any'} to {category.window.end or 'any'}",
        "marking": _marks(category.marks),
        "typed in": "no" if category.entry is None else category.entry.pattern.pattern,
        "equivalents": _listed(
            f"{other.policy} {other.tag_set_id} {other.lacv} ({other.applied})"
            + (", discarded" if other.discard else "")
            for other in category.equivalents
        ),
    }


def _requirements(requirements: Iterable[Requirement]) -> str:
    return _listed(
        f"{requirement.operation} of {', '.join(group.names for group in requirement.groups)}"
        for requirement in requirements
    )


def _additions(additions: Iterable[Addition]) -> str:
    return _listed(
        f"{addition.operation} of "
        + ", ".join(f"{reference.tag_set} {reference.lacv or 'any'}" for reference in addition.references)
        for addition in additions
    )


def _marks(marks: Marks) -> str:
    phrases = [
        f"“{phrase.text or ''}” ({', '.join((phrase.language or 'en', *sorted(phrase.codes)))})"
        for phrase in marks.phrases
    ]
    qualifiers = [
        f"{qualifier.kind} “{qualifier.text}” ({qualifier.language or 'en'})"
        for qualifier in marks.qualifiers
    ]
    return _listed((*phrases, *qualifiers))


def _listed(texts: Iterable[str]) -> str:
    return "; ".join(texts) or "none"


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
