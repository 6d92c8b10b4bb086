"""Load a security policy from an Open XML SPIF 2.1 file: strict, compiled, immutable."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from policies.errors import InvalidPolicy, XmlRefused
from policies.model import (
    Addition,
    Applied,
    Category,
    Classification,
    Entry,
    EquivalentClass,
    EquivalentPolicy,
    EquivalentTagSet,
    EquivalentValue,
    Group,
    Marks,
    Operation,
    Phrase,
    Qualifier,
    Reference,
    Requirement,
    Tag,
    TagKind,
    TagSet,
    Window,
)
from policies.policy import SecurityPolicy
from policies.reasons import Reason
from policies.structure import COLOURS, LANGUAGE, check, moment
from policies.xmltree import Element, read

MAX_BYTES = 8 * 1024 * 1024

_KINDS = {
    "restrictive": TagKind.RESTRICTIVE,
    "permissive": TagKind.PERMISSIVE,
    "tagType7": TagKind.INFORMATIVE,
    "notApplicable": TagKind.INFORMATIVE,
}
# ISO 8601 calendar dates, as the schema's documentation asks of dateFormat.
_DATE_FORMATS = {
    "YYYY-MM-DD": ("[0-9]{4}-[0-9]{2}-[0-9]{2}", "%Y-%m-%d"),
    "YYYYMMDD": ("[0-9]{8}", "%Y%m%d"),
    "YYYY-MM": ("[0-9]{4}-[0-9]{2}", "%Y-%m"),
    "YYYY": ("[0-9]{4}", "%Y"),
}


def load_policy(path: Path | str) -> SecurityPolicy:
    """Load a policy file. Raises InvalidPolicy with line and reason, OSError when it cannot be read."""
    with Path(path).open("rb") as file:
        return parse_policy(file.read(MAX_BYTES + 1))


def parse_policy(data: bytes) -> SecurityPolicy:
    """Return the policy of the bytes of a SPIF file. Raises InvalidPolicy with line and reason."""
    try:
        root = read(data, limit=MAX_BYTES)
    except XmlRefused as refused:
        raise InvalidPolicy(refused.reason, refused.line) from None
    check(root)
    return _Loader(root).policy(hashlib.sha256(data).hexdigest())


def _child(element: Element, name: str) -> Element:
    child = element.first(name)
    # `check` has made sure of every required element.
    assert child is not None
    return child


def _text(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _true(element: Element, attribute: str) -> bool:
    return element.attributes.get(attribute) in ("true", "1")


def _value(text: str) -> str:
    """Return a label and certificate value in one spelling: the schema reads "004" as the integer 4."""
    stripped = text.strip()
    digits = stripped.removeprefix("-").removeprefix("+")
    return str(int(stripped)) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else text


def _kind(element: Element) -> tuple[str, TagKind]:
    """Return the type of a tag (or of a reference to one) as written, and its kind."""
    tag_type, enum_type = element.attributes["tagType"], element.attributes.get("enumType")
    if tag_type != "enumerated":
        return tag_type, _KINDS[tag_type]
    if enum_type is None:
        reason = Reason.of("missing-attribute", element=element.name, attribute="enumType")
        raise InvalidPolicy(reason, element.line)
    return f"enumerated {enum_type}", _KINDS[enum_type]


def _window(element: Element) -> Window:
    start, end = (element.attributes.get(name) for name in ("notBefore", "notAfter"))
    window = Window(moment(start) if start else None, moment(end) if end else None)
    if window.start and window.end and window.start > window.end:
        raise InvalidPolicy(Reason.of("contradiction", what="notBefore is after notAfter"), element.line)
    return window


def _marks(element: Element) -> Marks:
    phrases = tuple(
        Phrase(
            _text(data.attributes["phrase"]) if "phrase" in data.attributes else None,
            data.attributes.get(LANGUAGE),
            frozenset(code.text for code in data.all("code")),
        )
        for data in element.all("markingData")
    )
    qualifiers = tuple(
        Qualifier(
            item.attributes["qualifierCode"],
            _text(item.attributes["markingQualifier"]),
            item.attributes.get(LANGUAGE),
            qualifier.attributes.get("markingCode"),
        )
        for qualifier in element.all("markingQualifier")
        for item in qualifier.all("qualifier")
    )
    return Marks(phrases, qualifiers)


def _entry(element: Element, kind: TagKind) -> Entry | None:
    """Return what may be typed as the value of a category, None when it is a value of its own.

    Only where it never decides: what a clearance holds is compared by the policy's own values.
    """
    wanted = element.attributes.get("userInput")
    if wanted is None:
        return None
    if kind is not TagKind.INFORMATIVE:
        reason = Reason.of("not-supported", what="A value typed in by the user in a tag that decides access")
        raise InvalidPolicy(reason, element.line)
    if wanted == "string":
        return Entry(re.compile(r"\S(.{0,254}\S)?"))
    if wanted == "integer":
        return Entry(re.compile(r"[0-9]{1,18}"))
    written = element.attributes.get("dateFormat", "YYYY-MM-DD")
    if written not in _DATE_FORMATS:
        raise InvalidPolicy(Reason.of("not-supported", what=f"The date format {written}"), element.line)
    pattern, date_format = _DATE_FORMATS[written]
    return Entry(re.compile(pattern), date_format)


def _additions(element: Element) -> tuple[Addition, ...]:
    """Return the categories of another policy that an equivalence demands (they are looked up in use)."""
    return tuple(
        Addition(
            Operation(item.attributes.get("operation", "all")),
            tuple(
                Reference(
                    _text(group.attributes["tagSetRef"]),
                    _kind(group)[0],
                    None
                    if "lacv" not in group.attributes or _true(group, "all")
                    else _value(group.attributes["lacv"]),
                )
                for group in item.all("categoryGroup")
            ),
        )
        for item in element.all("requiredCategory")
    )


def _distinct(kind: str, named: Iterable[tuple[str, Element]]) -> None:
    seen: set[str] = set()
    for name, element in named:
        if name.casefold() in seen:
            raise InvalidPolicy(Reason.of("duplicate-name", kind=kind, name=name), element.line)
        seen.add(name.casefold())


@dataclass(frozen=True, slots=True)
class _Entry:
    """A category value before its references are resolved: its name, its bit, its element."""

    name: str
    bit: int
    element: Element


class _Loader:
    """One load. Bits are given out first, so that references can then be resolved to masks."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.classes = _child(root, "securityClassifications").all("securityClassification")
        sets = root.first("securityCategoryTagSets")
        self.sets = [] if sets is None else sets.all("securityCategoryTagSet")
        self.class_names = {_text(element.attributes["name"]) for element in self.classes}
        # values by (tag set, tag type as written), then by lacv
        self.entries: dict[tuple[str, str], dict[str, _Entry]] = {}
        self.bits = len(self.classes)

    def policy(self, digest: str) -> SecurityPolicy:
        self.check_names()
        for tag_set in self.sets:
            self.number(tag_set)
        identity = _child(self.root, "securityPolicyId")
        classifications = [self.classification(element, index) for index, element in enumerate(self.classes)]
        privacy = self.root.first("privacyMarks")
        own, outer = _marks(identity), _marks(self.root)
        return SecurityPolicy(
            name=_text(identity.attributes["name"]),
            id=identity.attributes["id"],
            version=int(self.root.attributes.get("version", "1")),
            digest=digest,
            classifications=tuple(sorted(classifications, key=lambda item: item.hierarchy)),
            tag_sets=tuple(self.tag_set(element) for element in self.sets),
            marks=Marks(own.phrases + outer.phrases, own.qualifiers + outer.qualifiers),
            class_marks=_marks(_child(self.root, "securityClassifications")),
            privacy_marks=frozenset(
                _text(mark.attributes["name"])
                for mark in ([] if privacy is None else privacy.all("privacyMark"))
                if "name" in mark.attributes
            ),
            window=_window(self.root),
            equivalent_policies=self.equivalent_policies(),
        )

    def equivalent_policies(self) -> tuple[EquivalentPolicy, ...]:
        listed = self.root.first("equivalentPolicies")
        return tuple(
            EquivalentPolicy(_text(item.attributes["name"]), item.attributes["id"], _additions(item))
            for item in ([] if listed is None else listed.all("equivalentPolicy"))
        )

    def check_hierarchy(self) -> None:
        """Check that the order of the classifications leaves nothing to guess: no two alike, none left out."""
        ranked = sorted((int(element.attributes["hierarchy"]), element.line) for element in self.classes)
        for (lower, _), (higher, line) in pairwise(ranked):
            if lower == higher:
                reason = Reason.of("duplicate-value", where="classification hierarchy", value=higher)
                raise InvalidPolicy(reason, line)
            if higher - lower > 1:
                what = f"The hierarchy of classifications jumps from {lower} to {higher}"
                raise InvalidPolicy(Reason.of("contradiction", what=what), line)

    def check_names(self) -> None:
        """Check what the schema calls keys, unique values and references."""
        _distinct("classification", ((_text(e.attributes["name"]), e) for e in self.classes))
        _distinct("tag set", ((_text(e.attributes["name"]), e) for e in self.sets))
        for where, elements, attribute in (
            ("classification lacv", self.classes, "lacv"),
            ("classification color", self.classes, "color"),
            ("tag set id", self.sets, "id"),
        ):
            seen: set[str] = set()
            for element in elements:
                value = element.attributes.get(attribute)
                if value is not None and _value(value) in seen:
                    raise InvalidPolicy(Reason.of("duplicate-value", where=where, value=value), element.line)
                seen.update(() if value is None else (_value(value),))
        others = self.root.first("equivalentPolicies")
        known = [] if others is None else others.all("equivalentPolicy")
        default = self.root.first("defaultSecurityPolicyId")
        names = {element.attributes["name"] for element in (*known, *([default] if default else []))}
        _distinct("equivalent policy", ((element.attributes["name"], element) for element in known))
        identity = _child(self.root, "securityPolicyId").attributes
        for element in known:
            if element.attributes["id"] == identity["id"] or element.attributes["name"] == identity["name"]:
                what = "A policy is no equivalent of itself"
                raise InvalidPolicy(Reason.of("contradiction", what=what), element.line)
        self.check_hierarchy()
        self.check_policies(self.root, names)

    def check_policies(self, element: Element, names: set[str]) -> None:
        for child in element.children:
            policy = child.attributes.get("policyRef")
            if policy is not None and policy not in names:
                where = f"{child.name}/@policyRef"
                raise InvalidPolicy(Reason.of("unknown-reference", where=where, name=policy), child.line)
            if child.name != "extensions":
                self.check_policies(child, names)

    def number(self, tag_set: Element) -> None:
        name = _text(tag_set.attributes["name"])
        tags = tag_set.all("securityCategoryTag")
        elements = [element for tag in tags for element in tag.all("tagCategory")]
        typed = [element for element in elements if "userInput" in element.attributes]
        if len(typed) > 1:
            reason = Reason.of("not-supported", what="More than one value typed in by the user in a tag set")
            raise InvalidPolicy(reason, typed[1].line)
        _distinct(f"value of {name}", ((_text(e.attributes["name"]), e) for e in elements))
        for tag in tags:
            written, _ = _kind(tag)
            entries = self.entries.setdefault((name, written), {})
            for element in tag.all("tagCategory"):
                lacv = _value(element.attributes["lacv"])
                if lacv in entries:
                    reason = Reason.of("duplicate-value", where=f"{name} lacv", value=lacv)
                    raise InvalidPolicy(reason, element.line)
                entries[lacv] = _Entry(_text(element.attributes["name"]), 1 << self.bits, element)
                self.bits += 1

    def classification(self, element: Element, index: int) -> Classification:
        color = element.attributes.get("color")
        return Classification(
            name=_text(element.attributes["name"]),
            lacv=int(element.attributes["lacv"]),
            hierarchy=int(element.attributes["hierarchy"]),
            color=None if color is None else COLOURS.get(color, color.lower()),
            obsolete=_true(element, "obsolete"),
            marks=_marks(element),
            requirements=self.requirements(element),
            bit=1 << index,
            equivalents=tuple(
                EquivalentClass(
                    _text(item.attributes["policyRef"]),
                    int(item.attributes["lacv"]),
                    Applied(item.attributes["applied"]),
                    _additions(item),
                )
                for item in element.all("equivalentClassification")
            ),
        )

    def tag_set(self, element: Element) -> TagSet:
        name = _text(element.attributes["name"])
        tags = tuple(self.tag(name, tag) for tag in element.all("securityCategoryTag"))
        equivalents = tuple(
            EquivalentTagSet(_text(item.attributes["policyRef"]), _additions(item))
            for item in element.all("equivalentSecurityCategoryTagSet")
        )
        return TagSet(name, element.attributes["id"], tags, equivalents)

    def tag(self, tag_set: str, element: Element) -> Tag:
        written, kind = _kind(element)
        name = _text(element.attributes.get("name", tag_set))
        entries = self.entries[tag_set, written]
        categories = tuple(
            self.category(tag_set, name, kind, item, entries[_value(item.attributes["lacv"])].bit)
            for item in element.all("tagCategory")
        )
        minimum, maximum = (
            element.attributes.get(key, "unbounded") for key in ("minSelection", "maxSelection")
        )
        most = None if maximum == "unbounded" else int(maximum)
        if _true(element, "singleSelection"):
            most = 1 if most is None else min(1, most)
        least = 0 if minimum == "unbounded" else int(minimum)
        typed = any(category.entry is not None for category in categories)
        if (most is not None and least > most) or (least > len(categories) and not typed):
            what = f"{tag_set} demands more values than may be selected"
            raise InvalidPolicy(Reason.of("contradiction", what=what), element.line)
        mask = sum(category.bit for category in categories)
        return Tag(tag_set, name, kind, categories, least, most, _marks(element), mask, written)

    def category(self, tag_set: str, tag: str, kind: TagKind, element: Element, bit: int) -> Category:
        excluded = [_text(item.text) for item in element.all("excludedClass")]
        required = element.attributes.get("requiredClass")
        for name in (*excluded, *([] if required is None else [_text(required)])):
            if name not in self.class_names:
                where = f"{tag_set} {element.attributes['name']}"
                raise InvalidPolicy(Reason.of("unknown-reference", where=where, name=name), element.line)
        return Category(
            tag_set=tag_set,
            tag=tag,
            kind=kind,
            name=_text(element.attributes["name"]),
            lacv=_value(element.attributes["lacv"]),
            obsolete=_true(element, "obsolete"),
            required_class=None if required is None else _text(required),
            excluded_classes=frozenset(excluded),
            requirements=self.requirements(element),
            exclusions=tuple(self.group(item, bit) for item in element.all("excludedCategory")),
            window=_window(element),
            marks=_marks(element),
            bit=bit,
            entry=_entry(element, kind),
            equivalents=tuple(
                EquivalentValue(
                    _text(item.attributes["policyRef"]),
                    item.attributes["tagSetId"],
                    _kind(item)[0],
                    _value(item.attributes["lacv"]),
                    Applied(item.attributes["applied"]),
                    "action" in item.attributes,
                )
                for item in element.all("equivalentSecCategoryTag")
            ),
        )

    def requirements(self, element: Element) -> tuple[Requirement, ...]:
        # The schema leaves the operation open: all of them is the strictest reading.
        return tuple(
            Requirement(
                Operation(item.attributes.get("operation", "all")),
                tuple(self.group(group, 0) for group in item.all("categoryGroup")),
            )
            for item in element.all("requiredCategory")
        )

    def group(self, element: Element, own: int) -> Group:
        """Resolve a reference to category values; one that means all of a tag leaves `own` out."""
        tag_set = _text(element.attributes["tagSetRef"])
        written, _ = _kind(element)
        entries = self.entries.get((tag_set, written))
        lacv = element.attributes.get("lacv")
        if entries is None:
            where = f"{element.name}/@tagSetRef"
            reason = Reason.of("unknown-reference", where=where, name=f"{tag_set} ({written})")
            raise InvalidPolicy(reason, element.line)
        if lacv is None or _true(element, "all"):
            mask = sum(entry.bit for entry in entries.values()) & ~own
            return Group(mask, f"any {tag_set}" if own == 0 else f"another {tag_set}")
        entry = entries.get(_value(lacv))
        if entry is None:
            reason = Reason.of("unknown-reference", where=f"{element.name}/@lacv", name=f"{tag_set} {lacv}")
            raise InvalidPolicy(reason, element.line)
        return Group(entry.bit, f"{tag_set} {entry.name}")
