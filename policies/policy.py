"""A security policy: immutable, compiled, and the one place that answers what a label means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from types import MappingProxyType

from policies import equivalence, marking, reading, validity
from policies.errors import InvalidClearance, InvalidLabel
from policies.labels import Clearance, Label
from policies.marking import DEFAULT_POSITION
from policies.model import (
    Applied,
    Category,
    Classification,
    Entry,
    EquivalentPolicy,
    Marks,
    Tag,
    TagKind,
    TagSet,
    Window,
)
from policies.offers import LabelOffer, compose, offer
from policies.reasons import Reason
from policies.validity import CompiledLabel

_REMEMBERED = 16_384
_NOTHING: Mapping[str, Iterable[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """What the access control decision function says: permitted, or why not (all reasons, in order)."""

    permitted: bool
    reasons: tuple[Reason, ...] = ()


_PERMITTED = AccessDecision(True)


@dataclass(frozen=True, slots=True, eq=False)
class SecurityPolicy:
    """One security policy, as `load_policy` leaves it.

    `id` is its object identifier, `digest` the SHA-256 of the file in hexadecimal, `classifications` are in
    the order of their hierarchy (lowest first), `tag_sets` in the order of the file.
    """

    name: str
    id: str
    version: int
    digest: str
    classifications: tuple[Classification, ...]
    tag_sets: tuple[TagSet, ...]
    marks: Marks
    class_marks: Marks
    privacy_marks: frozenset[str]
    window: Window
    equivalent_policies: tuple[EquivalentPolicy, ...] = ()
    tags: tuple[Tag, ...] = field(init=False, repr=False)
    _classes: Mapping[str, Classification] = field(init=False, repr=False)
    _values: Mapping[str, Mapping[str, Category]] = field(init=False, repr=False)
    _typed: Mapping[str, tuple[Category, Entry]] = field(init=False, repr=False)
    _class_spelling: Mapping[str, str] = field(init=False, repr=False)
    _set_spelling: Mapping[str, str] = field(init=False, repr=False)
    _value_spelling: Mapping[str, Mapping[str, str]] = field(init=False, repr=False)
    _compiled: Callable[[Label], CompiledLabel] = field(init=False, repr=False)
    _mask: Callable[[Clearance], int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = {s.name: {c.name: c for c in s.categories if c.entry is None} for s in self.tag_sets}
        typed = {s.name: (c, c.entry) for s in self.tag_sets for c in s.categories if c.entry is not None}
        derived: dict[str, object] = {
            "tags": tuple(tag for tag_set in self.tag_sets for tag in tag_set.tags),
            "_classes": {item.name: item for item in self.classifications},
            "_values": values,
            "_typed": typed,
            "_class_spelling": {item.name.casefold(): item.name for item in self.classifications},
            "_set_spelling": {name.casefold(): name for name in values},
            "_value_spelling": {s: {name.casefold(): name for name in held} for s, held in values.items()},
            # Bounded memories of pure functions of this immutable policy.
            "_compiled": lru_cache(_REMEMBERED)(partial(validity.compile_label, self)),
            "_mask": lru_cache(_REMEMBERED)(self._clearance_mask),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    # -- what the policy holds

    def classification(self, name: str) -> Classification | None:
        """Return a classification by its exact name, or None."""
        return self._classes.get(name)

    def rank(self, name: str) -> int | None:
        """Return the hierarchy of a classification, or None when there is none of this name."""
        found = self._classes.get(name)
        return None if found is None else found.hierarchy

    def has_tag_set(self, name: str) -> bool:
        """Whether there is a tag set of this exact name."""
        return name in self._values

    def category(self, tag_set: str, value: str) -> Category | None:
        """Return a category value by exact names, or the one that this value was typed for, or None."""
        found = self._values.get(tag_set, {}).get(value)
        if found is not None or tag_set not in self._typed:
            return found
        category, entry = self._typed[tag_set]
        return category if entry.accepts(value) else None

    def chosen(self, label: Label, tag: Tag) -> tuple[tuple[Category, str], ...]:
        """Return what a label has of a tag, in the policy's order: each category, and the value's name."""
        named = label.values(tag.tag_set)
        if not named:
            return ()
        held = [(self.category(tag.tag_set, name), name) for name in named]
        return tuple(
            (category, name) for category in tag.categories for other, name in held if other is category
        )

    # -- reading names, whatever their case

    def label(self, classification: str, categories: Mapping[str, Iterable[str]] = _NOTHING) -> Label:
        """Return the label of these names, in the policy's own spelling (case does not matter).

        Raises InvalidLabel when the policy does not hold a name. Whether the label is valid is not asked.
        """
        chosen = self._class_spelling.get(classification.casefold(), classification)
        label = Label.of(self.id, chosen, self._spelt(categories))
        unknown = self.unknown_names(label)
        if unknown:
            raise InvalidLabel(*unknown)
        return label

    def clearance(
        self, classifications: Iterable[str], categories: Mapping[str, Iterable[str]] = _NOTHING
    ) -> Clearance:
        """Return the clearance of these names, in the policy's own spelling.

        Raises InvalidClearance when the policy does not hold a name.
        """
        levels = [self._class_spelling.get(name.casefold(), name) for name in classifications]
        held = self._spelt(categories)
        unknown = [
            Reason.of("unknown-classification", value=name, policy=self.name)
            for name in levels
            if name not in self._classes
        ]
        for tag_set, values in held.items():
            if tag_set not in self._values:
                unknown.append(Reason.of("unknown-tag-set", tag_set=tag_set, policy=self.name))
                continue
            unknown.extend(
                Reason.of("unknown-value", value=value, tag_set=tag_set)
                for value in sorted(values)
                if self.category(tag_set, value) is None
            )
        if unknown:
            raise InvalidClearance(*unknown)
        return Clearance(self.id, frozenset(levels), held)

    def clearance_up_to(
        self, classification: str, categories: Mapping[str, Iterable[str]] = _NOTHING
    ) -> Clearance:
        """Return a clearance that lists every level up to this one, with these category values.

        Raises InvalidClearance when the policy does not hold a name.
        """
        highest = self.rank(self._class_spelling.get(classification.casefold(), ""))
        if highest is None:
            raise InvalidClearance(
                Reason.of("unknown-classification", value=classification, policy=self.name)
            )
        return self.clearance(
            [item.name for item in self.classifications if item.hierarchy <= highest], categories
        )

    def spell(self, tag_set: str, values: Iterable[str]) -> tuple[str, list[str]]:
        """Return the names of a tag set and of values in it as the policy spells them, where it has them."""
        spelt = self._set_spelling.get(tag_set.casefold(), tag_set)
        known = self._value_spelling.get(spelt, {})
        return spelt, [known.get(value.casefold(), value) for value in values]

    def _spelt(self, categories: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
        spelt: dict[str, frozenset[str]] = {}
        for given, values in categories.items():
            tag_set, found = self.spell(given, values)
            spelt[tag_set] = spelt.get(tag_set, frozenset()) | frozenset(found)
        return spelt

    # -- validity and the decision

    def unknown_names(self, label: Label) -> tuple[Reason, ...]:
        """Return a reason for each name of the label that this policy does not hold."""
        return tuple(validity.unknown_names(self, label))

    def compiled(self, label: Label) -> CompiledLabel:
        """Return the compiled form of a label, remembered."""
        return self._compiled(label)

    def mask(self, clearance: Clearance) -> int:
        """Return a clearance as a mask, remembered; 0 for one of another policy."""
        return self._mask(clearance)

    def _clearance_mask(self, clearance: Clearance) -> int:
        if clearance.policy_id != self.id:
            return 0
        levels = (self._classes.get(name) for name in clearance.classifications)
        values = (
            self.category(tag_set, value) for tag_set, held in clearance.categories.items() for value in held
        )
        held = 0
        for item in (*levels, *values):
            held |= 0 if item is None else item.bit
        return held

    def problems(self, label: Label, at: datetime | None = None) -> tuple[Reason, ...]:
        """Return why a label is not valid; empty when it is.

        `at` (aware) judges what the policy limits in time; without it such a value is a problem.
        """
        compiled = self._compiled(label)
        if not compiled.windows:
            return compiled.problems
        return compiled.problems + validity.out_of_time(compiled, at)

    def permits(self, label: Label, clearance: Clearance, at: datetime | None = None) -> bool:
        """Return `decide(…).permitted` without the reasons."""
        compiled = self._compiled(label)
        if compiled.problems or (compiled.windows and validity.out_of_time(compiled, at)):
            return False
        return compiled.held_by(self._mask(clearance))

    def decide(self, label: Label, clearance: Clearance, at: datetime | None = None) -> AccessDecision:
        """The access control decision function, in its order: validity, policy, classification, categories.

        A label of another policy is judged by its alternative in this one, and denied without. The
        classification must be in the clearance's list; all values of each restrictive tag and at least one of
        each permissive tag must be held; informative tags never decide (Open XML SPIF 2.1 tag types,
        ADatP-4774.1).
        """
        if self.permits(label, clearance, at):
            return _PERMITTED
        problems = self.problems(label, at)
        own = label.under(self.id)
        if problems or own is None:
            return AccessDecision(False, problems)
        if clearance.policy_id != self.id:
            reason = Reason.of("clearance-of-other-policy", found=clearance.policy_id, expected=self.name)
            return AccessDecision(False, (reason,))
        return AccessDecision(False, tuple(self._lacking(own, self._mask(clearance))))

    def _lacking(self, label: Label, held: int) -> Iterable[Reason]:
        if not self._classes[label.classification].bit & held:
            yield Reason.of("classification-not-held", classification=label.classification)
        for tag in self.tags:
            chosen = [category for category, _ in self.chosen(label, tag)]
            lacking = [item for item in chosen if not item.bit & held]
            if tag.kind is TagKind.RESTRICTIVE and lacking:
                code = "restrictive-not-held"
            elif tag.kind is TagKind.PERMISSIVE and chosen and lacking == chosen:
                code = "permissive-not-held"
            else:
                continue
            yield Reason.of(code, tag=tag.name, values=", ".join(item.name for item in lacking))

    # -- other policies

    def translate(
        self,
        label: Label,
        target: SecurityPolicy,
        *,
        side: Applied = Applied.DECRYPT,
        at: datetime | None = None,
    ) -> Label:
        """Return the label of another policy that stands for this one, by this policy's equivalences alone.

        `side`: who maps, the recipient of a label (DECRYPT) or its originator before sending (ENCRYPT); an
        equivalence for BOTH serves either. Raises InvalidLabel, with the reason, when the label is not valid,
        when any part of it has no equivalent, when the mapping would round down, and when the result is not
        valid under the other policy. The label itself is never changed: `Label.beside` puts the two together.
        """
        return equivalence.translate(self, label, target, side, at)

    # -- markings

    def marking(self, label: Label, language: str = "en", position: str = DEFAULT_POSITION) -> str:
        """Return the display marking, such as `NATO SECRET Releasable to Japan`.

        Raises InvalidLabel when the label names what this policy does not hold.
        """
        return marking.render(self, label, language, position)

    def parse_marking(self, text: str, language: str = "en") -> Label:
        """Return the one valid label whose display marking this is; case and spacing do not matter.

        Raises InvalidLabel when there is none, and when there is more than one.
        """
        return reading.parse_marking(self, text, language)

    # -- the label picker

    def offer(self, clearance: Clearance, ceiling: str, language: str = "en") -> LabelOffer:
        """Return what a person with this clearance may put on a document, up to the ceiling.

        Raises InvalidClearance when the ceiling is no classification of this policy.
        """
        return offer(self, clearance, ceiling, language)

    def compose(self, classification: str, values: Mapping[str, Iterable[str]] = _NOTHING) -> Label:
        """Return the label of these choices, completed by what the policy requires of them.

        Raises InvalidLabel when no valid label comes of it.
        """
        return compose(self, classification, values)
