"""A record of the log: from an `Event` to the exact bytes of a leaf.

A leaf is one canonical JSON object (RFC 8785, JCS) of at most 65,535 bytes. Values are text, whole numbers
within ±(2^53 - 1), booleans, lists and objects; every key is ASCII, so that sorting by code point and by
UTF-16 code unit (RFC 8785, section 3.2.3) are the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from portal.audit.catalogue import PRIVATE_NAMES, Entry, check_details, entry
from portal.audit.kinds import CODE, DIGEST, IDENTIFIER, MAX_INTEGER, is_marking
from portal.errors import Invalid

FORMAT = 1
"""The value of `v`: the version of the record format."""

MAX_LEAF = 65_535
"""The largest leaf in bytes: entry bundles carry a 16-bit length (C2SP tlog-tiles)."""

NO_EARLIER = -1
"""In `subjects`, stands for “there is none before”."""

SALT_BYTES = 32

FIELDS = (
    "v", "seq", "time", "node", "action", "actor", "session", "role", "assurance", "organisation",
    "programme", "document", "version", "target", "label", "decision", "rule", "policy", "outcome",
    "bytes_handed", "request", "completes", "subjects", "details", "commitments",
)  # fmt: skip
"""Every field that a leaf may carry, in the order in which people read them."""

_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "actor": IDENTIFIER,
    "session": IDENTIFIER,
    "role": CODE,
    "organisation": IDENTIFIER,
    "programme": IDENTIFIER,
    "document": IDENTIFIER,
    "target": IDENTIFIER,
    "rule": CODE,
    "policy": DIGEST,
    "request": IDENTIFIER,
}
_NUMBERS = ("assurance", "version", "bytes_handed", "completes")
_DECISIONS = frozenset({"permit", "deny"})
_OUTCOMES = frozenset({"complete", "aborted", "failed", "unknown"})

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


class Sealer(Protocol):
    """What seals the salts and values of commitments (`crypto.sealed.ValueSealer`)."""

    def seal(self, context: tuple[str, ...], plaintext: bytes) -> bytes:
        """Encrypt `plaintext` so that it opens in this context only."""
        ...

    def open(self, context: tuple[str, ...], blob: bytes) -> bytes:
        """Decrypt what `seal` made in the same context."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as a service reports it: identifiers and codes in the clear, everything else in
    `private`.

    `label` is the label's marking at that moment, `rule` the deciding rule, `policy` the policy's digest,
    `completes` the sequence number of the intent that this record is the outcome of. `private` values
    (title, name, address, free text) enter the log as salted commitments only.
    """

    action: str
    actor: str | None = None
    session: str | None = None
    role: str | None = None
    assurance: int | None = None
    organisation: str | None = None
    programme: str | None = None
    document: str | None = None
    version: int | None = None
    target: str | None = None
    label: str | None = None
    decision: str | None = None
    rule: str | None = None
    policy: str | None = None
    outcome: str | None = None
    bytes_handed: int | None = None
    request: str | None = None
    completes: int | None = None
    details: Mapping[str, object] | None = None
    private: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One private value: its commitment as the leaf shows it, and what opens that, sealed."""

    name: str
    commitment: str
    salt: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that may be recorded: every field but those that the append itself decides."""

    event: Event
    fields: dict[str, Any]
    subjects: tuple[str, ...]
    disclosures: tuple[Disclosure, ...]
    opens: bool


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write an object with ASCII keys as canonical JSON (RFC 8785); raises ValueError for text with lone
    surrogates.
    """
    return _encode(value).encode("utf-8")


def commit(salt: bytes, value: bytes) -> str:
    """Return the salted commitment to `value`: HMAC-SHA256 under the salt, in hexadecimal."""
    return hmac.digest(salt, value, hashlib.sha256).hex()


def disclosure_context(name: str, commitment: str, part: str) -> tuple[str, ...]:
    """Return the context in which a disclosure's `part` (salt or value) is sealed."""
    return ("disclosure", name, commitment, part)


def draft(event: Event, *, node: str, sealer: Sealer) -> Draft:
    """Check an event against the catalogue and make it ready to be appended; raises Invalid."""
    found = entry(event.action)
    fields: dict[str, Any] = {"v": FORMAT, "node": node, "action": event.action}
    _put_words(event, fields)
    _put_numbers(event, fields)
    if event.details:
        check_details(found, event.details)
        fields["details"] = {
            key: list(value) if isinstance(value, tuple) else value for key, value in event.details.items()
        }
    disclosures: tuple[Disclosure, ...] = ()
    if event.private:
        disclosures = tuple(_disclose(name, value, sealer) for name, value in event.private.items())
        fields["commitments"] = {item.name: item.commitment for item in disclosures}
    subjects = tuple(
        f"{kind}:{name}"
        for kind, name in (("person", event.actor), ("document", event.document))
        if name is not None
    )
    return Draft(event, fields, subjects, disclosures, is_intent(found, fields))


def is_intent(found: Entry, fields: Mapping[str, Any]) -> bool:
    """Tell whether a record announces something whose outcome a later record must state."""
    return (
        found.outcomes
        and fields.get("decision") != "deny"
        and "completes" not in fields
        and "outcome" not in fields
    )


def leaf(draft: Draft, *, seq: int, time: str, subjects: Mapping[str, list[int]]) -> bytes:
    """Return the leaf's bytes; raises Invalid when they would be more than 65,535 or hold no valid text."""
    fields = {**draft.fields, "seq": seq, "time": time}
    if subjects:
        fields["subjects"] = subjects
    try:
        written = canonical(fields)
    except ValueError as error:
        raise Invalid(f"{draft.event.action}: the record holds text that is not valid Unicode") from error
    if len(written) > MAX_LEAF:
        raise Invalid(
            f"{draft.event.action}: a record of {len(written):,} bytes is over the limit of {MAX_LEAF:,}"
        )
    return written


def _put_words(event: Event, fields: dict[str, Any]) -> None:
    for name, pattern in _PATTERNS.items():
        value = getattr(event, name)
        if value is None:
            continue
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise Invalid(f"{event.action}: “{name}” is not an identifier that a record may carry")
        fields[name] = value
    if event.label is not None:
        if not is_marking(event.label):
            raise Invalid(f"{event.action}: “label” is not a marking")
        fields["label"] = event.label
    if event.decision is not None:
        if event.decision not in _DECISIONS:
            raise Invalid(f"{event.action}: “decision” is permit or deny")
        fields["decision"] = event.decision
    if event.outcome is not None:
        if event.outcome not in _OUTCOMES:
            raise Invalid(f"{event.action}: “outcome” is complete, aborted, failed or unknown")
        fields["outcome"] = event.outcome


def _put_numbers(event: Event, fields: dict[str, Any]) -> None:
    for name in _NUMBERS:
        value = getattr(event, name)
        if value is None:
            continue
        if type(value) is not int or not 0 <= value <= MAX_INTEGER:
            raise Invalid(f"{event.action}: “{name}” is not a whole number that a record may carry")
        fields[name] = value
    if event.completes is not None and event.outcome is None:
        raise Invalid(f"{event.action}: a record that completes another states its outcome")


def _disclose(name: str, value: str, sealer: Sealer) -> Disclosure:
    if name not in PRIVATE_NAMES:
        raise Invalid(f"the log keeps no private value “{name}”")
    try:
        plain = value.encode("utf-8")
    except UnicodeEncodeError:
        # A name with lone surrogates must not stop its own record; what stands for it says that it was
        # damaged.
        plain = value.encode("utf-8", "backslashreplace")
    salt = secrets.token_bytes(SALT_BYTES)
    commitment = commit(salt, plain)
    return Disclosure(
        name,
        commitment,
        sealer.seal(disclosure_context(name, commitment, "salt"), salt),
        sealer.seal(disclosure_context(name, commitment, "value"), plain),
    )
