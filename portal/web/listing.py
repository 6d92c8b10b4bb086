"""The list of documents as a page shows it: what was asked for, tabs, filters, orders, rows, where one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any

from flask import url_for
from werkzeug.datastructures import MultiDict

from portal.errors import Invalid
from portal.services.document_counts import MOST_COUNTED
from portal.services.document_search import MOST_SORTED
from portal.services.document_views import DocumentFilter, DocumentView, Overview
from portal.web.people_lists import SOON
from portal.web.words import Moment, chip, date_words, media_words, moment, size_words, when_words

PAGE = 25
KEPT = ("view", "programme", "label", "by", "since", "q", "sort")
"""What an address of the list keeps from page to page; none of it is a title, a name or a word of a search."""

SORTS: Mapping[str, str] = MappingProxyType(
    {
        "-created": "Newest first",
        "created": "Oldest first",
        "programme": "By programme",
        "-label": "Most sensitive first",
        "label": "Least sensitive first",
        "-size": "Largest first",
        "size": "Smallest first",
    }
)
_COLUMNS = {
    "label": ("-label", "label"),
    "programme": ("programme", "programme"),
    "size": ("-size", "size"),
    "received": ("-created", "created"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: the filter, the words that it was made of, and the time before which nothing is new."""

    wanted: DocumentFilter
    kept: Mapping[str, str]
    last_visit: datetime | None
    number: int

    def url(self, **changed: str | None) -> str:
        """Return the address of the same list with some of it changed, from its first page on."""
        values: dict[str, Any] = {name: value for name, value in {**self.kept, **changed}.items() if value}
        return url_for("documents.index", **values)


def asked(values: MultiDict[str, str], text: str | None, last_visit: datetime | None) -> Asked:
    """Read an address of the list; raises Invalid for a day that is none."""
    kept = {name: values[name] for name in KEPT if values.get(name)}
    if kept.get("view") == "new" and last_visit is None:
        del kept["view"]
    number = values.get("at", "")
    return Asked(
        DocumentFilter(
            programme=kept.get("programme"),
            label=kept.get("label"),
            text=text,
            sort=kept.get("sort", "-created"),
            since=last_visit if kept.get("view") == "new" else None,
            own=kept.get("view") == "own",
            received=_day(kept["since"]) if "since" in kept else None,
            originator=kept.get("by"),
        ),
        kept,
        last_visit,
        int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1,
    )


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise Invalid("The day cannot be read.", mend="Write it as 2026-11-24, or choose it.") from None


def shown(found: Overview, asked: Asked, now: datetime) -> dict[str, Any]:
    """Return what the template reads."""
    fresh = sum(found.fresh.values())
    total = sum(found.counts.values())
    return {
        "rows": [row(item, asked.last_visit, now) for item in found.page.items],
        "sentence": _sentence(total, len(found.programmes), fresh, asked.last_visit, now),
        "views": _views(asked, total, fresh, found.own),
        "filters": _filters(found, asked, now),
        "sort": asked.wanted.sort,
        "orders": SORTS.items(),
        "sorts": {column: _column(asked, keys) for column, keys in _COLUMNS.items()},
        "shown": _range(asked.number, len(found.page.items), found),
        "older_url": asked.url(cursor=found.page.next, at=str(asked.number + len(found.page.items)))
        if found.page.next
        else "",
        "newest_url": asked.url() if asked.number > 1 else "",
        "newest_first": asked.wanted.sort == "-created",
        "only_newest": MOST_SORTED if _sorts_some(found, asked) else 0,
        "programmes": found.programmes,
        "beside": _beside(found, asked),
        "label_options": [(label.marking, label.marking) for label in found.labels],
        "originator_options": [(one.id, one.name) for one in found.originators],
        "kept": asked.kept,
        "search_words": asked.wanted.text or "",
        "search_fields": {name: value for name, value in asked.kept.items() if name != "q"},
        "clear_url": url_for("documents.index"),
        "nothing_at_all": total == 0,
        "clearance": _clearance(found.cleared_until, now),
    }


def _sorts_some(found: Overview, asked: Asked) -> bool:
    """Whether a search may match more than it sorts in this order."""
    by_time = asked.wanted.sort.removeprefix("-") == "created"
    return bool(asked.wanted.text) and not by_time and not found.exact


def row(item: DocumentView, last_visit: datetime | None, now: datetime) -> dict[str, Any]:
    """Return a row of the list."""
    return {
        "id": item.id,
        "url": url_for("documents.show", document_id=item.id),
        "title": item.title,
        "marking": chip(item.label),
        "reference": media_words(item.current.media_type) if item.current else "",
        "version": item.version,
        "originator": item.originator,
        "programme": item.programme.name,
        "size": size_words(item.size),
        "bytes": item.size,
        "received": _received(item.created, now),
        "is_new": last_visit is not None and item.created >= last_visit and not item.own,
    }


def _received(time: datetime, now: datetime) -> Moment:
    full = moment(time)
    year = f" {now.astimezone(UTC).year}"
    return Moment(full.iso, full.day.removesuffix(year), full.time.removesuffix(" UTC"))


def _sentence(total: int, programmes: int, fresh: int, last_visit: datetime | None, now: datetime) -> str:
    if not programmes:
        return "You are in no programme yet."
    where = "1 programme" if programmes == 1 else f"{programmes:,} programmes"
    sentence = f"{total:,} you may read in {where}." if total else f"Nothing is open to you in {where} now."
    if last_visit is None or not total:
        return sentence
    since = f"since {when_words(last_visit, now)}"
    if not fresh:
        return f"{sentence} Nothing is new {since}."
    return f"{sentence} {many(fresh)} {'is' if fresh == 1 else 'are'} new {since}."


def _clearance(until: datetime | None, now: datetime) -> dict[str, str] | None:
    """Return what somebody must know of their clearance: that it has ended, or ends soon."""
    if until is None or until - now > SOON:
        return None
    day = date_words(until, now)
    if until <= now:
        return {
            "tone": "bad",
            "what": f"Your clearance ended on {day}.",
            "next": "What needs one is not listed until it is renewed. Ask your security officer.",
        }
    return {
        "tone": "warn",
        "what": f"Your clearance ends on {day}.",
        "next": "Ask your security officer to renew it: nothing that needs one opens after that day.",
    }


def many(number: int) -> str:
    """Return a number of what is new, which is counted up to MOST_COUNTED."""
    return f"{MOST_COUNTED:,} or more" if number >= MOST_COUNTED else f"{number:,}"


def _views(asked: Asked, total: int, fresh: int, own: int) -> Sequence[dict[str, Any]]:
    offered = [("", "All", f"{total:,}")]
    if asked.last_visit is not None:
        offered.append(("new", "New for me", many(fresh)))
    if 0 < own < total or asked.kept.get("view") == "own":
        offered.append(("own", "From us", f"{own:,}"))
    current = asked.kept.get("view", "")
    return [
        {"label": words, "url": asked.url(view=name), "current": name == current, "count": count}
        for name, words, count in offered
    ]


def _filters(found: Overview, asked: Asked, now: datetime) -> list[dict[str, str]]:
    programmes = {item.id: item.name for item in found.programmes}
    originators = {item.id: item.name for item in found.originators}
    by = asked.wanted.originator
    received = asked.wanted.received
    chosen = (
        ("q", "Title", asked.wanted.text),
        ("programme", "Programme", programmes.get(asked.wanted.programme or "")),
        ("label", "Label", asked.wanted.label),
        ("by", "From", originators.get(by, "somebody else") if by else None),
        ("since", "Received", f"since {date_words(received, now)}" if received else None),
    )
    return [
        {"name": name, "value": value, "remove_url": asked.url(**{key: None})}
        for key, name, value in chosen
        if value
    ]


def _column(asked: Asked, keys: tuple[str, str]) -> dict[str, str]:
    descending, ascending = keys
    current = asked.wanted.sort
    direction = {ascending: "ascending", descending: "descending"}.get(current, "")
    return {"url": asked.url(sort=ascending if current == descending else descending), "direction": direction}


def _range(number: int, here: int, found: Overview) -> str:
    if not here:
        return ""
    last = number + here - 1
    whole = f"{max(found.total, last):,}" if found.exact else f"more than {found.total:,}"
    return f"{number:,}\u2013{last:,} of {whole}" if here > 1 else f"{number:,} of {whole}"


def _beside(found: Overview, asked: Asked) -> list[dict[str, Any]]:
    """Return the programmes beside the list: those with something new first, twenty at most."""
    order = sorted(
        found.programmes, key=lambda one: (one.id != asked.wanted.programme, not found.fresh.get(one.id))
    )
    some = sorted(order[:20], key=lambda one: one.name.casefold())
    return [
        {
            "name": item.name,
            "url": url_for("documents.index", programme=item.id),
            "current": item.id == asked.wanted.programme,
            "count": f"{many(found.fresh[item.id])} new"
            if found.fresh.get(item.id)
            else f"{found.counts.get(item.id, 0):,}",
        }
        for item in some
    ]
