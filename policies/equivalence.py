"""Equivalence: the label of one policy said in another, by what the first policy's file says and no further.

A mapping never guesses and never rounds down. What has no equivalent is refused, and so is whatever would
leave the mapped label open to more people than the file can have meant: an order of classifications turned
round, a restriction that becomes a mere note, two conditions that become one, a condition that goes missing.
(Open XML SPIF 2.1 equivalentPolicy, equivalentClassification, equivalentSecCategoryTag and
equivalentSecurityCategoryTagSet; ADatP-4774.1 §4.2.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from policies.errors import InvalidLabel
from policies.labels import Label
from policies.model import (
    Addition,
    Applied,
    Category,
    Classification,
    EquivalentClass,
    EquivalentPolicy,
    EquivalentValue,
    Operation,
    Tag,
    TagKind,
)
from policies.reasons import Reason

if TYPE_CHECKING:
    from policies.policy import SecurityPolicy


def _refuse(code: str, /, **parameters: str | int) -> InvalidLabel:
    return InvalidLabel(Reason.of(code, **parameters))


@dataclass(slots=True)
class _Mapping:
    """One label on its way from one policy to another."""

    source: SecurityPolicy
    target: SecurityPolicy
    side: Applied
    chosen: list[Category] = field(default_factory=list)
    # For each permissive tag of the target: the one tag of the source whose values it stands for.
    stands_for: dict[int, str] = field(default_factory=dict)

    def run(self, label: Label) -> Label:
        policy = self.policy()
        item = self.source.classification(label.classification)
        assert item is not None  # the label is valid
        equivalent = self.equivalent_class(item)
        level = self.level(equivalent)
        additions = [*policy.additions, *equivalent.additions]
        for tag_set in self.source.tag_sets:
            if not label.values(tag_set.name):
                continue
            for tag in tag_set.tags:
                self.map_tag(tag, [category for category, _ in self.source.chosen(label, tag)])
            for other in tag_set.equivalents:
                if other.policy == self.target.name:
                    additions.extend(other.additions)
        for addition in additions:
            self.add(addition)
        values: dict[str, set[str]] = {}
        for category in self.chosen:
            values.setdefault(category.tag_set, set()).add(category.name)
        return Label.of(self.target.id, level.name, values)

    def policy(self) -> EquivalentPolicy:
        for policy in self.source.equivalent_policies:
            if policy.name == self.target.name and policy.id == self.target.id:
                return policy
        raise _refuse("no-equivalent-policy", policy=self.source.name, target=self.target.name)

    def equivalent_classes(self, item: Classification) -> list[EquivalentClass]:
        return [
            other
            for other in item.equivalents
            if other.policy == self.target.name and other.applied.by(self.side)
        ]

    def level(self, equivalent: EquivalentClass) -> Classification:
        for item in self.target.classifications:
            if item.lacv == equivalent.lacv:
                return item
        value = f"classification {equivalent.lacv}"
        raise _refuse("unknown-equivalent", value=value, target=self.target.name)

    def equivalent_class(self, item: Classification) -> EquivalentClass:
        """Return the equivalence to use: the highest where there are several, and never below a lower one's."""
        found = self.equivalent_classes(item)
        if not found:
            raise _refuse("no-equivalent-classification", value=item.name, target=self.target.name)
        best = max(found, key=lambda other: self.level(other).hierarchy)
        for lower in (one for one in self.source.classifications if one.hierarchy < item.hierarchy):
            for other in self.equivalent_classes(lower):
                if self.level(other).hierarchy > self.level(best).hierarchy:
                    raise _refuse(
                        "equivalence-turns-round", value=item.name, lower=lower.name, target=self.target.name
                    )
        return best

    def map_tag(self, tag: Tag, categories: list[Category]) -> None:
        kept = 0
        for category in dict.fromkeys(categories):
            found = [
                other
                for other in category.equivalents
                if other.policy == self.target.name and other.applied.by(self.side)
            ]
            what = f"{category.tag_set} {category.name}"
            if not found:
                raise _refuse("no-equivalent-value", value=what, target=self.target.name)
            for other in found:
                if other.discard:
                    if tag.kind is TagKind.RESTRICTIVE:
                        raise _refuse("equivalence-widens", value=what, target=self.target.name)
                    continue
                self.map_value(tag, what, other)
                kept += 1
        if categories and not kept and tag.kind is TagKind.PERMISSIVE:
            raise _refuse("equivalence-widens", value=tag.name, target=self.target.name)

    def map_value(self, tag: Tag, what: str, equivalent: EquivalentValue) -> None:
        place, category = self.value(equivalent)
        allowed = {
            TagKind.RESTRICTIVE: {TagKind.RESTRICTIVE},
            TagKind.PERMISSIVE: {TagKind.RESTRICTIVE, TagKind.PERMISSIVE},
            TagKind.INFORMATIVE: set(TagKind),
        }
        if category.kind not in allowed[tag.kind]:
            raise _refuse("equivalence-widens", value=what, target=self.target.name)
        if category.kind is TagKind.PERMISSIVE:
            name = f"{tag.tag_set} {tag.name}"
            # Of two conditions one would be enough if both became values of one permissive tag.
            if self.stands_for.setdefault(place.mask, name) != name:
                raise _refuse("equivalence-widens", value=what, target=self.target.name)
        self.chosen.append(category)

    def value(self, equivalent: EquivalentValue) -> tuple[Tag, Category]:
        for tag_set in self.target.tag_sets:
            if tag_set.id != equivalent.tag_set_id:
                continue
            for tag in tag_set.tags:
                for category in tag.categories:
                    if (tag.written, category.lacv) == (equivalent.written, equivalent.lacv):
                        return tag, category
        value = f"{equivalent.tag_set_id} {equivalent.lacv}"
        raise _refuse("unknown-equivalent", value=value, target=self.target.name)

    def add(self, addition: Addition) -> None:
        """Add what the file demands of every such label; where it leaves a choice, only check that it is met."""
        groups = [list(self.named(ref.tag_set, ref.written, ref.lacv)) for ref in addition.references]
        met = [any(category in self.chosen for category in group) for group in groups]
        if addition.operation is Operation.ALL or len(groups) == 1:
            missing = [group for group, done in zip(groups, met, strict=True) if not done]
        elif sum(met) == 1 or (any(met) and addition.operation is Operation.ONE_OR_MORE):
            return
        else:
            missing = [[]]
        for group in missing:
            if len(group) != 1:
                names = ", ".join(f"{ref.tag_set} {ref.lacv or 'any'}" for ref in addition.references)
                raise _refuse("equivalence-leaves-a-choice", categories=names, target=self.target.name)
            self.chosen.append(group[0])

    def named(self, tag_set: str, written: str, lacv: str | None) -> Iterable[Category]:
        found = [
            category
            for tag in self.target.tags
            for category in tag.categories
            if (tag.tag_set, tag.written) == (tag_set, written) and lacv in (None, category.lacv)
        ]
        if not found:
            value = f"{tag_set} {lacv or 'any'}"
            raise _refuse("unknown-equivalent", value=value, target=self.target.name)
        return found


def translate(
    source: SecurityPolicy, label: Label, target: SecurityPolicy, side: Applied, at: datetime | None
) -> Label:
    """Return the label of `target` that stands for one of `source`; see `SecurityPolicy.translate`."""
    problems = source.problems(label, at)
    own = label.under(source.id)
    if problems or own is None:
        raise InvalidLabel(*problems)
    if source.id == target.id:
        raise _refuse("no-equivalent-policy", policy=source.name, target=target.name)
    mapped = _Mapping(source, target, side).run(own)
    wrong = target.problems(mapped, at)
    if wrong:
        raise InvalidLabel(*wrong)
    return mapped
