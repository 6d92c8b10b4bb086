"""What every leaf of an access log must be: one canonical JSON object, in its place, after the one before.

A leaf is an object in canonical JSON (RFC 8785) with ASCII keys and without fractions, of at most 65,535
bytes. It states its number `seq`, its `time` (RFC 3339, UTC, microseconds), and under `subjects` for each
person and document how many records it has had and the number of the one before (-1: none).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from crypto.translog.errors import Malformed
from crypto.translog.tiles import MAX_ENTRY

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_MAX_INTEGER = 2**53 - 1

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


def _refuse(token: str) -> NoReturn:
    raise ValueError(f"{token[:20]} is not a whole number")


def _integer(token: str) -> int:
    if len(token) > 17 or abs(number := int(token)) > _MAX_INTEGER:
        raise ValueError("a number is too large")
    return number


_decode = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_integer).decode


def parse_leaf(leaf: bytes) -> dict[str, Any]:
    """Read a leaf; raises Malformed unless it is in the one form that it may have."""
    if len(leaf) > MAX_ENTRY:
        raise Malformed("is over 65,535 bytes")
    try:
        text = leaf.decode("utf-8")
        fields = _decode(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"is not JSON of whole numbers and text: {error}") from error
    if not isinstance(fields, dict) or not _ascii_keys(fields) or _encode(fields) != text:
        raise Malformed("is not canonical JSON")
    return fields


def _ascii_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(key.isascii() and _ascii_keys(held) for key, held in value.items())
    if isinstance(value, list):
        return all(map(_ascii_keys, value))
    return True


@dataclass(slots=True)
class LeafChecker:
    """Checks leaves one after the other.

    They are all leaves from number 0 for as long as no number is left out; from the first gap on they are a
    selection, whose numbers only grow. `whole` demands that there is no gap. Memory grows with the number of
    persons and documents.
    """

    whole: bool = False
    dense: bool = True
    next: int = 0
    time: str = ""
    subjects: dict[str, tuple[int, int]] = field(default_factory=dict)

    def check(self, leaf: bytes) -> dict[str, Any]:
        """Check one leaf and return its fields; raises Malformed, and goes on with the next leaf afterwards."""
        expected = self.next
        self.next += 1
        fields = parse_leaf(leaf)
        seq, time, version = fields.get("seq"), fields.get("time"), fields.get("v")
        if type(seq) is not int or seq < expected or (self.whole and seq != expected):
            raise Malformed(f"says that it is number {seq}, where {expected} belongs")
        self.next = seq + 1
        self.dense = self.dense and seq == expected
        if version != 1:
            raise Malformed("is of a format that this verifier does not know")
        if not isinstance(time, str) or _TIME.fullmatch(time) is None:
            raise Malformed("has no time")
        earlier, self.time = self.time, max(time, self.time)
        if time < earlier:
            raise Malformed(f"is of {time}, before the {earlier} of the one in front of it")
        self._check_subjects(seq, fields)
        return fields

    def _check_subjects(self, seq: int, fields: dict[str, Any]) -> None:
        stated = fields.get("subjects", {})
        named = {
            f"{kind}:{fields[name]}"
            for kind, name in (("person", "actor"), ("document", "document"))
            if name in fields
        }
        if not isinstance(stated, dict) or set(stated) != named:
            raise Malformed("does not count the person and the document that it names")
        for key, count in stated.items():
            if not isinstance(count, list) or len(count) != 2 or any(type(part) is not int for part in count):
                raise Malformed(f"has no count for {key}")
            n, previous = count
            known = self.subjects.get(key)
            self.subjects[key] = n, seq
            before, last = known or (0, -1)
            follows = (n == before + 1 and previous == last) or (
                not self.dense and n > before + 1 and seq > previous > last
            )
            if not follows:
                raise Malformed(
                    f"counts {key} as {n} after {previous}, where {before + 1} after {last} belongs"
                )
