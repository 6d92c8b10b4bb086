"""Read a display marking back as a label: only as a valid one, and never when two would do.

A marking does not show every value (`noNameDisplay`, `noMarkingDisplay`), so after the words have been
read, every set of unseen values is tried that leaves the words as they are. The policy's validity rules
must leave exactly one label.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from policies import marking
from policies.errors import InvalidLabel
from policies.labels import Label
from policies.model import Category, Classification, Tag
from policies.reasons import Reason
from policies.validity import compile_label

if TYPE_CHECKING:
    from policies.policy import SecurityPolicy

MAX_TEXT = 4096
MAX_STEPS = 50_000
MAX_UNSEEN = 12
MAX_VALUES = 200

# Compiling a candidate costs about as much as this many comparisons of words.
_CANDIDATE = 20


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _words(text: str) -> list[str]:
    return sorted(re.findall(r"\w+", text))


class _TooHard(Exception):
    """The text has more ways to be read than are tried."""


class _Reader:
    """One reading of one text."""

    def __init__(self, policy: SecurityPolicy, text: str, language: str) -> None:
        self.policy = policy
        self.text = text
        self.language = language
        self.steps = 0
        self.parts = [self.tag_part(tag) for tag in policy.tags]

    def tag_part(self, tag: Tag) -> tuple[str, str, str, list[tuple[str, Category]]]:
        def qualifier(kind: str) -> str:
            found = marking.qualifier(tag.marks, kind, self.language, marking.DEFAULT_POSITION)
            return _fold(
                (marking.DEFAULT_SEPARATOR if kind == "separator" else "") if found is None else found
            )

        shown = [
            (_fold(text), item)
            for item in tag.categories
            if item.entry is None and (text := self.words(item)) is not None
        ]
        return qualifier("prefix"), qualifier("separator"), qualifier("suffix"), shown

    def words(self, category: Category) -> str | None:
        return marking.words(category.name, category.marks, self.language, marking.DEFAULT_POSITION)

    def step(self, cost: int = 1) -> None:
        self.steps += cost
        if self.steps > MAX_STEPS:
            raise _TooHard

    def match(self, start: int, piece: str) -> int | None:
        """Return where `piece` ends when it stands at `start`; words must not run into each other."""
        self.step()
        while start < len(self.text) and self.text[start] == " ":
            start += 1
        if not piece:
            return start
        end = start + len(piece)
        if not self.text.startswith(piece, start):
            return None
        if end < len(self.text) and piece[-1].isalnum() and self.text[end].isalnum():
            return None
        return end

    def values(
        self, start: int, index: int, chosen: tuple[Category, ...]
    ) -> Iterator[tuple[int, tuple[Category, ...]]]:
        """Yield every way to read values of tag `index` from `start`: where it ends, and the values."""
        if len(chosen) == MAX_VALUES:
            raise _TooHard
        _, separator, suffix, shown = self.parts[index]
        for words, category in shown:
            end = None if category in chosen else self.match(start, words)
            if end is None:
                continue
            read = (*chosen, category)
            closed = self.match(end, suffix)
            if closed is not None:
                yield closed, read
            following = self.match(end, separator)
            if following is not None:
                yield from self.values(following, index, read)

    def tags(self, start: int, index: int, chosen: tuple[Category, ...]) -> Iterator[tuple[Category, ...]]:
        """Yield every way to read the rest of the text as the parts of the tags from `index` on."""
        start = self.match(start, "") or start
        if start == len(self.text):
            yield chosen
            return
        if index == len(self.parts):
            return
        yield from self.tags(start, index + 1, chosen)
        opened = self.match(start, self.parts[index][0])
        if opened is not None:
            for end, read in self.values(opened, index, ()):
                yield from self.tags(end, index + 1, chosen + read)

    def heads(self) -> Iterator[tuple[Classification, tuple[Category, ...], int]]:
        """Yield every way to read policy and classification: it, the values that name the policy, the end."""
        categories = [category for tag in self.policy.tags for category in tag.categories]
        suppressed = any(marking.suppresses_class(category.marks) for category in categories)
        naming = [c for c in categories if marking.replacement(c.marks, self.language) is not None]
        for item in self.policy.classifications:
            own = marking.class_words(self.policy, item, self.language, marking.DEFAULT_POSITION)
            after = {own or ""} | ({""} if suppressed or marking.suppresses_class(item.marks) else set())
            options: list[tuple[Category, ...]] = [()]
            if marking.replacement(item.marks, self.language) is None:
                options.extend((category,) for category in naming)
            for values in options:
                first = marking.policy_words(
                    self.policy, item, list(values), self.language, marking.DEFAULT_POSITION
                )
                for second in after:
                    end = self.match(0, _fold(f"{first or ''} {second}"))
                    if end is not None:
                        yield item, values, end

    def unseen(self, item: Classification) -> list[Category]:
        """Return the values that may stand with this classification and do not show in a marking."""
        replaced = marking.replacement(item.marks, self.language) is not None
        return [
            category
            for tag in self.policy.tags
            for category in tag.categories
            if category.entry is None
            and self.words(category) is None
            and (replaced or marking.replacement(category.marks, self.language) is None)
            and not category.obsolete
            and item.name not in category.excluded_classes
            and category.required_class in (None, item.name)
        ]

    def candidates(self) -> Iterator[Label]:
        """Yield every valid label that has these words, some perhaps twice."""
        for item, naming, end in self.heads():
            unseen = self.unseen(item)
            if len(unseen) > MAX_UNSEEN:
                raise _TooHard
            for chosen in self.tags(end, 0, naming):
                rest = [category for category in unseen if category not in chosen]
                for count in range(len(rest) + 1):
                    for added in combinations(rest, count):
                        self.step(_CANDIDATE)
                        label = self.label(item, (*chosen, *added))
                        if self.reads_as(label):
                            yield label

    def label(self, item: Classification, categories: tuple[Category, ...]) -> Label:
        values: dict[str, set[str]] = {}
        for category in categories:
            values.setdefault(category.tag_set, set()).add(category.name)
        return Label.of(self.policy.id, item.name, values)

    def reads_as(self, label: Label) -> bool:
        if compile_label(self.policy, label).problems:
            return False
        shown = _fold(marking.render(self.policy, label, self.language))
        return _words(shown) == _words(self.text)


def parse_marking(policy: SecurityPolicy, text: str, language: str) -> Label:
    """Return the one valid label with this marking. Raises InvalidLabel for none or more than one."""
    quoted = " ".join(text[:200].split())
    unreadable = InvalidLabel(Reason.of("unreadable-marking", text=quoted, policy=policy.name))
    ambiguous = InvalidLabel(Reason.of("ambiguous-marking", text=quoted))
    folded = _fold(text) if len(text) <= MAX_TEXT else ""
    if not folded:
        raise unreadable
    found: Label | None = None
    try:
        for label in _Reader(policy, folded, language).candidates():
            if found is not None and label != found:
                raise ambiguous
            found = label
    except _TooHard:
        raise ambiguous from None
    if found is None:
        raise unreadable
    return found
