"""Words of pages: sizes, times, labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from policies.requests import Role
from portal.services.document_views import LabelView

ROLE_WORDS: Mapping[Role, str] = MappingProxyType(
    {
        Role.PARTNER: "Partner",
        Role.OFFICIAL: "Official",
        Role.OFFICER: "Security officer",
        Role.AUDITOR: "Auditor",
        Role.ADMINISTRATOR: "Administrator",
    }
)

ASSURANCE_WORDS: Mapping[int, str] = MappingProxyType(
    {1: "a password", 2: "a second factor", 3: "a passkey or certificate"}
)
"""What a sign-in of each assurance was made with."""

_STEPS = ("kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Chip:
    """A label chip: the classification's words, the rest of the marking, the classification's number."""

    name: str
    rest: str
    lacv: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as pages show it, in UTC."""

    iso: str
    day: str
    time: str


def chip(label: LabelView) -> Chip:
    """Return the chip of a label."""
    return Chip(label.class_words, label.marking.removeprefix(label.class_words).strip(" -"), label.lacv)


def size_words(size: int) -> str:
    """Return a size in bytes as people read it (decimal units)."""
    if size < 1000:
        return f"{size} bytes" if size != 1 else "1 byte"
    value = float(size)
    for unit in _STEPS:
        value /= 1000
        if value < 999.5 or unit == _STEPS[-1]:
            return f"{value:.3g} {unit}"
    raise AssertionError("the last unit is always enough")


def moment(time: datetime) -> Moment:
    """Return a time's words."""
    utc = time.astimezone(UTC)
    return Moment(utc.isoformat(timespec="seconds"), f"{utc.day} {utc:%b %Y}", f"{utc:%H:%M} UTC")


def day_words(time: datetime) -> str:
    """Return a day with its weekday, and the time where it is not the day's first moment (UTC)."""
    utc = time.astimezone(UTC)
    day = f"{utc:%a} {utc.day} {utc:%b %Y}"
    return day if utc.hour == utc.minute == 0 else f"{day}, {utc:%H:%M} UTC"


def ends_words(end: datetime, now: datetime) -> str:
    """Return when something ends that ends soon, such as "Thu 26 Nov, in 2 days"."""
    utc = end.astimezone(UTC)
    days = (utc.date() - now.astimezone(UTC).date()).days
    near = {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
    return f"{utc:%a} {utc.day} {utc:%b}, {near}"


def age_words(time: datetime, now: datetime) -> str:
    """Return how long ago something was, such as "3 hours ago"."""
    seconds = max(0, int((now - time).total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def moment_words(time: datetime) -> str:
    """Return a time as one phrase."""
    found = moment(time)
    return f"{found.day}, {found.time}"


def when_words(time: datetime, now: datetime) -> str:
    """Return a time as people say it from `now`: today 09:28, Monday 17:40, 12 Oct 2026, 14:18 (all in UTC)."""
    utc, today = time.astimezone(UTC), now.astimezone(UTC).date()
    days = (today - utc.date()).days
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {utc:%H:%M} UTC"
    if 1 < days < 7:
        return f"{utc:%A %H:%M} UTC"
    return moment_words(time)


def date_words(time: datetime, now: datetime) -> str:
    """Return a day, with its year unless that is this one."""
    utc = time.astimezone(UTC)
    year = f" {utc.year}" if utc.year != now.astimezone(UTC).year else ""
    return f"{utc.day} {utc:%B}{year}"


NOTICE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "encrypted": "Encrypted: nobody could look inside, and you need its password to open it.",
        "macros": "Contains macros: open it only if you trust the sender.",
        "embedded": "Contains other files.",
        "signed": "Carries a digital signature.",
        "extension-differs": "Its name says another kind of file than its content.",
        "expands": "Unpacks to far more than its size.",
        "damaged": "Its content is damaged or incomplete.",
        "partly-examined": "Only part of it could be examined.",
        "polyglot": "Can be read as another kind of file as well.",
        "held": "Was kept back until it was examined.",
    }
)
"""What a notice of the content says to people."""

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "application/pdf": "PDF",
        "application/zip": "ZIP archive",
        "text/plain": "Text",
        "text/csv": "Table (CSV)",
        "image/png": "Picture (PNG)",
        "image/jpeg": "Picture (JPEG)",
        "image/tiff": "Picture (TIFF)",
        "application/msword": "Word document",
        "application/x-7z-compressed": "7-Zip archive",
    }
)


_ICONS: tuple[tuple[str, str], ...] = (
    ("pdf", "file-type-pdf"),
    ("image/", "photo"),
    ("video/", "movie"),
    ("zip", "file-zip"),
    ("7z", "file-zip"),
    ("spreadsheet", "file-spreadsheet"),
    ("excel", "file-spreadsheet"),
    ("csv", "file-spreadsheet"),
    ("presentation", "presentation"),
    ("word", "file-text"),
    ("text", "file-text"),
)


def media_icon(media_type: str) -> str:
    """Return the icon of a media type."""
    return next((name for part, name in _ICONS if part in media_type), "file")


def media_words(media_type: str) -> str:
    """Return a media type as people call it."""
    known = _TYPES.get(media_type)
    if known:
        return known
    for part, words in (
        ("wordprocessingml", "Word document"),
        ("word.document", "Word document"),
        ("spreadsheetml", "Excel workbook"),
        ("excel.sheet", "Excel workbook"),
        ("presentationml", "PowerPoint presentation"),
        ("opendocument.text", "OpenDocument text"),
        ("visio", "Visio drawing"),
    ):
        if part in media_type:
            return words
    return media_type
