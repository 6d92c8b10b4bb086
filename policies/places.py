"""Where and when: networks and hours at which a classification may be used."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from functools import lru_cache

from policies.errors import InvalidRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERY_DAY = frozenset(range(7))


def network(text: str) -> Network:
    """Return a network such as `192.0.2.0/24`. Raises InvalidRequest; bits beyond the prefix are refused."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise InvalidRequest(f"{text} is no network: {error}") from None


@lru_cache(4096)
def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def within(address: str | None, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; one that is not known or not an address never does.

    An IPv4 address that is written as an IPv6 one (RFC 4291 §2.5.5.2) is the IPv4 address. A scope (RFC 4007)
    is no part of where an address lies.
    """
    found = None if address is None else _parsed(address)
    return found is not None and any(found in place for place in networks)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of some days of the week, in a time zone: from `start` (inclusive) to `end` (exclusive).

    `days`: 0 is Monday; the day is that on which the hours begin, so that a night from 22:00 to 06:00 on
    day 4 lasts into Saturday morning. An `end` that is the same as `start` is a day later. Raises
    InvalidRequest for times with an offset of their own, and for days that are none.
    """

    start: time
    end: time
    zone: tzinfo
    days: frozenset[int] = EVERY_DAY

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise InvalidRequest("hours are local times, without an offset of their own")
        if not self.days or not self.days <= EVERY_DAY:
            raise InvalidRequest("days are 0 (Monday) to 6, at least one")

    def contains(self, moment: datetime) -> bool:
        """Whether an aware moment lies in these hours."""
        local = moment.astimezone(self.zone)
        clock, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        # Over midnight: this evening's hours, or what is left of yesterday's.
        return (today in self.days and clock >= self.start) or (
            (today - 1) % 7 in self.days and clock < self.end
        )
