"""STANAG 4774 (ADatP-4774) confidentiality labels: reading and writing their XML.

Our own strict reader; no schema of the standard is used. A complete label has everything that the standard
demands (CreationDateTime; ReviewDateTime unless succession is given). As input to the portal a label may
lack those, and the misspelling `URL` of the attribute `URI`, found in published labels, is let pass.

An alternative label (the same label in an equivalent policy, ADatP-4774.1 §4.2) is a file or an element of
its own: `serialise` writes one with `kind`, and `policies.stanag4778` binds several to one document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html import escape

from policies.dialect import LABEL, Children, Dialect, utc
from policies.errors import InvalidLabel
from policies.labels import Label
from policies.model import TagKind
from policies.policy import SecurityPolicy
from policies.xmltree import Element

NAMESPACE = LABEL
MAX_BYTES = 256 * 1024
REVIEW_AFTER_YEARS = 5

_OLD_ROOT = "ConfidentialityLabel"
_SUCCESSOR = "SuccessorConfidentialityLabel"
_ID_TYPES = frozenset(
    (
        "rfc822Name",
        "dNSName",
        "directoryName",
        "uniformResourceIdentifier",
        "iPAddress",
        "x400Address",
        "userPrincipalName",
        "jID",
    )
)
_XML = Dialect(InvalidLabel)


class LabelKind(StrEnum):
    """What a label is to its data: the originator's, one in an equivalent policy, or one of the metadata."""

    ORIGINATOR = "originatorConfidentialityLabel"
    ALTERNATIVE = "alternativeConfidentialityLabel"
    METADATA = "metadataConfidentialityLabel"


@dataclass(frozen=True, slots=True)
class Originator:
    """Who gave the label: an identifier, and its type among those of the standard (IDType)."""

    text: str
    id_type: str = "rfc822Name"


@dataclass(frozen=True, slots=True)
class Succession:
    """What the originator says will follow: from `moment` on, `label`. It is recorded, never applied.

    `created` is when the successor was written down, `following` what succeeds it in turn.
    """

    moment: datetime
    label: Label
    created: datetime | None = None
    following: Succession | None = None


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """A label as its XML gives it, with the facts around it (None: not given)."""

    label: Label
    root: str
    created: datetime | None = None
    review: datetime | None = None
    originator: Originator | None = None
    privacy_mark: str | None = None
    succession: Succession | None = None


class _Reader:
    """One reading under one policy."""

    def __init__(self, policy: SecurityPolicy, complete: bool) -> None:
        self.policy = policy
        self.complete = complete

    def record(self, root: Element) -> LabelRecord:
        _XML.in_namespace(root, NAMESPACE)
        allowed: tuple[str, ...] = tuple(LabelKind) if self.complete else (*LabelKind, _OLD_ROOT)
        if root.name not in allowed:
            raise _XML.refusal("wrong-root", expected=LabelKind.ORIGINATOR, found=root.name)
        _XML.attributes(root, "Id", "ReviewDateTime")
        children = Children(_XML, root)
        label, privacy_mark = self.information(children.need("ConfidentialityInformation"))
        originator = self.originator(children.take("OriginatorID"))
        created = self.created(children)
        succession = self.succession(children.take("SuccessionHandling"))
        children.end()
        review = root.attributes.get("ReviewDateTime")
        if self.complete and review is None and succession is None:
            raise _XML.refusal("incomplete-label", what="a ReviewDateTime, and no succession is given")
        return LabelRecord(
            label,
            root.name,
            created,
            None if review is None else _XML.time(review, "ReviewDateTime"),
            originator,
            privacy_mark,
            succession,
        )

    def created(self, children: Children) -> datetime | None:
        element = children.take("CreationDateTime")
        if element is not None:
            return _XML.time(_XML.text(element), "CreationDateTime")
        if self.complete:
            raise _XML.refusal("incomplete-label", what="a CreationDateTime")
        return None

    def originator(self, element: Element | None) -> Originator | None:
        if element is None:
            return None
        text, id_type = _XML.text(element, "IDType"), element.attributes.get("IDType")
        if id_type is not None and id_type not in _ID_TYPES:
            expected = ", ".join(sorted(_ID_TYPES))
            raise _XML.refusal("wrong-value", value=id_type, where="OriginatorID/@IDType", expected=expected)
        return Originator(text) if id_type is None else Originator(text, id_type)

    def succession(self, element: Element | None) -> Succession | None:
        if element is None:
            return None
        _XML.attributes(element)
        children = Children(_XML, element)
        start = _XML.time(_XML.text(children.need("SuccessionDateTime")), "SuccessionDateTime")
        successor = children.need(_SUCCESSOR)
        children.end()
        _XML.attributes(successor, "Id", "ReviewDateTime")
        inner = Children(_XML, successor)
        label, _ = self.information(inner.need("ConfidentialityInformation"))
        self.originator(inner.take("OriginatorID"))
        created = self.created(inner)
        following = self.succession(inner.take("SuccessionHandling"))
        inner.end()
        return Succession(start, label, created, following)

    def information(self, element: Element) -> tuple[Label, str | None]:
        _XML.attributes(element)
        children = Children(_XML, element)
        self.check_policy(children.need("PolicyIdentifier"))
        classification = _XML.text(children.need("Classification"))
        mark = children.take("PrivacyMark")
        privacy_mark = None if mark is None else self.privacy_mark(_XML.text(mark))
        values = _XML.categories(children, self.policy)
        children.end()
        return self.policy.label(classification, values), privacy_mark

    def check_policy(self, element: Element) -> None:
        spellings = ("URI",) if self.complete else ("URI", "URL")
        if not _XML.names_policy(element, self.policy, *spellings):
            found = " ".join((element.text.strip(), *element.attributes.values()))
            raise _XML.refusal("other-policy", found=found, expected=self.policy.name)

    def privacy_mark(self, text: str) -> str:
        known = {name.casefold() for name in self.policy.privacy_marks} | {"clear"}
        if text.casefold() not in known:
            raise _XML.refusal("unknown-privacy-mark", value=text, policy=self.policy.name)
        return text


def read(data: bytes, policy: SecurityPolicy, *, require_complete: bool = False) -> LabelRecord:
    """Read a label with the facts around it; names are matched whatever their case.

    Raises InvalidLabel when it is malformed, of another policy or, with `require_complete`, lacks what the
    standard demands. Whether the label is valid under the policy is not asked.
    """
    return read_element(_XML.root(data, MAX_BYTES), policy, require_complete=require_complete)


def read_element(root: Element, policy: SecurityPolicy, *, require_complete: bool = False) -> LabelRecord:
    """Read a label that stands inside other XML, such as a binding; as `read`."""
    return _Reader(policy, require_complete).record(root)


def policy_of(label: Element, policies: Sequence[SecurityPolicy]) -> SecurityPolicy:
    """Return the policy that a label element names, else the first, whose reader then says what is wrong."""
    information = label.first("ConfidentialityInformation")
    identifier = None if information is None else information.first("PolicyIdentifier")
    name = "" if identifier is None else identifier.text.strip().casefold()
    return next((policy for policy in policies if policy.name.casefold() == name), policies[0])


def parse_any(
    data: bytes, policies: Sequence[SecurityPolicy], *, at: datetime | None = None
) -> tuple[Label, SecurityPolicy]:
    """Return the label of this XML and that one of the policies (at least one) which it names.

    The label is valid under that policy. Raises InvalidLabel as `parse` does.
    """
    root = _XML.root(data, MAX_BYTES)
    policy = policy_of(root, policies)
    record = read_element(root, policy)
    problems = policy.problems(record.label, at or record.created)
    if problems:
        raise InvalidLabel(*problems)
    return record.label, policy


def parse(
    data: bytes, policy: SecurityPolicy, *, require_complete: bool = False, at: datetime | None = None
) -> Label:
    """Return the label of this XML, valid under the policy.

    Raises InvalidLabel as `read` does, and with the policy's reasons when the label is not valid. Values that
    the policy limits in time are judged at `at`, or else at the label's CreationDateTime.
    """
    record = read(data, policy, require_complete=require_complete)
    problems = policy.problems(record.label, at or record.created)
    if problems:
        raise InvalidLabel(*problems)
    return record.label


def _utc(time: datetime) -> str:
    if time.tzinfo is None:
        raise _XML.refusal("malformed-label", problem="a time has no offset from UTC")
    return utc(time)


def _years_after(time: datetime, years: int) -> datetime:
    day = 28 if (time.month, time.day) == (2, 29) else time.day
    return time.replace(year=time.year + years, day=day)


def category_lines(policy: SecurityPolicy, values: Mapping[str, Iterable[str]], indent: str) -> list[str]:
    """Return the Category elements of these values (all known to the policy), in the policy's order."""
    lines = []
    for tag_set in policy.tag_sets:
        held = sorted(values.get(tag_set.name, ()))
        for kind in TagKind:
            named = [
                name
                for category in tag_set.categories
                if category.kind is kind
                for name in held
                if policy.category(tag_set.name, name) is category
            ]
            if not named:
                continue
            lines.append(
                f'{indent}<slab:Category Type="{kind}" TagName="{escape(tag_set.name)}" '
                f'URI="urn:oid:{tag_set.id}">'
            )
            lines.extend(f"{indent}  <slab:GenericValue>{escape(name)}</slab:GenericValue>" for name in named)
            lines.append(f"{indent}</slab:Category>")
    return lines


def policy_line(policy: SecurityPolicy) -> str:
    """Return the PolicyIdentifier element of a policy."""
    return f'<slab:PolicyIdentifier URI="urn:oid:{policy.id}">{escape(policy.name)}</slab:PolicyIdentifier>'


def _information(label: Label, policy: SecurityPolicy, mark: str | None, indent: str) -> list[str]:
    lines = [
        f"{indent}<slab:ConfidentialityInformation>",
        f"{indent}  {policy_line(policy)}",
        f"{indent}  <slab:Classification>{escape(label.classification)}</slab:Classification>",
    ]
    if mark is not None:
        lines.append(f"{indent}  <slab:PrivacyMark>{escape(mark)}</slab:PrivacyMark>")
    lines.extend(category_lines(policy, dict(label.categories), indent + "  "))
    lines.append(f"{indent}</slab:ConfidentialityInformation>")
    return lines


def _succession(succession: Succession, policy: SecurityPolicy, created: datetime, indent: str) -> list[str]:
    moment = _utc(succession.moment)
    problems = policy.problems(succession.label, succession.moment)
    if problems:
        raise InvalidLabel(*problems)
    written = succession.created or created
    lines = [
        f"{indent}<slab:SuccessionHandling>",
        f"{indent}  <slab:SuccessionDateTime>{moment}</slab:SuccessionDateTime>",
        f"{indent}  <slab:{_SUCCESSOR}>",
        *_information(succession.label, policy, None, indent + "    "),
        f"{indent}    <slab:CreationDateTime>{_utc(written)}</slab:CreationDateTime>",
    ]
    if succession.following is not None:
        lines.extend(_succession(succession.following, policy, written, indent + "    "))
    return [*lines, f"{indent}  </slab:{_SUCCESSOR}>", f"{indent}</slab:SuccessionHandling>"]


def serialise(
    label: Label,
    *,
    created: datetime,
    policy: SecurityPolicy,
    originator: Originator | None = None,
    review: datetime | None = None,
    kind: LabelKind = LabelKind.ORIGINATOR,
    privacy_mark: str | None = None,
    succession: Succession | None = None,
) -> bytes:
    """Return a complete label as UTF-8 XML.

    `created` and `review` are aware; without `review` it is five years after `created`, unless `succession`
    says what follows, for the standard demands one of the two. Of a label with alternatives the one under
    `policy` is written. Raises InvalidLabel when the label is not valid under the policy.
    """
    problems = policy.problems(label, created)
    own = label.under(policy.id)
    if problems or own is None:
        raise InvalidLabel(*problems)
    if originator is not None:
        if originator.id_type not in _ID_TYPES:
            raise _XML.refusal("malformed-label", problem=f"{originator.id_type} is no type of identifier")
        if not originator.text.isprintable():
            problem = "the originator holds characters that cannot be shown"
            raise _XML.refusal("malformed-label", problem=problem)
    mark = None if privacy_mark is None else _Reader(policy, True).privacy_mark(privacy_mark)
    if review is None and succession is None:
        review = _years_after(created, REVIEW_AFTER_YEARS)
    reviewed = "" if review is None else f' ReviewDateTime="{_utc(review)}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<slab:{kind} xmlns:slab="{NAMESPACE}"{reviewed}>',
        *_information(own, policy, mark, "  "),
    ]
    if originator is not None:
        lines.append(
            f'  <slab:OriginatorID IDType="{originator.id_type}">{escape(originator.text)}</slab:OriginatorID>'
        )
    lines.append(f"  <slab:CreationDateTime>{_utc(created)}</slab:CreationDateTime>")
    if succession is not None:
        lines.extend(_succession(succession, policy, created, "  "))
    lines.append(f"</slab:{kind}>")
    return ("\n".join(lines) + "\n").encode()
