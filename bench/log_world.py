"""A long access log for benchmarks: leaves written straight into their table, as appends would have written them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND
from portal.audit.record import canonical
from portal.audit.store import writing
from portal.clock import rfc3339
from portal.models import new_id
from portal.services.runtime import Runtime

_CHUNK = 20_000
_RULES = ("need-to-know", "clearance-in-force", "label-dominated", "releasable")


def fill(
    runtime: Runtime,
    people: Sequence[tuple[str, str]],
    documents: Sequence[tuple[str, str]],
    labels: Sequence[str],
    records: int,
    days: int = 31,
    seed: int = 5,
) -> None:
    """Append `records` leaves over the last `days`: people are (id, organisation), documents (id, programme).

    A few people and documents take the most of them, as everywhere. The projection is caught up at the end.
    """
    chance = random.Random(seed)
    engine, start = runtime.log_engine, runtime.log.size()
    end = runtime.clock()
    writer = _Leaves(chance, people, documents, labels, start, end - timedelta(days=days), days, records)
    batch: list[dict[str, Any]] = []
    for seq, leaf in enumerate(writer.leaves(), start):
        batch.append({"seq": seq, "leaf": leaf})
        if len(batch) == _CHUNK or seq == start + records - 1:
            with writing(engine, 30.0) as connection:
                connection.execute(insert(tables.leaves), batch)
                last = (writer.time - EPOCH) // MICROSECOND
                connection.execute(update(tables.head).values(size=seq + 1, time=last))
            batch = []
    runtime.log.rebuild_projection()


class _Leaves:
    def __init__(
        self,
        chance: random.Random,
        people: Sequence[tuple[str, str]],
        documents: Sequence[tuple[str, str]],
        labels: Sequence[str],
        seq: int,
        start: datetime,
        days: int,
        records: int,
    ) -> None:
        self.chance = chance
        self.people = people
        self.documents = documents
        self.labels = labels
        self.seq = seq
        self.end = seq + records
        self.time = start
        self.step = timedelta(days=days) / records
        self.subjects: dict[str, list[int]] = {}

    def leaves(self) -> Iterator[bytes]:
        chance = self.chance
        while self.seq < self.end:
            person, organisation = self._some(self.people)
            sort = chance.random()
            base = {
                "actor": person,
                "organisation": organisation,
                "assurance": 2,
                "session": new_id(),
                "request": new_id(),
            }
            if sort < 0.15:
                yield self._leaf("session.open", **base, details={"method": "password-totp"})
                yield self._leaf("session.open", **base, outcome="complete", completes=self.seq - 1)
            elif sort < 0.45:
                yield self._leaf("document.list", **base, decision="permit", details={"shown": 25})
            else:
                document, programme = self._some(self.documents)
                about = {"document": document, "programme": programme, "label": self._label(document)}
                if sort < 0.6:
                    yield self._leaf("document.show", **base, **about, decision="permit")
                elif sort < 0.63:
                    rule = chance.choice(_RULES)
                    yield self._leaf("document.read", **base, **about, decision="deny", rule=rule)
                else:
                    action = chance.choice(("document.read", "document.preview"))
                    intent = self.seq
                    yield self._leaf(action, **base, **about, version=1, decision="permit")
                    if chance.random() < 0.999:
                        done = {"outcome": "complete", "completes": intent, "bytes_handed": 100_000}
                        yield self._leaf(action, **base, **about, version=1, **done)

    def _leaf(self, action: str, **fields: Any) -> bytes:
        self.time += self.step
        subjects = {}
        for kind, value in (("person", fields.get("actor")), ("document", fields.get("document"))):
            if value is not None:
                number, before = self.subjects.get(f"{kind}:{value}", [0, -1])
                subjects[f"{kind}:{value}"] = [number + 1, before]
                self.subjects[f"{kind}:{value}"] = [number + 1, self.seq]
        leaf = canonical(
            {
                "v": 1,
                "seq": self.seq,
                "time": rfc3339(self.time),
                "node": "bench",
                "action": action,
                "subjects": subjects,
                **fields,
            }
        )
        self.seq += 1
        return leaf

    def _some(self, items: Sequence[tuple[str, str]]) -> tuple[str, str]:
        # The square of a number below one leans to the front of the list.
        return items[int(len(items) * self.chance.random() ** 2)]

    def _label(self, document: str) -> str:
        return self.labels[int(document[:8], 16) % len(self.labels)]
