"""What people of the demonstration do in its last month: who sits down when, and what they open or try to open.

All of it is drawn from one seed, so that every demonstration tells the same story, counted back from its first start.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.cli.demonstration.cast import HARBOUR, OFFICE, PEOPLE, PROGRAMMES, RELAY
from portal.cli.demonstration.library import DELIVERABLES, Deliverable

_SEED = "Strongroom"
_DAYS = 31
_HOURS = (6, 7, 7, 8, 8, 8, 9, 9, 10, 11, 12, 13, 13, 14, 14, 15, 16, 17, 19)
_READERS = (
    *("official",) * 6,
    *("official-restricted",) * 4,
    *("partner",) * 3,
    *("partner-other",) * 2,
    *("katerina",) * 3,
    *("official-lapsed",) * 3,
    *("siobhan",) * 2,
    "renaud",
)
_OUT_OF_REACH = 0.09
_SATURDAY = 5


class Act(StrEnum):
    """Something that somebody does while they are signed in, or while they try to be."""

    LIST = "list"
    SEARCH = "search"
    SHOW = "show"
    VIEW = "view"
    READ = "read"
    GIVE_UP = "give-up"
    ZIP = "zip"
    MISTYPE = "mistype"
    LOOK = "look"
    EXPORT = "export"
    ASK_WHY = "ask-why"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Deed:
    """One act, with the titles that it is about."""

    act: Act
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sitting:
    """From sign-in to sign-out: `days` before the first start, deeds some minutes apart."""

    person: str
    days: float
    deeds: tuple[Deed, ...]


def month(now: datetime) -> Sequence[Sitting]:
    """Return the sittings of the last month before `now`, the oldest first: busy weekdays, quiet weekends."""
    choice = random.Random(_SEED)  # noqa: S311 - a story, not a secret
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for back in range(_DAYS, -1, -1):
        day = midnight - timedelta(days=back)
        weekend = day.weekday() >= _SATURDAY
        # The last day is never quiet: whoever looks first sees it.
        number = choice.randint(1, 4) if back > 1 else 7
        for _ in range(number):
            minutes = 60 * choice.choice(_HOURS) + choice.randrange(60)
            days = (now - day - timedelta(minutes=minutes)) / timedelta(days=1)
            sitting = Sitting(
                person := choice.choice(_READERS), days, tuple(_deeds(choice, person, _there(now, days)))
            )
            if days > 0 and (not weekend or back < 2 or choice.random() < 0.25):
                found.append(sitting)
    return sorted([*found, *_of_note(now), *_of_offices(now)], key=lambda one: -one.days)


def at_work(now: datetime, days: float) -> float:
    """Return `days` before `now`, a day or more, moved into that day's office hours; the order of times stays."""
    return _days_ago(now, int(days), 17 - 9 * (days % 1))


def _there(now: datetime, days: float) -> list[Deliverable]:
    return [item for item in DELIVERABLES if at_work(now, item.days[0]) > days + 0.05]


def _within_reach(person: str, item: Deliverable) -> bool:
    part = PEOPLE[person]
    ranks = ("", "UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
    level = item.marking.removeprefix("NATO ").split(" Releasable")[0]
    own = part.organisation in (OFFICE, PEOPLE[item.sender].organisation)
    member = person in PROGRAMMES[item.programme]
    return own and member and ranks.index(level) <= ranks.index(part.cleared)


def _deeds(choice: random.Random, person: str, there: Sequence[Deliverable]) -> Iterator[Deed]:
    reach = [item.title for item in there if _within_reach(person, item)]
    others = [item.title for item in there if not _within_reach(person, item)]
    if choice.random() < 0.06:
        yield Deed(Act.MISTYPE)
    yield Deed(Act.LIST)
    if choice.random() < 0.3:
        yield Deed(Act.SEARCH, (choice.choice(reach or others).split()[0].strip(","),))
    for _ in range(choice.randint(1, 4)):
        refused = choice.random() < _OUT_OF_REACH or not reach
        # What came last is what is read most.
        title = (
            choice.choice(others)
            if refused and others
            else reach[-1 - int(choice.random() ** 2 * len(reach))]
        )
        yield Deed(Act.SHOW, (title,))
        yield Deed(choice.choices((Act.VIEW, Act.READ, Act.GIVE_UP), (5, 4, 0.5))[0], (title,))


def _of_note(now: datetime) -> Iterator[Sitting]:
    """What an auditor should stumble upon: a night's haul, a row of refusals, a clearance that has ended."""
    night = _days_ago(now, 9, 2.4)
    relay = [item.title for item in _there(now, night) if item.programme == RELAY]
    yield Sitting("official", night, (Deed(Act.LIST), Deed(Act.ZIP, tuple(relay))))
    knocking = _days_ago(now, 12, 13.2)
    closed = [item.title for item in _there(now, knocking) if not _within_reach("official-restricted", item)]
    yield Sitting("official-restricted", knocking, tuple(Deed(Act.READ, (title,)) for title in closed[:9]))
    for days in (_days_ago(now, 3, 9.8), _days_ago(now, 1, 9.82)):
        confidential = [
            item.title
            for item in _there(now, days)
            if item.programme == HARBOUR and "CONFIDENTIAL" in item.marking
        ]
        yield Sitting("official-lapsed", days, (Deed(Act.LIST), Deed(Act.VIEW, (confidential[-1],))))


def _of_offices(now: datetime) -> Iterator[Sitting]:
    """What officers, auditors and the administrator do week by week."""
    for week in range(4, -1, -1):
        yield Sitting("auditor", _days_ago(now, 7 * week + 1, 15.1), (Deed(Act.LOOK), Deed(Act.EXPORT)))
        yield Sitting("administrator", _days_ago(now, 7 * week + 2, 7.3), (Deed(Act.STATUS),))
    refused = ("Sensor coverage, computed",)
    yield Sitting("officer", _days_ago(now, 2, 10.1), (Deed(Act.ASK_WHY, refused),))
    yield Sitting("auditor-second", _days_ago(now, 6, 12.7), (Deed(Act.LOOK),))


def _days_ago(now: datetime, days: int, hour: float) -> float:
    """Return how many days before `now` that hour (UTC) of that day is."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return (now - midnight + timedelta(days=days) - timedelta(hours=hour)) / timedelta(days=1)
