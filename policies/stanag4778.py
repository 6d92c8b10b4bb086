"""STANAG 4778 (ADatP-4778) binding information: what says which label belongs to which data, as a file beside it.

One `MetadataBinding` holds the labels (the originator's, and its alternatives in other policies) and a reference
to the data by name; the digest of the data stands in the signature, which is made and checked elsewhere: this
module knows no keys. An unsigned binding conforms, but proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from policies import stanag4774
from policies.dialect import LABEL, Children, Dialect
from policies.errors import InvalidLabel
from policies.labels import Label
from policies.policy import SecurityPolicy
from policies.stanag4774 import LabelKind, LabelRecord
from policies.xmltree import Element

NAMESPACE = "urn:nato:stanag:4778:bindinginformation:1:0"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
XMIME = "http://www.w3.org/2005/05/xmlmime"
BINDING_ID = "binding-1"
MAX_BYTES = 1024 * 1024
MAX_LABELS = 32

_ROOT = "BindingInformation"
_TYPE = f"{{{XMIME}}}contentType"
_XML = Dialect(InvalidLabel)


@dataclass(frozen=True, slots=True)
class BoundData:
    """The data that a binding speaks of: where it is (a file's name), and its media type ("" when not told)."""

    uri: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding as its XML gives it. `label` has its alternatives beside it; `signed`: there is a signature.

    Whether the signature holds, and whether the data is the one that was bound, is not said here.
    """

    label: Label
    records: tuple[LabelRecord, ...]
    data: BoundData
    signed: bool


def serialise(labels: Iterable[bytes], data: BoundData) -> bytes:
    """Return unsigned binding information as UTF-8 XML.

    `labels` are complete 4774 labels as `stanag4774.serialise` writes them: the originator's first. Raises
    InvalidLabel when there is none, or when the name of the data cannot be written.
    """
    written = list(labels)
    if not written:
        raise _XML.refusal("missing-element", parent="MetadataBinding", element="Metadata")
    for text in (data.uri, data.media_type):
        if not text.isprintable():
            raise _XML.refusal("malformed-label", problem="the data has a name that cannot be shown")
    kind = f' xmime:contentType="{escape(data.media_type)}"' if data.media_type else ""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<mb:{_ROOT} xmlns:mb="{NAMESPACE}" xmlns:slab="{LABEL}" xmlns:xmime="{XMIME}">',
        "  <mb:MetadataBindingContainer>",
        f'    <mb:MetadataBinding Id="{BINDING_ID}">',
        *(f"      <mb:Metadata>{_embedded(label)}</mb:Metadata>" for label in written),
        f'      <mb:DataReference URI="{escape(data.uri)}"{kind}/>',
        "    </mb:MetadataBinding>",
        "  </mb:MetadataBindingContainer>",
        f"</mb:{_ROOT}>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _embedded(label: bytes) -> str:
    """Return a label's element without the declaration of its file."""
    return label.decode().partition("?>")[2].strip()


def read(data: bytes, policy: SecurityPolicy, others: Mapping[str, SecurityPolicy] | None = None) -> Binding:
    """Return the binding of this XML, whose originator's label is under `policy` or one of `others` (by name).

    Exactly one binding with exactly one originator's label and one reference is taken: a file that bound two
    things could be read as either. Raises InvalidLabel when it is malformed, or a label in it is not valid
    under its policy. The digests are not looked at.
    """
    root = _XML.root(data, MAX_BYTES)
    _XML.in_namespace(root, NAMESPACE)
    if root.name != _ROOT:
        raise _XML.refusal("wrong-root", expected=_ROOT, found=root.name)
    _XML.attributes(root)
    children = Children(_XML, root, NAMESPACE)
    signatures = 0
    while children.take("Signature", SIGNATURE) is not None:
        signatures += 1
    container = children.need("MetadataBindingContainer")
    children.end()
    _XML.attributes(container)
    inner = Children(_XML, container, NAMESPACE)
    binding = inner.need("MetadataBinding")
    inner.end()
    _XML.attributes(binding, "Id")
    content = Children(_XML, binding, NAMESPACE)
    elements = [_only_child(content.need("Metadata"))]
    while (metadata := content.take("Metadata")) is not None:
        elements.append(_only_child(metadata))
    if len(elements) > MAX_LABELS:
        raise _XML.refusal("repeated-element", element="Metadata", limit=MAX_LABELS, parent="MetadataBinding")
    reference = _reference(content.need("DataReference"))
    content.end()
    policies = [policy, *(others or {}).values()]
    records = tuple(
        stanag4774.read_element(element, stanag4774.policy_of(element, policies)) for element in elements
    )
    return Binding(_joined(records, policies), records, reference, signatures > 0)


def _only_child(element: Element) -> Element:
    _XML.attributes(element)
    if element.text.strip():
        raise _XML.refusal("unexpected-text", element=element.name)
    if len(element.children) != 1:
        raise _XML.refusal("missing-element", parent=element.name, element="exactly one label")
    return element.children[0]


def _reference(element: Element) -> BoundData:
    _XML.attributes(element, "URI", _TYPE)
    if element.children or element.text.strip():
        raise _XML.refusal("unexpected-text", element=element.name)
    if "URI" not in element.attributes:
        raise _XML.refusal("missing-attribute", element=element.name, attribute="URI")
    return BoundData(element.attributes["URI"], element.attributes.get(_TYPE, ""))


def _joined(records: Sequence[LabelRecord], policies: Sequence[SecurityPolicy]) -> Label:
    own = [record for record in records if record.root == LabelKind.ORIGINATOR]
    if len(own) != 1:
        raise _XML.refusal(
            "malformed-label", problem="a binding has one originator's label, and this has not"
        )
    by_id = {policy.id: policy for policy in policies}
    label = own[0].label
    for record in records:
        problems = by_id[record.label.policy_id].problems(record.label, record.created)
        if problems:
            raise InvalidLabel(*problems)
        if record.root == LabelKind.ALTERNATIVE:
            if label.under(record.label.policy_id) is not None:
                raise _XML.refusal("duplicate-name", kind="Label under policy", name=record.label.policy_id)
            label = label.beside(record.label)
    return label
