"""Reading leaves in order, a few thousand at a time, so that no reading holds the database's state for long."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select

from portal.audit import tables
from portal.audit.store import reading
from portal.clock import parse_rfc3339
from portal.errors import Tampered

CHUNK = 1024

_MEND = "Run “strongroom audit verify”."

_LEAVES = select(tables.leaves.c.seq, tables.leaves.c.leaf).order_by(tables.leaves.c.seq)


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its number, its exact bytes, and what they say."""

    seq: int
    leaf: bytes
    fields: dict[str, Any]

    @property
    def time(self) -> datetime:
        """When it was appended."""
        return parse_rfc3339(self.fields["time"])

    @property
    def action(self) -> str:
        """What was recorded."""
        return str(self.fields["action"])

    def get(self, name: str) -> Any:
        """Return a field of the record, None where it has none."""
        return self.fields.get(name)


def blob(value: object, what: str) -> bytes:
    """Return a stored value that must be bytes, where SQLite keeps anything; raises Tampered."""
    if not isinstance(value, bytes):
        raise Tampered(f"{what} of the access log is damaged", mend=_MEND)
    return value


def record(seq: int, leaf: bytes) -> Record:
    """Read a stored leaf; raises Tampered when it is not a record of this number."""
    try:
        fields = json.loads(blob(leaf, f"record {seq}"))
    except ValueError:
        fields = None
    if (
        not isinstance(fields, dict)
        or fields.get("seq") != seq
        or "action" not in fields
        or "time" not in fields
    ):
        raise Tampered(f"record {seq} of the access log is damaged", mend=_MEND)
    return Record(seq, leaf, fields)


def log_size(connection: Connection) -> int:
    """Return how many leaves are committed."""
    size = connection.execute(select(tables.head.c.size)).scalar()
    if not isinstance(size, int):
        raise Tampered("the log's head row is missing", mend=_MEND)
    return size


def leaves_between(connection: Connection, start: int, stop: int) -> list[bytes]:
    """Return the leaves [start, stop); raises Tampered when one is missing."""
    column = tables.leaves.c.seq
    rows = connection.execute(_LEAVES.where(column >= start, column < stop)).all()
    for number, row in enumerate(rows, start):
        if row[0] != number:
            raise _missing(number)
    if len(rows) != max(0, stop - start):
        raise _missing(start + len(rows))
    return [blob(row[1], f"record {row[0]}") for row in rows]


def leaves_at(connection: Connection, seqs: Collection[int]) -> dict[int, bytes]:
    """Return the leaves with these numbers; what is missing, or is no leaf, is left out."""
    found: dict[int, bytes] = {}
    wanted = sorted(seqs)
    for start in range(0, len(wanted), CHUNK // 2):
        some = wanted[start : start + CHUNK // 2]
        rows = connection.execute(_LEAVES.where(tables.leaves.c.seq.in_(some)))
        found.update((row[0], row[1]) for row in rows if isinstance(row[1], bytes))
    return found


def stream_leaves(engine: Engine, start: int, stop: int, chunk: int = CHUNK) -> Iterator[list[bytes]]:
    """Yield the leaves [start, stop) in lists of at most `chunk`; raises Tampered when one is missing."""
    while start < stop:
        until = min(stop, start + chunk)
        with reading(engine) as connection:
            leaves = leaves_between(connection, start, until)
        yield leaves
        start = until


def _missing(seq: int) -> Tampered:
    return Tampered(f"record {seq} of the access log is missing", mend=_MEND)
