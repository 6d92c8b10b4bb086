"""The values that a security policy consists of (Open XML SPIF 2.1), as the loader leaves them.

Every classification and every category value of a policy has a bit of its own. A label, a clearance, a
required or an excluded category is then one integer, and comparing them is a matter of `&`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TagKind(StrEnum):
    """How the access control decision function treats the values of a tag (STANAG 4774 category types)."""

    RESTRICTIVE = "RESTRICTIVE"  # the clearance holds all of them
    PERMISSIVE = "PERMISSIVE"  # the clearance holds at least one of them
    INFORMATIVE = "INFORMATIVE"  # they never decide


class Operation(StrEnum):
    """How many groups of a required category must be met."""

    ALL = "all"
    ONE_OR_MORE = "oneOrMore"
    ONLY_ONE = "onlyOne"


@dataclass(frozen=True, slots=True)
class Window:
    """When something may be used: from `start` to `end`, both inclusive; None is unlimited."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def unlimited(self) -> bool:
        """Whether there is no limit at all."""
        return self.start is None and self.end is None


@dataclass(frozen=True, slots=True)
class Phrase:
    """Marking words (`text` None: the codes speak of the name itself), their language and where they go."""

    text: str | None
    language: str | None
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Qualifier:
    """A prefix, suffix or separator of marking words."""

    kind: str
    text: str
    language: str | None
    position: str | None


@dataclass(frozen=True, slots=True)
class Marks:
    """The marking data and marking qualifiers of one part of a policy."""

    phrases: tuple[Phrase, ...] = ()
    qualifiers: tuple[Qualifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Category values of one tag, named by a required or excluded category; met when one is selected."""

    mask: int
    names: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """A required category: its groups, and how many of them must be met."""

    operation: Operation
    groups: tuple[Group, ...]

    def met(self, selected: int) -> bool:
        """Whether the selected values (a mask) meet this requirement."""
        hits = sum(1 for group in self.groups if group.mask & selected)
        if self.operation is Operation.ALL:
            return hits == len(self.groups)
        return hits == 1 if self.operation is Operation.ONLY_ONE else hits >= 1


class Applied(StrEnum):
    """Who may use an equivalence: the originator before sending, the recipient before opening, or both."""

    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    BOTH = "both"

    def by(self, side: Applied) -> bool:
        """Whether an equivalence of this kind may be used on this side."""
        return self in (Applied.BOTH, side)


@dataclass(frozen=True, slots=True)
class Reference:
    """A category value (`lacv`; None: any) of a tag of another policy, as the file names it."""

    tag_set: str
    written: str
    lacv: str | None


@dataclass(frozen=True, slots=True)
class Addition:
    """Categories of another policy that its label must have as well when a label is mapped to it."""

    operation: Operation
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class EquivalentPolicy:
    """Another policy that this one has equivalences for, and what every label there must have."""

    name: str
    id: str
    additions: tuple[Addition, ...]


@dataclass(frozen=True, slots=True)
class EquivalentClass:
    """The classification of another policy (by lacv) that stands for one of this policy."""

    policy: str
    lacv: int
    applied: Applied
    additions: tuple[Addition, ...]


@dataclass(frozen=True, slots=True)
class EquivalentValue:
    """The category value of another policy that stands for one of this policy, or that none has to."""

    policy: str
    tag_set_id: str
    written: str
    lacv: str
    applied: Applied
    discard: bool


@dataclass(frozen=True, slots=True)
class EquivalentTagSet:
    """What a label in another policy must have as well when this tag set is present."""

    policy: str
    additions: tuple[Addition, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person may type as a value: any text, an unsigned integer, or a date in one format."""

    pattern: re.Pattern[str]
    date_format: str | None = None

    def accepts(self, text: str) -> bool:
        """Whether `text` is of this form."""
        if self.pattern.fullmatch(text) is None:
            return False
        if self.date_format is None:
            return True
        try:
            datetime.strptime(text, self.date_format)  # noqa: DTZ007 - a date without a time
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """One classification. `hierarchy` orders them; `color` is "#rrggbb" or None; `bit` is its mask."""

    name: str
    lacv: int
    hierarchy: int
    color: str | None
    obsolete: bool
    marks: Marks
    requirements: tuple[Requirement, ...]
    bit: int
    equivalents: tuple[EquivalentClass, ...] = ()

    @property
    def ink(self) -> str:
        """Black or white, whichever reads better on the colour (WCAG 2 contrast; never under 4.5:1)."""
        if self.color is None:
            return "#000000"
        channels = [int(self.color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        on_white, on_black = 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05
        return "#ffffff" if on_white > on_black else "#000000"


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """One category value of a tag, with what it requires and excludes; `bit` is its mask.

    With `entry` it stands for every value of that form that a person types (SPIF userInput).
    """

    tag_set: str
    tag: str
    kind: TagKind
    name: str
    lacv: str
    obsolete: bool
    required_class: str | None
    excluded_classes: frozenset[str]
    requirements: tuple[Requirement, ...]
    exclusions: tuple[Group, ...]
    window: Window
    marks: Marks
    bit: int
    entry: Entry | None = None
    equivalents: tuple[EquivalentValue, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """One tag of a tag set: its kind, its values in the policy's order, and how many may be selected.

    `written` is its type as the file has it, such as "enumerated permissive".
    """

    tag_set: str
    name: str
    kind: TagKind
    categories: tuple[Category, ...]
    minimum: int
    maximum: int | None
    marks: Marks
    mask: int
    written: str = ""


@dataclass(frozen=True, slots=True)
class TagSet:
    """A tag set: name, object identifier, tags. A value's name is unique in its tag set."""

    name: str
    id: str
    tags: tuple[Tag, ...]
    equivalents: tuple[EquivalentTagSet, ...] = ()

    @property
    def categories(self) -> tuple[Category, ...]:
        """All values of the set, in the policy's order."""
        return tuple(category for tag in self.tags for category in tag.categories)
