"""STANAG 4774 (ADatP-4774) confidentiality clearances: reading and writing their XML, and the claim `aciClr`.

A clearance lists every classification that is held: a list, not a level. A person has one clearance under
each of several policies; each is a file of its own.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from html import escape
from types import MappingProxyType

from policies.dialect import LABEL, Children, Dialect
from policies.errors import InvalidClearance
from policies.labels import Clearance
from policies.policy import SecurityPolicy
from policies.stanag4774 import category_lines, policy_line
from policies.xmltree import Element

NAMESPACE = "urn:nato:stanag:4774:confidentialityclearance:1:0"
MAX_BYTES = 256 * 1024

_ROOT = "ConfidentialityClearance"
_XML = Dialect(InvalidClearance)
_BASE64URL = re.compile("[A-Za-z0-9_-]*")


def parse(data: bytes, policies: SecurityPolicy | Iterable[SecurityPolicy]) -> Clearance:
    """Return the clearance of this XML, under that one of the policies which it names.

    Names are matched whatever their case. Raises InvalidClearance when it is malformed, of no policy given,
    or names what its policy does not hold.
    """
    offered = (policies,) if isinstance(policies, SecurityPolicy) else tuple(policies)
    root = _XML.root(data, MAX_BYTES)
    _XML.in_namespace(root, NAMESPACE)
    if root.name != _ROOT:
        raise _XML.refusal("wrong-root", expected=_ROOT, found=root.name)
    _XML.attributes(root)
    children = Children(_XML, root)
    policy = _policy(children.need("PolicyIdentifier"), offered)
    levels = _levels(children.need("ClassificationList", NAMESPACE))
    values = _XML.categories(children, policy)
    children.end()
    return policy.clearance(levels, values)


def _policy(element: Element, offered: tuple[SecurityPolicy, ...]) -> SecurityPolicy:
    found = next((policy for policy in offered if _XML.names_policy(element, policy, "URI")), None)
    if found is None:
        expected = " or ".join(policy.name for policy in offered) or "any policy known here"
        name, identifiers = _XML.policy_identifier(element, "URI")
        raise _XML.refusal(
            "clearance-of-other-policy", found=" ".join((name, *identifiers)), expected=expected
        )
    return found


def _levels(element: Element) -> list[str]:
    _XML.attributes(element)
    children = Children(_XML, element)
    levels = [_XML.text(children.need("Classification"))]
    while (following := children.take("Classification")) is not None:
        levels.append(_XML.text(following))
    children.end()
    for level in levels:
        if [other.casefold() for other in levels].count(level.casefold()) > 1:
            raise _XML.refusal("duplicate-name", kind="Classification", name=level)
    return levels


def parse_all(files: Iterable[bytes], policies: Iterable[SecurityPolicy]) -> Mapping[str, Clearance]:
    """Return a person's clearances by policy identifier, from one file for each policy.

    Raises InvalidClearance as `parse` does, and when two are of one policy: they are never joined, for the
    classification of one with the categories of another would be more than anybody granted.
    """
    offered = tuple(policies)
    found: dict[str, Clearance] = {}
    for data in files:
        clearance = parse(data, offered)
        if clearance.policy_id in found:
            raise _XML.refusal("duplicate-name", kind="Clearance under policy", name=clearance.policy_id)
        found[clearance.policy_id] = clearance
    return MappingProxyType(found)


def serialise(clearance: Clearance, policy: SecurityPolicy) -> bytes:
    """Return a clearance as UTF-8 XML: classifications and values in the policy's order.

    Raises InvalidClearance when it is of another policy, lists no classification, or names what the policy
    does not hold (such a name grants nothing, so it is not passed on).
    """
    if clearance.policy_id != policy.id:
        raise _XML.refusal("clearance-of-other-policy", found=clearance.policy_id, expected=policy.name)
    if not clearance.classifications:
        raise _XML.refusal("missing-element", parent="ClassificationList", element="Classification")
    known = policy.clearance(clearance.classifications, clearance.categories)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<sclr:{_ROOT} xmlns:sclr="{NAMESPACE}" xmlns:slab="{LABEL}">',
        f"  {policy_line(policy)}",
        "  <sclr:ClassificationList>",
        *(
            f"    <slab:Classification>{escape(item.name)}</slab:Classification>"
            for item in policy.classifications
            if item.name in known.classifications
        ),
        "  </sclr:ClassificationList>",
        *category_lines(policy, known.categories, "  "),
        f"</sclr:{_ROOT}>",
    ]
    return ("\n".join(lines) + "\n").encode()


def to_claim(data: bytes) -> str:
    """Return clearance XML as the value of a SAML attribute or JWT claim `aciClr`: BASE64URL(UTF8(XML))."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_claim(claim: str) -> bytes:
    """Return the clearance XML of an `aciClr` claim. Raises InvalidClearance when it is no base64url text."""
    if len(claim) > 2 * MAX_BYTES:
        raise _XML.refusal("xml-too-large", size=len(claim), limit=2 * MAX_BYTES)
    text = claim.rstrip("=")
    if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        expected = "BASE64URL of a clearance"
        raise _XML.refusal("wrong-value", value=claim[:40], where="aciClr", expected=expected)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
