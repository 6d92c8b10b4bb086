"""The only clock: everything that needs the time is handed one of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present time as an aware datetime in UTC."""


def system_clock() -> datetime:
    """Return the machine's time, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write an aware `moment` as RFC 3339 in UTC with microseconds, as log records carry it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time; raises ValueError when it is malformed or carries no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time carries no offset: write it as 2026-11-24T12:00:00Z")
    return moment.astimezone(UTC)
