"""A strict XML reader on the standard library's expat: elements with line numbers, and nothing clever.

Document type declarations (and with them every entity but the five of XML itself) are refused, and so
is input over the limits for size, depth and number of elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from policies.errors import XmlRefused
from policies.reasons import Reason

MAX_DEPTH = 32
MAX_ELEMENTS = 200_000
XML = "http://www.w3.org/XML/1998/namespace"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(slots=True)
class Element:
    """One element: namespace and name apart, attributes by name ("{namespace}name" when qualified)."""

    namespace: str
    name: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list[Element]:
        """Return the children of this name, in order."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Element | None:
        """Return the first child of this name, or None."""
        return next((child for child in self.children if child.name == name), None)


def _split(qualified: str) -> tuple[str, str]:
    namespace, _, name = qualified.rpartition(" ")
    return namespace, name


class _Builder:
    """The handlers of one parse."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.root: Element | None = None
        self.stack: list[Element] = []
        self.count = 0

    def refuse(self, reason: Reason) -> NoReturn:
        raise XmlRefused(reason, self.parser.CurrentLineNumber)

    def doctype(self, *_declaration: object) -> None:
        self.refuse(Reason.of("xml-declares-types"))

    def start(self, qualified: str, pairs: list[str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            self.refuse(Reason.of("xml-too-many-elements", limit=MAX_ELEMENTS))
        if len(self.stack) >= MAX_DEPTH:
            self.refuse(Reason.of("xml-too-deep", limit=MAX_DEPTH))
        attributes: dict[str, str] = {}
        for position in range(0, len(pairs), 2):
            space, attribute = _split(pairs[position])
            attributes[f"{{{space}}}{attribute}" if space else attribute] = pairs[position + 1]
        namespace, name = _split(qualified)
        element = Element(namespace, name, attributes, self.parser.CurrentLineNumber)
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element
        self.stack.append(element)

    def end(self, _qualified: str) -> None:
        self.stack.pop()

    def characters(self, text: str) -> None:
        self.stack[-1].text += text


def read(data: bytes, *, limit: int) -> Element:
    """Return the root element of `data` (at most `limit` bytes).

    Raises XmlRefused, with the line, for anything that is not plain, well-formed XML within the limits.
    """
    if len(data) > limit:
        raise XmlRefused(Reason.of("xml-too-large", size=len(data), limit=limit), 1)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.ordered_attributes = True
    parser.buffer_text = True
    builder = _Builder(parser)
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code) or "unknown error"
        raise XmlRefused(Reason.of("xml-malformed", problem=problem), error.lineno) from None
    except (LookupError, ValueError):
        # Python raises these for encoding declarations that name no single-byte codec.
        raise XmlRefused(Reason.of("xml-unknown-encoding"), parser.CurrentLineNumber) from None
    # Well-formed XML has a root element: expat raises otherwise.
    assert builder.root is not None
    return builder.root
