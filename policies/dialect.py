"""What the readers of the standards' XML share: elements taken strictly, one after the other, in order.

A dialect is one vocabulary with its own error, so that a label is refused as a label and a clearance as a
clearance, for the same reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from policies.errors import PolicyError, XmlRefused
from policies.model import TagKind
from policies.policy import SecurityPolicy
from policies.reasons import Reason
from policies.structure import moment
from policies.xmltree import XSI, Element
from policies.xmltree import read as read_xml

LABEL = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"
MAX_VALUES = 1_000
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Dialect:
    """One vocabulary: how it reads, and the error that it refuses with (made from one reason)."""

    def __init__(self, error: Callable[[Reason], PolicyError]) -> None:
        self.error = error

    def refusal(self, code: str, /, **parameters: str | int) -> PolicyError:
        """Return the error to raise for one reason."""
        return self.error(Reason.of(code, **parameters))

    def root(self, data: bytes, limit: int) -> Element:
        """Return the root element of plain, well-formed XML of at most `limit` bytes."""
        try:
            return read_xml(data, limit=limit)
        except XmlRefused as refused:
            raise self.error(refused.reason) from None

    def in_namespace(self, element: Element, namespace: str) -> None:
        """Refuse an element of any other namespace."""
        if element.namespace != namespace:
            raise self.refusal(
                "wrong-namespace", element=element.name, found=element.namespace, expected=namespace
            )

    def attributes(self, element: Element, *names: str) -> None:
        """Refuse an element with any attribute but these."""
        for name in element.attributes:
            if name not in names and not name.startswith(f"{{{XSI}}}"):
                raise self.refusal("unexpected-attribute", element=element.name, attribute=name)

    def text(self, element: Element, *attributes: str) -> str:
        """Return the text of an element that holds nothing else, with its white space collapsed."""
        self.attributes(element, *attributes)
        if element.children:
            raise self.refusal("unexpected-element", element=element.children[0].name, parent=element.name)
        text = " ".join(element.text.split())
        if not text:
            raise self.refusal("missing-element", parent=element.name, element="text")
        return text

    def time(self, text: str, where: str) -> datetime:
        """Return an xs:dateTime that names its offset from UTC."""
        found = moment(text) if _DATE_TIME.fullmatch(text) else None
        if found is None:
            expected = "a date and time with its offset from UTC"
            raise self.refusal("wrong-value", value=text, where=where, expected=expected)
        return found

    def policy_identifier(self, element: Element, *attributes: str) -> tuple[str, tuple[str, ...]]:
        """Return the name of a PolicyIdentifier, and what its attributes (of these names) say."""
        return self.text(element, *attributes), tuple(
            value for name, value in element.attributes.items() if name in attributes
        )

    def names_policy(self, element: Element, policy: SecurityPolicy, *attributes: str) -> bool:
        """Whether a PolicyIdentifier is this policy's: by name, and by identifier where it gives one."""
        name, identifiers = self.policy_identifier(element, *attributes)
        return name.casefold() == policy.name.casefold() and set(identifiers) <= {f"urn:oid:{policy.id}"}

    def category(self, element: Element, policy: SecurityPolicy) -> tuple[str, str, list[str]]:
        """Return the tag set, type and values of a Category, in the policy's spelling.

        ADatP-4774: Type and TagName are required, and GenericValue is the only form of a value.
        """
        self.attributes(element, "Type", "TagName", "URI")
        for name in ("Type", "TagName"):
            if name not in element.attributes:
                raise self.refusal("missing-attribute", element="Category", attribute=name)
        kind, given = element.attributes["Type"], element.attributes["TagName"]
        if kind not in list(TagKind):
            expected = ", ".join(TagKind)
            raise self.refusal("wrong-value", value=kind, where="Category/@Type", expected=expected)
        children = Children(self, element)
        values = [self.text(children.need("GenericValue"))]
        while (value := children.take("GenericValue")) is not None:
            values.append(self.text(value))
        children.end()
        if len(values) > MAX_VALUES:
            raise self.refusal("too-many-values", tag=given, limit=MAX_VALUES)
        tag_set, spelt = policy.spell(given, values)
        if not policy.has_tag_set(tag_set):
            raise self.refusal("unknown-tag-set", tag_set=given, policy=policy.name)
        uri = element.attributes.get("URI", "")
        expected = next(item.id for item in policy.tag_sets if item.name == tag_set)
        if uri not in ("", f"urn:oid:{expected}"):
            raise self.refusal("wrong-value", value=uri, where="Category/@URI", expected=expected)
        for name in spelt:
            category = policy.category(tag_set, name)
            if category is None:
                raise self.refusal("unknown-value", value=name, tag_set=tag_set)
            if category.kind != kind:
                raise self.refusal("wrong-tag-type", tag_set=tag_set, expected=category.kind, found=kind)
        return tag_set, kind, spelt

    def categories(self, children: Children, policy: SecurityPolicy) -> dict[str, list[str]]:
        """Return the values by tag set of all Category elements that come next, each set and type once."""
        values: dict[str, list[str]] = {}
        seen: set[tuple[str, str]] = set()
        while (element := children.take("Category")) is not None:
            tag_set, kind, found = self.category(element, policy)
            if (tag_set, kind) in seen:
                raise self.refusal("duplicate-name", kind="Category", name=tag_set)
            seen.add((tag_set, kind))
            values.setdefault(tag_set, []).extend(found)
        return values


class Children:
    """The children of an element, taken in the order that the standard gives them."""

    def __init__(self, dialect: Dialect, element: Element, namespace: str = LABEL) -> None:
        if element.text.strip():
            raise dialect.refusal("unexpected-text", element=element.name)
        self.dialect = dialect
        self.element = element
        self.namespace = namespace
        self.position = 0

    def take(self, name: str, namespace: str = "") -> Element | None:
        """Return the next child when it has this name, or None."""
        if self.position == len(self.element.children):
            return None
        child = self.element.children[self.position]
        if child.name != name:
            return None
        self.dialect.in_namespace(child, namespace or self.namespace)
        self.position += 1
        return child

    def need(self, name: str, namespace: str = "") -> Element:
        """Return the next child, which must have this name."""
        child = self.take(name, namespace)
        if child is None:
            if self.position < len(self.element.children):
                self.dialect.in_namespace(self.element.children[self.position], namespace or self.namespace)
            raise self.dialect.refusal("missing-element", parent=self.element.name, element=name)
        return child

    def end(self) -> None:
        """Refuse anything that is left."""
        if self.position < len(self.element.children):
            child = self.element.children[self.position]
            self.dialect.in_namespace(child, self.namespace)
            raise self.dialect.refusal("unexpected-element", element=child.name, parent=self.element.name)


def utc(time: datetime) -> str:
    """Return an aware time as xs:dateTime in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
