"""What opens the log's commitments: read for one record, and sealed anew when the key that sealed it was rotated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, Row, bindparam, func, select, tuple_, update

from crypto import envelope
from crypto.errors import Damaged
from portal.audit import tables
from portal.audit.reading import Record
from portal.audit.record import Sealer, disclosure_context
from portal.audit.store import reading, writing


class Disclosures:
    """The table of disclosures of one log."""

    def __init__(self, engine: Engine, sealer: Sealer, record: Callable[[int], Record], wait: float) -> None:
        self._engine = engine
        self._sealer = sealer
        self._record = record
        self._wait = wait

    def count(self) -> int:
        """Return how many there are."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.count()).select_from(tables.disclosures)).scalar() or 0

    def reseal(self, after: tuple[int, str], most: int) -> tuple[tuple[int, str] | None, int, int]:
        """Seal at most `most` of them after (number, name) with the newest key.

        Returns the last one that was looked at (None: there is none), how many were sealed, how many do not open.
        """
        table = tables.disclosures
        query = (
            select(table)
            .where(tuple_(table.c.seq, table.c.name) > tuple_(*after))
            .order_by(table.c.seq, table.c.name)
            .limit(most)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        if not rows:
            return None, 0, 0
        newest = self._sealer.seal(("probe",), b"")[: envelope.PREFIX_BYTES]
        changes, failed = [], 0
        for row in rows:
            if row.salt[: envelope.PREFIX_BYTES] == row.value[: envelope.PREFIX_BYTES] == newest:
                continue
            try:
                changes.append(self._sealed(row))
            except Damaged:
                failed += 1
        if changes:
            with writing(self._engine, self._wait) as connection:
                connection.execute(_UPDATE, changes)
        return (rows[-1].seq, rows[-1].name), len(changes), failed

    def _sealed(self, row: Row[Any]) -> dict[str, object]:
        commitment = (self._record(row.seq).get("commitments") or {}).get(row.name, "")
        found: dict[str, object] = {"of_seq": row.seq, "of_name": row.name}
        for part, blob in (("salt", row.salt), ("value", row.value)):
            context = disclosure_context(row.name, commitment, part)
            found[f"new_{part}"] = self._sealer.seal(context, self._sealer.open(context, blob))
        return found


_UPDATE = (
    update(tables.disclosures)
    .where(tables.disclosures.c.seq == bindparam("of_seq"), tables.disclosures.c.name == bindparam("of_name"))
    .values(salt=bindparam("new_salt"), value=bindparam("new_value"))
)
