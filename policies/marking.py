"""Display markings: the words that a policy gives a label, per position on the page and language.

SPIF marking data and marking qualifiers, for example `NATO/KFOR CONFIDENTIAL Ireland, Sweden ONLY`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from policies.errors import InvalidLabel
from policies.labels import Label
from policies.model import Category, Classification, Marks, Phrase, Tag
from policies.structure import LOCATIONS

if TYPE_CHECKING:
    from policies.policy import SecurityPolicy

DEFAULT_LANGUAGE = "en"
DEFAULT_POSITION = "pageTop"
DEFAULT_SEPARATOR = ", "
_BOTH_ENDS = frozenset({"pageTop", "pageBottom"})


def _speaks(language: str | None, wanted: str) -> bool:
    if language is None:
        return wanted == DEFAULT_LANGUAGE
    return language.partition("-")[0].casefold() == wanted.partition("-")[0].casefold()


def _languages(language: str) -> tuple[str, ...]:
    """Return the language asked for, then the one that everything falls back to."""
    return (language,) if _speaks(language, DEFAULT_LANGUAGE) else (language, DEFAULT_LANGUAGE)


def _stands_at(locations: frozenset[str], position: str) -> bool:
    return not locations or position in locations or ("pageTopBottom" in locations and position in _BOTH_ENDS)


def _texts(marks: Marks, language: str) -> Iterator[tuple[Phrase, str]]:
    for wanted in _languages(language):
        for phrase in marks.phrases:
            if phrase.text and _speaks(phrase.language, wanted):
                yield phrase, phrase.text


def _flagged(marks: Marks, code: str, language: str) -> bool:
    spoken = _languages(language)
    return any(
        code in phrase.codes and any(_speaks(phrase.language, wanted) for wanted in spoken)
        for phrase in marks.phrases
    )


def words(name: str, marks: Marks, language: str, position: str) -> str | None:
    """Return what is shown for one name: its phrase, the name itself, or None when it is not shown."""
    for phrase, text in _texts(marks, language):
        if not {"replacePolicy", "noMarkingDisplay"} & phrase.codes and _stands_at(
            phrase.codes & LOCATIONS, position
        ):
            return qualified(text, marks, language, position)
    if _flagged(marks, "noNameDisplay", language):
        return None
    return qualified(name, marks, language, position)


def qualifier(marks: Marks, kind: str, language: str, position: str) -> str | None:
    """Return a prefix, suffix or separator: one for this position and language before any other."""
    for wanted in _languages(language):
        spoken = [item for item in marks.qualifiers if item.kind == kind and _speaks(item.language, wanted)]
        here = (i for i in spoken if _stands_at(frozenset({i.position} if i.position else ()), position))
        chosen = next(here, next(iter(spoken), None))
        if chosen is not None:
            return chosen.text
    return None


def qualified(text: str, marks: Marks, language: str, position: str) -> str:
    """Return `text` between the prefix and the suffix of `marks`."""
    prefix = qualifier(marks, "prefix", language, position) or ""
    return prefix + text + (qualifier(marks, "suffix", language, position) or "")


def replacement(marks: Marks, language: str) -> str | None:
    """Return the phrase that stands in place of the policy's name, if there is one."""
    return next((text for phrase, text in _texts(marks, language) if "replacePolicy" in phrase.codes), None)


def class_words(
    policy: SecurityPolicy, classification: Classification, language: str, position: str
) -> str | None:
    """Return the words of a classification, with the qualifiers of all classifications around them."""
    own = words(classification.name, classification.marks, language, position)
    return None if own is None else qualified(own, policy.class_marks, language, position)


def suppresses_class(marks: Marks) -> bool:
    """Whether the name of the classification is not shown beside this."""
    return any("suppressClassName" in phrase.codes for phrase in marks.phrases)


def policy_words(
    policy: SecurityPolicy,
    classification: Classification,
    categories: list[Category],
    language: str,
    position: str,
) -> str | None:
    """Return what stands first: the classification's replacement of the policy's name, a value's, the name."""
    by_class = replacement(classification.marks, language)
    if by_class is not None:
        return by_class
    found = (replacement(category.marks, language) for category in categories)
    by_value = [text for text in found if text is not None]
    if by_value:
        return DEFAULT_SEPARATOR.join(by_value)
    return words(policy.name, policy.marks, language, position)


def tag_words(tag: Tag, values: Iterable[tuple[Category, str]], language: str, position: str) -> str | None:
    """Return the part of a marking that one tag gives, or None when nothing of it is shown."""
    shown = [
        text
        for text in (words(name, value.marks, language, position) for value, name in values)
        if text is not None
    ]
    if not shown:
        return None
    separator = qualifier(tag.marks, "separator", language, position)
    joined = (DEFAULT_SEPARATOR if separator is None else separator).join(shown)
    return qualified(joined, tag.marks, language, position)


def render(
    policy: SecurityPolicy,
    label: Label,
    language: str = DEFAULT_LANGUAGE,
    position: str = DEFAULT_POSITION,
) -> str:
    """Return the display marking. Raises InvalidLabel when the label names what the policy does not hold.

    A label that is only obsolete or contradictory still has its words: people must be able to see it.
    """
    own = label.under(policy.id)
    unknown = policy.unknown_names(label)
    classification = None if own is None else policy.classification(own.classification)
    if unknown or own is None or classification is None:
        raise InvalidLabel(*unknown)
    values = [policy.chosen(own, tag) for tag in policy.tags]
    chosen = [category for held in values for category, _ in held]
    parts = [policy_words(policy, classification, chosen, language, position)]
    if not any(map(suppresses_class, (classification.marks, *(item.marks for item in chosen)))):
        parts.append(class_words(policy, classification, language, position))
    parts.extend(
        tag_words(tag, held, language, position) for tag, held in zip(policy.tags, values, strict=True)
    )
    return " ".join(" ".join(part for part in parts if part).split())
