"""Entries of the log as pages show them: a sentence with links, what stands below it, the label's chip, the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from types import MappingProxyType
from typing import Any

from flask import url_for
from markupsafe import Markup, escape

from policies.requests import Role
from portal.audit.reading import Record
from portal.audit.search import Activity, LogEntry
from portal.clock import parse_rfc3339
from portal.http.content import runtime
from portal.services.log_names import Names
from portal.web import audit_words
from portal.web.words import ROLE_WORDS, Chip, moment, size_words

_GONE = "somebody whose name is gone"
_SLOT = re.compile(r"\{(\w+)\}")
_FILTER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "from": "time",
        "until": "time",
        "find": "words",
        "health": "the log's state",
        "count": "before an export",
        "offer": "what it carries",
    }
)


def marking_chip(marking: str) -> Chip:
    """Return the chip of a marking as a record carries it."""
    words = _class_words(runtime().access.policy.digest)
    name = max((one for one in words if marking.startswith(one)), key=len, default=marking)
    return Chip(name, marking.removeprefix(name).strip(" -"), runtime().documents.number_of(marking))


@lru_cache(maxsize=8)
def _class_words(_policy: str) -> tuple[str, ...]:
    """Return the marking of each classification of the active policy (its digest), which takes time to compose."""
    documents = runtime().documents
    return tuple(documents.class_words(item.name) for item in runtime().access.policy.classifications)


def person_link(person: str | None, names: Names) -> Markup:
    """Return a person's name, leading to what they did."""
    if person is None:
        return Markup("somebody unknown")
    name = names.people.get(person)
    words = Markup("<bdi>{}</bdi>").format(name) if name else escape(f"{_GONE} ({person[:8]})")
    return Markup('<b><a href="{}">{}</a></b>').format(url_for("audit.person", person_id=person), words)


def document_link(document: str | None) -> Markup:
    """Return a document's number, leading to who has seen it."""
    if document is None:
        return Markup("a document")
    return Markup("document {}").format(number_link(document))


def number_link(document: str) -> Markup:
    """Return a document's number alone, leading there as well."""
    return Markup('<a class="num" href="{}">{}</a>').format(
        url_for("audit.document", document_id=document), document[:8]
    )


def sentence(entry: LogEntry, names: Names) -> Markup:
    """Return an entry in one plain sentence, with links."""
    record = entry.record
    fields, details = record.fields, record.get("details") or {}
    organisation = (
        fields.get("target") if record.action.startswith("organisation.") else fields.get("organisation")
    )

    def fill(slot: re.Match[str]) -> str:
        match slot[1]:
            case "who":
                return person_link(fields["actor"], names) if "actor" in fields else Markup("The portal")
            case "target":
                return _target(fields, names)
            case "document":
                return document_link(fields.get("document"))
            case "number":
                return number_link(fields["document"]) if "document" in fields else Markup("number unknown")
            case "programme":
                return _named(names.programmes, fields.get("programme"), "a programme")
            case "organisation":
                return _named(names.organisations, organisation, "an organisation")
            case "version":
                return escape(str(fields.get("version", "")))
            case "role":
                role = details.get("role", "")
                return escape(ROLE_WORDS[Role(role)].lower() if role in set(Role) else role)
            case "record":
                seq = details.get("record")
                if seq is None:
                    return Markup("?")
                return Markup('<a class="num" href="{}">{:,}</a>').format(
                    url_for("audit.entry", seq=seq), seq
                )
        raise KeyError(slot[1])

    # The template is ours and holds no markup; everything filled in is escaped above.
    return Markup(_SLOT.sub(fill, audit_words.template_of(entry)))  # noqa: S704


def _target(fields: Mapping[str, Any], names: Names) -> Markup:
    target = fields.get("target")
    if target is not None and target == fields.get("actor"):
        return Markup("themselves")
    return person_link(target, names)


def _named(names: Mapping[str, str], value: str | None, other: str) -> Markup:
    name = names.get(value or "")
    return Markup("<bdi>{}</bdi>").format(name) if name else escape(other)


def particulars(entry: LogEntry, names: Names) -> list[str]:
    """Return what stands below an entry's sentence."""
    record = entry.record
    fields, details = record.fields, record.get("details") or {}
    handed = entry.outcome.get("bytes_handed") if entry.outcome else None
    found = [
        audit_words.why_refused(fields)
        if audit_words.is_refusal(fields)
        else audit_words.how_it_ended(entry),
        f"{size_words(handed)} handed over" if handed is not None else "",
        size_words(details["size"]) if handed is None and "size" in details and "document" in fields else "",
        f"version {fields['version']}" if "version" in fields and record.action != "document.version" else "",
        *_more(record, details),
        names.programmes.get(fields.get("programme", ""), ""),
        names.organisations.get(fields.get("organisation", ""), "") if "actor" in fields else "",
    ]
    return [words for words in found if words]


def _more(record: Record, details: Mapping[str, Any]) -> Iterable[str]:
    action = record.action
    if action == "session.open" and record.get("assurance"):
        yield f"with {audit_words.ASSURANCE.get(record.get('assurance'), '')}"
    if action == "session.close" and details.get("cause") in audit_words.CAUSES:
        yield audit_words.CAUSES[details["cause"]]
    if "archive" in details:
        yield "in a ZIP"
    if "attempts" in details:
        yield f"{details['attempts']:,} attempts"
    if action == "log.search":
        about = {
            _FILTER_WORDS.get(name, name)
            for name in details
            if name not in ("shown", "shown_digest", "filters")
        }
        about |= {_FILTER_WORDS.get(name, name) for name in details.get("filters", ())}
        yield f"by {', '.join(sorted(about))}" if about else ""
    if action == "log.export":
        yield {"jsonl": "JSON Lines", "csv": "CSV"}.get(details.get("format", ""), "")
    if action in ("grant.clearance", "grant.briefing") and details.get("classifications"):
        yield ", ".join(details["classifications"])
    if action.startswith("grant.") or action == "token.create":
        for sort, name in (("from", "from"), ("until", "until")):
            if name in details:
                yield f"{sort} {moment(parse_rfc3339(details[name])).day}"
    if action == "tamper.detected":
        yield ", ".join(
            f"{name} {details[name]}" for name in ("table", "row", "store", "object") if name in details
        )
    yield details.get("job", "")


def view(entry: LogEntry, names: Names) -> dict[str, Any]:
    """Return an entry as `parts/timeline.html` takes it."""
    record = entry.record
    refused = audit_words.is_refusal(record.fields)
    marking = record.get("label")
    deed = audit_words.deed_of(record.action)
    icon = deed.icon
    if refused and isinstance(deed, audit_words.Deed):
        icon = "circle-x"
    elif entry.unsure:
        icon = "alert-triangle"
    return {
        "time": f"{record.time:%H:%M:%S}",
        "iso": record.time.isoformat(),
        "icon": icon,
        "sentence": sentence(entry, names),
        "sub": " · ".join(particulars(entry, names)),
        "marking": marking_chip(marking) if marking else None,
        "number": record.seq,
        "url": url_for("audit.entry", seq=record.seq),
        "ended": entry.outcome.seq if entry.outcome else None,
        "ended_url": url_for("audit.entry", seq=entry.outcome.seq) if entry.outcome else "",
        "kind": "refused" if refused else "unsure" if entry.unsure else "",
    }


def days(entries: Sequence[LogEntry], names: Names) -> list[dict[str, Any]]:
    """Return entries under their days."""
    return [
        {"name": day_name(day), "entries": [view(entry, names) for entry in found]}
        for day, found in groupby(entries, key=lambda entry: entry.record.time.date())
    ]


def day_name(day: Any) -> str:
    """Return a day as headings have it."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def dated(entries: Sequence[LogEntry], names: Names) -> list[dict[str, Any]]:
    """Return entries for a list without headings: their day stands where the time does."""
    return [
        {**view(entry, names), "time": f"{entry.record.time.day} {entry.record.time:%b %H:%M}"}
        for entry in entries
    ]


def chart(activity: Sequence[Activity], step: Any, *, routine: bool) -> dict[str, Any]:
    """Return a chart's bars and scale, as `hours_chart` takes them: with the daily routine or without."""
    hourly, minutes = step.days == 0, step.seconds < 3600 and not step.days
    years = bool(activity) and activity[0].start.year != activity[-1].start.year
    bars = []
    for one in activity:
        start = one.start
        day = f"{start.day} {start:%b}"
        if minutes:
            name = axis = f"{start:%H:%M}"
        elif not hourly:
            name = axis = f"{day} {start:%Y}" if years else day
        elif step.seconds == 3600:
            name = axis = f"{start:%a %H:%M}"
        else:
            name, axis = f"{start:%a} {day} {start:%H:%M}", day
        accesses = one.accesses if routine else one.accesses - one.routine
        bars.append(
            {
                "name": name,
                "axis": axis,
                "accesses": accesses,
                "refusals": one.refusals,
                "start": start,
                "end": start + step,
            }
        )
    return {
        "bars": bars,
        "top": nice(max((bar["accesses"] + bar["refusals"] for bar in bars), default=0)),
        "accesses": sum(bar["accesses"] for bar in bars),
        "refusals": sum(bar["refusals"] for bar in bars),
        "each": "5 minutes"
        if minutes
        else "hour"
        if step.seconds == 3600
        else "6 hours"
        if hourly
        else "day"
        if step.days == 1
        else f"{step.days} days",
    }


def nice(most: int) -> int:
    """Return the least round and even number that is not below `most`."""
    if most <= 8:
        return max(2, most + most % 2)
    size = 1
    while True:
        for leading in (10, 12, 16, 20, 24, 30, 40, 50, 60, 80):
            if leading * size >= most:
                return leading * size
        size *= 10
