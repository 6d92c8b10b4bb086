"""The contract of malware scanners: a stream of chunks goes in, a verdict comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

Chunk: TypeAlias = bytes | bytearray | memoryview

CONNECT_SECONDS = 5.0
FEED_SECONDS = 60.0
"""How long a scanner may leave one chunk unread."""
PROBE_CHUNK = 1 << 20
# What ClamAV calls them with AlertExceedsMax and AlertEncrypted.
_NOT_LOOKED = (("Heuristics.Limits.Exceeded", "too-large"), ("Heuristics.Encrypted", "encrypted"))


class ScannerUnavailable(Exception):
    """The scanner gave no verdict: it is down, slow, was cut off, or does what a scanner must not; try again later."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Nothing was found with the signatures of this date (None: the scanner does not tell)."""

    signatures: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Something was found, which the scanner calls `name`."""

    name: str
    signatures: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotScannable:
    """The scanner said that it did not look at all of it, and will not next time: `reason` is a code.

    `too-large`: over a limit of its; `encrypted`: it cannot look inside; `refused`: its own words say more.
    """

    reason: str
    words: str = ""


Verdict: TypeAlias = Clean | Found | NotScannable


@dataclass(frozen=True, slots=True)
class Probe:
    """What a scanner proved of itself: its name and version, its signatures' date, the limit that it keeps."""

    version: str
    signatures: datetime | None
    limit: int


class Scanner(Protocol):
    """A scanner; safe to use from several threads, a connection each."""

    @property
    def limit(self) -> int:
        """The most bytes that it takes of one file."""
        ...

    def scan(self, chunks: Iterable[Chunk]) -> Verdict:
        """Return the verdict on what the chunks are together; each may be overwritten once the next is asked for.

        Raises ScannerUnavailable, and what `chunks` raises: the scanner then never takes the part for the whole.
        """
        ...

    def probe(self) -> Probe:
        """Prove that it answers, and that it passes nothing that it did not look at for being too large.

        Raises ScannerUnavailable with what is wrong when it takes a stream above its limit for clean.
        """
        ...


def reported(name: str, signatures: datetime | None = None) -> Found | NotScannable:
    """Return what a scanner's report of `name` means: ClamAV reports as found also what it did not look at."""
    for prefix, reason in _NOT_LOOKED:
        if name.startswith(prefix):
            return NotScannable(reason, name)
    return Found(name, signatures)


def prove(scanner: Scanner, version: str, signatures: datetime | None) -> Probe:
    """Send a stream of one byte above the limit and return what is proved; raises ScannerUnavailable."""
    if isinstance(scanner.scan(_zeros(scanner.limit + 1)), Clean):
        raise ScannerUnavailable(
            f"It takes a stream above its limit of {scanner.limit:,} bytes for clean, though it did not look at all of "
            "it."
        )
    return Probe(version, signatures, scanner.limit)


def _zeros(length: int) -> Iterable[Chunk]:
    chunk = bytes(PROBE_CHUNK)
    for begin in range(0, length, PROBE_CHUNK):
        yield chunk[: min(PROBE_CHUNK, length - begin)]


def open_scanner(address: str, *, limit: int, seconds: float) -> Scanner:
    """Return the scanner at an address: `clamd:/PATH/OF/SOCKET`, `clamd://HOST:PORT` or `icap://HOST:PORT/SERVICE`.

    `limit` is the most bytes that it is set to scan, `seconds` how long it may take for one verdict. Raises
    ValueError for another address.
    """
    from portal.scanning.clamd import Clamd
    from portal.scanning.icap import Icap

    kind, _, rest = address.partition(":")
    if kind == "clamd" and rest.startswith("/") and not rest.startswith("//"):
        return Clamd(rest, limit=limit, seconds=seconds)
    if kind in ("clamd", "icap") and rest.startswith("//"):
        place, _, service = rest[2:].partition("/")
        host, _, port = place.rpartition(":")
        host = host.strip("[]")
        if host and port.isdecimal() and 0 < int(port) < 65536:
            if kind == "clamd" and not service:
                return Clamd((host, int(port)), limit=limit, seconds=seconds)
            if kind == "icap" and service:
                return Icap(host, int(port), service, limit=limit, seconds=seconds)
    raise ValueError("write clamd:/PATH, clamd://HOST:PORT or icap://HOST:PORT/SERVICE")
