"""What an auditor asked the log for: read from the address of a page or from the filter form, and said in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from flask import url_for

from portal.audit.catalogue import CATALOGUE
from portal.audit.kinds import is_marking
from portal.audit.search import RecordFilter
from portal.clock import rfc3339
from portal.services.auditing import Asked
from portal.services.log_names import Names
from portal.web import audit_choices
from portal.web.words import moment_words

PERIODS: Mapping[str, tuple[str, timedelta | None]] = MappingProxyType(
    {
        "1h": ("Last hour", timedelta(hours=1)),
        "24h": ("Last 24 hours", timedelta(hours=24)),
        "7d": ("Last 7 days", timedelta(days=7)),
        "31d": ("Last 31 days", timedelta(days=31)),
        "all": ("All time", None),
    }
)
SHORT: Mapping[str, str] = MappingProxyType(
    {"1h": "1 hour", "24h": "24 hours", "7d": "7 days", "31d": "31 days", "all": "All"}
)
DEFAULT_PERIOD = "7d"
DECISIONS: Mapping[str, str] = MappingProxyType(
    {"permit": "Permitted", "deny": "Refused", "unsure": "No recorded end"}
)
NAMES = (
    "last", "from", "to", "person", "document", "programme", "organisation", "action", "decision", "label", "routine",
)  # fmt: skip
"""What the address of a page may carry: periods, ids, codes and markings, never a name or a word of a search."""

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_IDS = ("person", "document", "programme", "organisation")


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked: for the service (`asked`), as the address carries it (`kept`), and what was wrong with it.

    `problems` says for each field what is wrong and what to write instead.
    """

    asked: Asked
    kept: Mapping[str, str]
    problems: Mapping[str, str]

    @property
    def period(self) -> str:
        """The period as forms name it: a key of PERIODS, or "own"."""
        return "own" if {"from", "to"} & self.kept.keys() else self.kept.get("last", DEFAULT_PERIOD)

    def url(self, endpoint: str, **changes: str | None) -> str:
        """Return the address of a page with this selection, some of it changed or (None) left out."""
        values = {name: value for name, value in {**self.kept, **changes}.items() if value}
        return url_for(endpoint, **values)  # type: ignore[arg-type]


def read(values: Mapping[str, Any], now: datetime) -> Selection:
    """Read a selection; what cannot be read is left out of it and told in `problems`."""
    kept = {name: str(values[name]).strip() for name in NAMES if str(values.get(name, "")).strip()}
    problems: dict[str, str] = {}
    start, end = _period(kept, now, problems)
    for name in _IDS:
        if name in kept and _ID.fullmatch(kept[name]) is None:
            problems[name] = "This is not an id of the log. Choose from the list, or look for a name."
    action = kept.get("action")
    if action is not None and action not in CATALOGUE:
        problems["action"] = "The log has no such action. Choose one from the list."
    if kept.get("decision", "permit") not in DECISIONS:
        problems["decision"] = "Choose permitted, refused, or no recorded end."
    if "label" in kept and not is_marking(kept["label"]):
        problems["label"] = "Write the marking as entries show it, such as NATO RESTRICTED."
    sound = {name: value for name, value in kept.items() if name not in problems}
    decision = sound.get("decision")
    wanted = RecordFilter(
        time_from=start,
        time_to=end,
        action=sound.get("action"),
        decision=decision if decision in ("permit", "deny") else None,
        label=sound.get("label"),
        **{name: sound.get(name) for name in _IDS},
    )
    daily = action is not None and action in CATALOGUE and CATALOGUE[action].routine
    asked = Asked(filter=wanted, routine="routine" in kept or daily, unsure=decision == "unsure")
    return Selection(asked, kept, problems)


def _period(
    kept: Mapping[str, str], now: datetime, problems: dict[str, str]
) -> tuple[datetime | None, datetime | None]:
    bounds: dict[str, datetime | None] = {"from": None, "to": None}
    own = {"from", "to"} & kept.keys()
    if not own:
        last = kept.get("last", DEFAULT_PERIOD)
        if last not in PERIODS:
            problems["last"] = "Choose one of the periods."
            return None, None
        span = PERIODS[last][1]
        return (None if span is None else now - span), None
    for name in own:
        try:
            bounds[name] = _time(kept[name])
        except (ValueError, OverflowError):
            problems[name] = "This is not a time. Write it as 2026-11-24T12:00, in UTC."
    start, end = bounds["from"], bounds["to"]
    if start is not None and end is not None and start >= end:
        problems["to"] = "The end is not after the beginning. Exchange them, or choose a later end."
    return start, end


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def local(text: str) -> str:
    """Return a time as a field for day and time takes it (in UTC); what is no time stays as it was typed."""
    try:
        return f"{_time(text):%Y-%m-%dT%H:%M}"
    except (ValueError, OverflowError):
        return text


def in_words(selection: Selection, names: Names) -> list[tuple[str, str, str]]:
    """Return each part of a selection as (field, its name, its value in words)."""
    kept = selection.kept
    found = []
    if selection.period == "own":
        wanted = selection.asked.filter
        words = [
            f"{sort} {moment_words(time)}"
            for sort, time in (("from", wanted.time_from), ("until", wanted.time_to))
            if time is not None
        ]
        found.append(("period", "Time", " ".join(words)))
    elif selection.period != "all":
        found.append(("period", "Time", PERIODS[selection.period][0].lower()))
    for field, name, known in (
        ("person", "Person", names.people),
        ("programme", "Programme", names.programmes),
        ("organisation", "Organisation", names.organisations),
    ):
        if field in kept:
            found.append((field, name, known.get(kept[field]) or f"number {kept[field][:8]}"))
    if "document" in kept:
        found.append(("document", "Document", kept["document"][:8]))
    if "action" in kept:
        found.append(("action", "Action", audit_choices.CHOICES.get(kept["action"], kept["action"])))
    if "decision" in kept:
        found.append(("decision", "Decision", DECISIONS[kept["decision"]].lower()))
    if "label" in kept:
        found.append(("label", "Label", kept["label"]))
    return found


def chips(selection: Selection, names: Names, endpoint: str) -> list[dict[str, str]]:
    """Return the chips of a selection; each leads to the same page without it.

    A period that has a name is not among them: the row of periods shows it.
    """
    without: dict[str, dict[str, str | None]] = {"period": {"from": None, "to": None, "last": "all"}}
    return [
        {
            "name": name,
            "value": words,
            "remove_url": selection.url(endpoint, **without.get(field, {field: None})),
        }
        for field, name, words in in_words(selection, names)
        if field != "period" or selection.period == "own"
    ]


def fixed(selection: Selection) -> dict[str, str]:
    """Return a selection as an export's address carries it, its period as fixed times."""
    wanted = selection.asked.filter
    times = {"from": wanted.time_from, "to": wanted.time_to}
    kept = {
        name: value
        for name, value in selection.kept.items()
        if name not in ("last", "from", "to", "routine") and (name, value) != ("decision", "unsure")
    }
    return kept | {name: rfc3339(time) for name, time in times.items() if time is not None}
