"""Labels and clearances: values of a security policy, independent of its file."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from policies.errors import InvalidLabel
from policies.reasons import Reason

_VERSION = 1
_NOTHING: Mapping[str, Iterable[str]] = MappingProxyType({})


def _malformed(problem: str) -> InvalidLabel:
    return InvalidLabel(Reason.of("malformed-label", problem=problem))


def _name(text: object) -> str:
    if not isinstance(text, str) or not text:
        raise _malformed("a name is missing or no text")
    if not unicodedata.is_normalized("NFC", text):
        raise _malformed("a name is not in Unicode normal form C")
    if not text.isprintable():
        raise _malformed("a name holds characters that cannot be shown")
    return text


@dataclass(frozen=True, slots=True)
class Label:
    """A confidentiality label: policy (object identifier), classification, category values by tag set.

    `categories` is sorted by tag set, and the values of each set are sorted, distinct and at least one;
    `Label.of` does that. Names are spelt as the policy spells them (readers normalise). Whether the
    label is valid is the policy's to say. `alternatives` are the same label in other policies, at most one
    in each and sorted by policy; the label itself stays as its originator gave it (ADatP-4774.1 §4.2).
    Raises InvalidLabel when the shape is wrong.
    """

    policy_id: str
    classification: str
    categories: tuple[tuple[str, tuple[str, ...]], ...] = ()
    alternatives: tuple[Label, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _name(self.policy_id)
        _name(self.classification)
        sets = [_name(tag_set) for tag_set, _ in self.categories]
        if sets != sorted(set(sets)):
            raise _malformed("tag sets are not sorted and distinct")
        for tag_set, values in self.categories:
            if not values or list(values) != sorted({_name(value) for value in values}):
                raise _malformed(f"the values of {tag_set} are not sorted and distinct")
        others = [label.policy_id for label in self.alternatives]
        if others != sorted({*others} - {self.policy_id}):
            raise _malformed("alternative labels are not of other policies, sorted and distinct")
        if any(label.alternatives for label in self.alternatives):
            raise _malformed("an alternative label has alternatives of its own")
        # A decision looks labels up again and again: the hash is worth keeping.
        own = (self.policy_id, self.classification, self.categories, self.alternatives)
        object.__setattr__(self, "_hash", hash(own))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Label], tuple[object, ...]]:
        # Hashes of text differ between processes, so a copy must make its own.
        return Label, (self.policy_id, self.classification, self.categories, self.alternatives)

    @classmethod
    def of(
        cls, policy_id: str, classification: str, categories: Mapping[str, Iterable[str]] = _NOTHING
    ) -> Label:
        """Return a label from a mapping of tag set to values; sets without values are left out."""
        distinct = {tag_set: tuple(sorted(set(values))) for tag_set, values in categories.items()}
        return cls(policy_id, classification, tuple(sorted((s, v) for s, v in distinct.items() if v)))

    def values(self, tag_set: str) -> tuple[str, ...]:
        """Return the values of one tag set; empty when the label does not have it."""
        return next((values for name, values in self.categories if name == tag_set), ())

    def under(self, policy_id: str) -> Label | None:
        """Return this label as it stands in a policy: itself, its alternative there, or None."""
        if self.policy_id == policy_id:
            return self
        return next((label for label in self.alternatives if label.policy_id == policy_id), None)

    def beside(self, alternative: Label) -> Label:
        """Return this label with one alternative more, in place of a former one in the same policy.

        Raises InvalidLabel when it is of this label's own policy.
        """
        others = [label for label in self.alternatives if label.policy_id != alternative.policy_id]
        joined = tuple(sorted([*others, alternative], key=lambda label: label.policy_id))
        return Label(self.policy_id, self.classification, self.categories, joined)

    def _content(self) -> dict[str, object]:
        return {
            "categories": self.categories,
            "classification": self.classification,
            "policy": self.policy_id,
        }

    def canonical(self) -> bytes:
        """Return the canonical form: compact UTF-8 JSON with sorted keys. Equal labels, equal bytes.

        Alternative labels are part of it where there are any.
        """
        content: dict[str, object] = {**self._content(), "v": _VERSION}
        if self.alternatives:
            content["alternatives"] = [label._content() for label in self.alternatives]
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @classmethod
    def from_canonical(cls, data: bytes) -> Label:
        """Return the label of a canonical form. Raises InvalidLabel for any other bytes."""
        refused = InvalidLabel(Reason.of("not-canonical"))
        try:
            content = json.loads(data.decode())
            others = tuple(cls._of_content(other) for other in content.get("alternatives", ()))
            label = cls._of_content(content, others)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidLabel):
            raise refused from None
        if label.canonical() != data:
            raise refused
        return label

    @classmethod
    def _of_content(cls, content: Any, alternatives: tuple[Label, ...] = ()) -> Label:
        categories = tuple((name, tuple(values)) for name, values in content["categories"])
        return cls(content["policy"], content["classification"], categories, alternatives)


@dataclass(frozen=True, slots=True)
class Clearance:
    """A clearance: the classifications that it lists (a set, not a level) and the values held by tag set.

    STANAG 4774 confidentiality clearance: every held level is in the list. Names that a policy does not
    hold grant nothing.
    """

    policy_id: str
    classifications: frozenset[str]
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        held = {tag_set: frozenset(values) for tag_set, values in self.categories.items() if values}
        object.__setattr__(self, "classifications", frozenset(self.classifications))
        object.__setattr__(self, "categories", MappingProxyType(held))
        object.__setattr__(
            self, "_hash", hash((self.policy_id, self.classifications, frozenset(held.items())))
        )

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Clearance], tuple[object, ...]]:
        return Clearance, (self.policy_id, self.classifications, dict(self.categories))
