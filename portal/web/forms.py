"""What plain forms have in common: days that were typed, values that were ticked, and a refusal said in the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from werkzeug.datastructures import MultiDict

from portal.errors import Conflict, Invalid, PortalError
from portal.http.problems import record_refusal

TAG = "tag:"
"""What the name of a field for a tag set's values begins with."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def sentence(error: PortalError) -> str:
    """Return what was wrong, and what to do about it."""
    return f"{error.message} {error.mend}".strip()


def refused(error: PortalError) -> tuple[str, int]:
    """Record a refusal that the form itself will tell; returns its words and status.

    Raises what recording raised: a refusal that cannot be recorded is an answer of its own.
    """
    told = record_refusal(error)
    if told is not error:
        raise told
    return sentence(error), error.status


FORM_ERRORS = (Invalid, Conflict)
"""What a form tells beside its fields; every other error has a page of its own."""


def wanted_day(values: MultiDict[str, str], name: str) -> datetime | None:
    """Read a day (ISO 8601) as its first moment in UTC, None when it was left empty; raises Invalid."""
    text = values.get(name, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid("This is not a day of the calendar.", mend="Write it as 2026-11-24.") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ticked(values: MultiDict[str, str]) -> dict[str, list[str]]:
    """Return the category values that were chosen, by tag set."""
    return {name.removeprefix(TAG): values.getlist(name) for name in values if name.startswith(TAG)}


def local_path(target: str) -> str:
    """Return `target` when it is a path of this portal, else nothing: no open redirects."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    if not target.isprintable() or parts.scheme or parts.netloc:
        return ""
    if not target.startswith("/") or target.startswith(("//", "/\\")):
        return ""
    return target


def id_in(text: str) -> str:
    """Return the id that a text holds, such as the address of a page; "" when it holds none."""
    found = _ID.search(text)
    return found[0].lower() if found else ""


def ids_in(text: str) -> set[str]:
    """Return all ids that a text holds."""
    return {found.lower() for found in _ID.findall(text)}


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a text with names in place of the ids that have one."""
    return _ID.sub(lambda found: names.get(found[0].lower()) or found[0], text)
