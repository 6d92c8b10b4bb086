"""The counters of all documents, kept in memory: each request reads only what changed since the last one.

Adding up a large portal's counters anew for each page would cost more than the page. They are hints: what a person
may see is decided by the rules, on rows.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from policies import requests as rq
from portal import models

_TABLE = cast(Table, models.Counter.__table__).c
_KEPT = 256


@dataclass(frozen=True)
class Within:
    """The counters within somebody's reach, as (programme, label's row, originator, number), never changed.

    `addressed` is how many of the documents are addressed to their organisation.
    """

    rows: tuple[tuple[str, int, str, int], ...] = ()
    addressed: int = 0
    widened: dict[tuple[tuple[str, int, str], ...], Within] = field(default_factory=dict, compare=False)

    def and_released(self, released: Collection[tuple[str, int, str]]) -> Within:
        """Return these with documents that are released to the person: of each programme, label's row, originator."""
        if not released:
            return self
        places = tuple(sorted(released))
        found = self.widened.get(places)
        if found is None:
            more = tuple((*place, number) for place, number in Counter(places).items())
            self.widened.clear()
            found = self.widened[places] = Within(self.rows + more, self.addressed + len(places))
        return found

    @cached_property
    def by_programme(self) -> Mapping[str, int]:
        """Programme id → number."""
        sums: Counter[str] = Counter()
        for programme, _, _, number in self.rows:
            sums[programme] += number
        return sums

    @cached_property
    def by_label(self) -> Mapping[int, int]:
        """Label's row → number."""
        sums: Counter[int] = Counter()
        for _, label, _, number in self.rows:
            sums[label] += number
        return sums

    @cached_property
    def by_originator(self) -> Mapping[str, int]:
        """Originator's id → number."""
        sums: Counter[str] = Counter()
        for _, _, by, number in self.rows:
            sums[by] += number
        return sums

    @cached_property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.by_programme.values())

    def of(self, programme: str | None, labels: Collection[int] | None, originator: str | None = None) -> int:
        """Return how many there are of a programme, of some labels and by an originator (None: of all)."""
        wanted = [given is not None for given in (programme, labels, originator)]
        match wanted:
            case [False, False, False]:
                return self.total
            case [True, False, False]:
                return self.by_programme.get(programme or "", 0)
            case [False, True, False]:
                return sum(self.by_label.get(label, 0) for label in labels or ())
            case [False, False, True]:
                return self.by_originator.get(originator or "", 0)
        return sum(
            number
            for place, label, by, number in self.rows
            if programme in (None, place) and (labels is None or label in labels) and originator in (None, by)
        )


@dataclass(slots=True)
class _Sums:
    """The counters of received documents: (label's row, originator, addressee) → number, by programme; and totals."""

    last: int = 0
    rows: dict[str, dict[tuple[int, str, str], int]] = field(default_factory=dict)
    programmes: Counter[str] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    originators: Counter[str] = field(default_factory=Counter)


class Counters:
    """Follows the table of counters, and adds up what somebody can reach."""

    def __init__(self) -> None:
        self._sums = _Sums()
        self._within: OrderedDict[tuple[frozenset[str], frozenset[int], str], Within] = OrderedDict()
        self._lock = threading.Lock()

    def within(
        self, session: Session, programmes: frozenset[str], labels: frozenset[int], organisation: str
    ) -> Within:
        """Return what is within reach: of these programmes and labels, sent by or addressed to the organisation."""
        key = programmes, labels, organisation
        with self._lock:
            self._follow(session)
            found = self._within.get(key)
            if found is None:
                found = self._within[key] = self._add_up(*key)
                if len(self._within) > _KEPT:
                    self._within.popitem(last=False)
            else:
                self._within.move_to_end(key)
        return found

    @property
    def total(self) -> int:
        """How many documents there are, whoever may see them."""
        return self._sums.programmes.total()

    def of_programmes(self, programmes: Collection[str]) -> int:
        """Return how many documents these programmes have, whoever may see them."""
        return sum(self._sums.programmes[programme] for programme in programmes)

    def of_labels(self, labels: Collection[int]) -> int:
        """Return how many documents have these labels."""
        return sum(self._sums.labels[label] for label in labels)

    def of_originator(self, organisation: str) -> int:
        """Return how many documents an organisation sent."""
        return self._sums.originators[organisation]

    def _follow(self, session: Session) -> None:
        sums = self._sums
        changed = session.execute(
            select(
                _TABLE.changed,
                _TABLE.programme_id,
                _TABLE.label_id,
                _TABLE.originator_id,
                _TABLE.addressee_id,
                _TABLE.number,
            ).where(_TABLE.changed > sums.last, _TABLE.state == rq.DocumentState.RECEIVED.value)
        ).all()
        if not changed:
            return
        self._within.clear()
        for stamp, programme, label, originator, addressee, number in changed:
            rows = sums.rows.setdefault(programme, {})
            key = label, originator, addressee
            more = number - rows.get(key, 0)
            rows[key] = number
            sums.programmes[programme] += more
            sums.labels[label] += more
            sums.originators[originator] += more
            sums.last = max(sums.last, stamp)

    def _add_up(self, programmes: frozenset[str], labels: frozenset[int], organisation: str) -> Within:
        addressed = 0
        found = []
        for programme in programmes:
            for (label, originator, addressee), number in self._sums.rows.get(programme, {}).items():
                if label in labels and number > 0 and organisation in (originator, addressee):
                    found.append((programme, label, originator, number))
                    addressed += number if addressee == organisation else 0
        return Within(tuple(found), addressed)


_PLACE = ("programme_id", "label_id", "originator_id", "addressee_id", "state")


def count_more(session: Session, place: tuple[str, int, str, str, str], more: int) -> None:
    """Change how many documents share (programme, label's row, originator, addressee, state), in this transaction."""
    counter = session.get(models.Counter, place)
    if counter is None:
        counter = models.Counter(**dict(zip(_PLACE, place, strict=True)), number=0)
    counter.number += more
    # Writers take turns, so that this grows in the order in which changes become visible.
    counter.changed = (session.scalar(select(func.max(models.Counter.changed))) or 0) + 1
    session.add(counter)
    session.flush()


def recount(session: Session) -> None:
    """Set every counter to what the documents say, in this transaction."""
    there = count(session)
    for counter in session.scalars(select(models.Counter)).all():
        place = tuple(getattr(counter, name) for name in _PLACE)
        more = there.pop(place, 0) - counter.number
        if more:
            count_more(session, place, more)
    for place, number in there.items():
        count_more(session, place, number)


def count(session: Session) -> dict[tuple[str, int, str, str, str], int]:
    """Count the documents themselves, by what each counter is about."""
    columns = [getattr(models.Document, name) for name in _PLACE]
    rows = session.execute(select(*columns, func.count()).group_by(*columns))
    return {(row[0], row[1], row[2], row[3], row[4]): row[5] for row in rows}
