"""The structure of an Open XML SPIF 2.1 file: which elements and attributes stand where, and their form.

Our own check, written as tables (the published XML schema is not used at run time). It is strict:
anything unknown, misplaced, out of order or malformed is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from policies.errors import InvalidPolicy
from policies.reasons import Reason
from policies.xmltree import XML, XSI, Element

SPIF = "http://www.xmlspif.org/spif"
LANGUAGE = f"{{{XML}}}lang"

LOCATIONS = frozenset(
    (
        "pageTop",
        "pageBottom",
        "pageTopBottom",
        "documentStart",
        "documentEnd",
        "firstLineOfText",
        "lastLineOfText",
        "subject",
        "xHeader",
        "portionMarking",
        "inputTitle",
        "waterMark",
    )
)
CODES = LOCATIONS | {"noNameDisplay", "noMarkingDisplay", "suppressClassName", "replacePolicy"}

# The sixteen colour names of the SPIF schema, its spelling of fuchsia included.
COLOURS: Mapping[str, str] = {
    "aqua": "#00ffff", "black": "#000000", "blue": "#0000ff", "fuschia": "#ff00ff",
    "gray": "#808080", "green": "#008000", "lime": "#00ff00", "maroon": "#800000",
    "navy": "#000080", "olive": "#808000", "purple": "#800080", "red": "#ff0000",
    "silver": "#c0c0c0", "teal": "#008080", "white": "#ffffff", "yellow": "#ffff00",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a text: a test, and the words that say what would be right."""

    right: Callable[[str], bool]
    expected: str


def _one_of(*words: str) -> Form:
    return Form(frozenset(words).__contains__, "one of " + ", ".join(sorted(words)))


def _matching(pattern: str, expected: str) -> Form:
    compiled = re.compile(pattern, re.ASCII)
    return Form(lambda text: compiled.fullmatch(text) is not None, expected)


def moment(text: str) -> datetime | None:
    """Return an xs:dateTime that names its offset from UTC, or None when `text` is not one."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else None


_ANY = Form(lambda _text: True, "any text")
_NAME = Form(
    lambda text: 0 < len(text) <= 256 and text.isprintable() and text == text.strip(),
    "1 to 256 characters that can be shown, without space at either end",
)
_PHRASE = Form(
    lambda text: len(text) <= 256 and text.isprintable(), "at most 256 characters that can be shown"
)
_INTEGER = _matching(r"\s*[+-]?[0-9]{1,18}\s*", "an integer of at most 18 digits")
_COUNT = _matching(r"\s*\+?[0-9]{1,9}\s*|unbounded", "a number, or unbounded")
_BOOLEAN = _one_of("true", "false", "1", "0")
_OID = _matching(r"[0-2](\.[0-9]+)+", "an object identifier")
_COLOUR = Form(
    lambda text: text in COLOURS or re.fullmatch(r"#[0-9a-fA-F]{6}", text) is not None,
    "#rrggbb, or a colour name of the SPIF schema",
)
_MOMENT = Form(lambda text: moment(text) is not None, "a date and time with its offset from UTC")
_TAG_TYPE = _one_of("notApplicable", "restrictive", "enumerated", "permissive", "tagType7")
_ENUM_TYPE = _one_of("restrictive", "permissive")
_APPLIED = _one_of("encrypt", "decrypt", "both")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one element holds: attributes (a name with "!" is required), children in order, text.

    Children read "name", with "?" at most one, "*" any number, "+" at least one, and nothing exactly one.
    """

    attributes: Mapping[str, Form]
    children: tuple[str, ...] = ()
    text: Form | None = None


_MARKS = ("markingData*", "markingQualifier*")
_OBJECT = Shape({"name!": _NAME, "id!": _OID}, _MARKS)
_CATEGORY_DATA = Shape(
    {"tagSetRef!": _NAME, "tagType!": _TAG_TYPE, "enumType": _ENUM_TYPE, "lacv": _NAME, "all": _BOOLEAN}
)
_VALIDITY = {"notBefore": _MOMENT, "notAfter": _MOMENT}
_SELECTION = {"maxSelection": _COUNT, "minSelection": _COUNT}

SHAPES: Mapping[str, Shape] = {
    "SPIF": Shape(
        {
            "schemaVersion!": _one_of("1.0", "2.0", "2.1"),
            "version": _INTEGER,
            "creationDate!": _ANY,
            "originatorDN!": _ANY,
            "keyIdentifier!": _ANY,
            "privilegeId!": _OID,
            "rbacId!": _OID,
            "userRefURI": _ANY,
            "docRefURI": _ANY,
            **_VALIDITY,
        },
        (
            "defaultSecurityPolicyId?",
            "securityPolicyId",
            "updateInfo?",
            "securityClassifications",
            "securityCategoryTagSets?",
            "privacyMarks?",
            "equivalentPolicies?",
            *_MARKS,
            "extensions?",
        ),
    ),
    "defaultSecurityPolicyId": _OBJECT,
    "securityPolicyId": _OBJECT,
    "updateInfo": Shape({}),
    "securityClassifications": Shape({"name": _ANY}, ("securityClassification+", *_MARKS)),
    "securityClassification": Shape(
        {"name!": _NAME, "color": _COLOUR, "lacv!": _INTEGER, "hierarchy!": _INTEGER, "obsolete": _BOOLEAN},
        ("equivalentClassification*", *_MARKS, "requiredCategory*"),
    ),
    "equivalentClassification": Shape(
        {"policyRef!": _NAME, "lacv!": _INTEGER, "applied!": _APPLIED}, ("requiredCategory*",)
    ),
    "markingData": Shape({"phrase": _PHRASE, LANGUAGE: _ANY}, ("code+",)),
    "code": Shape({}, (), _one_of(*CODES)),
    "markingQualifier": Shape({"markingCode": _one_of(*CODES)}, ("qualifier+",)),
    "qualifier": Shape(
        {
            "markingQualifier!": _PHRASE,
            "qualifierCode!": _one_of("prefix", "suffix", "separator"),
            LANGUAGE: _ANY,
        }
    ),
    "requiredCategory": Shape({"operation": _one_of("onlyOne", "oneOrMore", "all")}, ("categoryGroup+",)),
    "categoryGroup": _CATEGORY_DATA,
    "excludedCategory": _CATEGORY_DATA,
    "securityCategoryTagSets": Shape({}, ("securityCategoryTagSet+",)),
    "securityCategoryTagSet": Shape(
        {"name!": _NAME, "id!": _OID}, ("securityCategoryTag+", "equivalentSecurityCategoryTagSet*")
    ),
    "equivalentSecurityCategoryTagSet": Shape(
        {"policyRef!": _NAME, "name": _NAME, "id": _OID}, ("requiredCategory*",)
    ),
    "securityCategoryTag": Shape(
        {
            "name": _NAME,
            "tagType!": _TAG_TYPE,
            "enumType": _ENUM_TYPE,
            "tag7Encoding": _one_of("bitSetAttributes", "securityAttributes"),
            "singleSelection": _BOOLEAN,
            **_SELECTION,
        },
        ("tagCategory*", "markingQualifier*"),
    ),
    "tagCategory": Shape(
        {
            "name!": _NAME,
            "lacv!": _NAME,
            "userInput": _one_of("string", "integer", "date"),
            "requiredClass": _NAME,
            "obsolete": _BOOLEAN,
            "dateFormat": _ANY,
            **_VALIDITY,
        },
        ("equivalentSecCategoryTag*", *_MARKS, "excludedClass*", "requiredCategory*", "excludedCategory*"),
    ),
    "equivalentSecCategoryTag": Shape(
        {
            "policyRef!": _NAME,
            "tagSetId!": _OID,
            "tagType!": _TAG_TYPE,
            "enumType": _ENUM_TYPE,
            "lacv!": _NAME,
            "applied!": _APPLIED,
            "action": _one_of("discard"),
        }
    ),
    "excludedClass": Shape({}, (), _NAME),
    "privacyMarks": Shape(dict(_SELECTION), ("privacyMark+", *_MARKS)),
    "privacyMark": Shape({"name": _NAME, "obsolete": _BOOLEAN}, _MARKS),
    "equivalentPolicies": Shape({}, ("equivalentPolicy+",)),
    "equivalentPolicy": Shape(
        {"name!": _NAME, "id!": _OID, "userRefURI": _ANY, "docRefURI": _ANY}, ("requiredCategory*",)
    ),
}


def _refuse(at: Element, code: str, /, **parameters: str | int) -> InvalidPolicy:
    return InvalidPolicy(Reason.of(code, **parameters), at.line)


def _check_attributes(element: Element, shape: Shape) -> None:
    forms = {name.rstrip("!"): form for name, form in shape.attributes.items()}
    for name, value in element.attributes.items():
        if name.startswith(f"{{{XSI}}}"):
            continue
        form = forms.get(name)
        if form is None:
            raise _refuse(element, "unexpected-attribute", element=element.name, attribute=name)
        if not form.right(value):
            where = f"{element.name}/@{name}"
            raise _refuse(element, "wrong-value", where=where, value=value, expected=form.expected)
    for name in shape.attributes:
        if name.endswith("!") and name[:-1] not in element.attributes:
            raise _refuse(element, "missing-attribute", element=element.name, attribute=name[:-1])


def _check_children(element: Element, shape: Shape) -> None:
    position = 0
    for part in shape.children:
        name = part.rstrip("?*+")
        found = 0
        while position < len(element.children) and element.children[position].name == name:
            position, found = position + 1, found + 1
        if found == 0 and part[-1] not in "?*":
            line = element.children[position] if position < len(element.children) else element
            raise _refuse(line, "missing-element", parent=element.name, element=name)
        if found > 1 and part[-1] not in "*+":
            raise _refuse(
                element.children[position - 1], "repeated-element", parent=element.name, element=name, limit=1
            )
    if position < len(element.children):
        child = element.children[position]
        raise _refuse(child, "unexpected-element", parent=element.name, element=child.name)


def check(element: Element, expected: str = "SPIF") -> None:
    """Check an element and all below it. Raises InvalidPolicy with the line of the first thing wrong.

    What stands in `extensions` belongs to others and is not looked at.
    """
    if element.namespace != SPIF:
        raise _refuse(
            element, "wrong-namespace", element=element.name, found=element.namespace, expected=SPIF
        )
    if element.name != expected:
        raise _refuse(element, "wrong-root", expected=expected, found=element.name)
    _check(element)


def _check(element: Element) -> None:
    shape = SHAPES[element.name]
    _check_attributes(element, shape)
    for child in element.children:
        if child.namespace != SPIF:
            raise _refuse(child, "wrong-namespace", element=child.name, found=child.namespace, expected=SPIF)
    _check_children(element, shape)
    if shape.text is None:
        if element.text.strip():
            raise _refuse(element, "unexpected-text", element=element.name)
    elif not shape.text.right(element.text):
        raise _refuse(
            element, "wrong-value", where=element.name, value=element.text, expected=shape.text.expected
        )
    for child in element.children:
        if child.name != "extensions":
            _check(child)
