"""The portal's state in words: a figure for each thing, and what an administrator does about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.services.status import SystemStatus
from portal.web.words import moment_words, size_words

_LITTLE = 0.1
"""The share of free storage below which the administrator is warned."""
_BEHIND = 10_000
"""Records that no signed checkpoint covers, above which something does not sign."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure (parts/tiles.html)."""

    name: str
    value: str
    note: str
    tone: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """How one thing stands ("good", "warn" or "bad"), and what to do."""

    name: str
    tone: str
    so: str
    do: str


def _little(found: SystemStatus) -> bool:
    return found.disk_free < found.disk_total * _LITTLE


def _behind(found: SystemStatus) -> int:
    return found.log_size - (found.checkpoint or 0)


def tiles(found: SystemStatus) -> Sequence[Tile]:
    """Return the figures."""
    signed = "no signed checkpoint yet" if found.checkpoint is None else f"signed up to {found.checkpoint:,}"
    late = found.checkpoint is None or _behind(found) > _BEHIND
    waiting = found.uploads + found.unsettled
    return (
        Tile(
            "Storage free",
            size_words(found.disk_free),
            f"of {size_words(found.disk_total)}, {found.documents:,} documents",
            "warn" if _little(found) else "",
        ),
        Tile("Keys", f"{found.keys:,}", "wrapped by the root key"),
        Tile("Log records", f"{found.log_size:,}", signed, "warn" if late else ""),
        Tile(
            "Queue",
            f"{waiting:,}",
            f"{found.uploads:,} under way, {found.unsettled:,} without an end",
            "warn" if found.unsettled else "",
        ),
        Tile("Security policy", found.policy_name, f"digest {found.policy_digest[:8]}…"),
    )


def advice(found: SystemStatus) -> Sequence[Advice]:
    """Return how each thing stands and what to do, what presses first."""
    items = (
        Advice(
            "Storage",
            "warn" if _little(found) else "good",
            f"{size_words(found.disk_free)} of {size_words(found.disk_total)} are free.",
            "Make room soon: when nothing is left, uploads are refused. Nothing acknowledged is lost."
            if _little(found)
            else "Nothing to do. You are warned here below one tenth.",
        ),
        Advice(
            "Keys",
            "good",
            f"{found.keys:,} keys, each wrapped by the root key, and all that this page needed open.",
            "Keep a copy of the root key where the documents are not: without it nothing can be read again.",
        ),
        _log_advice(found),
        Advice(
            "Queue",
            "warn" if found.unsettled else "good",
            f"{found.uploads:,} uploads are under way; {found.unsettled:,} begun changes have no recorded end.",
            "The worker settles them: see whether `strongroom worker` runs."
            if found.unsettled
            else "Nothing to do.",
        ),
        _check_advice(found),
        Advice(
            "Security policy",
            "good",
            f"{found.policy_name} is in force.",
            "Compare its SHA-256 below with that of the file that you were given.",
        ),
    )
    return sorted(items, key=lambda item: item.tone == "good")


def _check_advice(found: SystemStatus) -> Advice:
    last = found.last_check
    if last is None:
        return Advice(
            "Check of storage",
            "warn",
            "What is stored has not been checked yet.",
            "Run `strongroom fsck` now, and then once a week: it works beside the portal.",
        )
    when = f"{moment_words(last.time)} (log entry {last.log_entry:,})"
    if not last.faults:
        return Advice(
            "Check of storage",
            "good",
            f"All of {last.documents:,} documents held on {when}.",
            "Nothing to do. Run `strongroom fsck` once a week.",
        )
    things = "thing does" if last.faults == 1 else "things do"
    return Advice(
        "Check of storage",
        "bad",
        f"{last.faults:,} {things} not hold, as of {when}.",
        "Run `strongroom fsck`: it names each, and what to do about it.",
    )


def _log_advice(found: SystemStatus) -> Advice:
    if found.checkpoint is None:
        return Advice(
            "Log",
            "warn",
            f"{found.log_size:,} records, and no signed checkpoint yet.",
            "One is signed when the portal has run for a while: if none comes, see whether `strongroom worker` runs.",
        )
    behind = _behind(found)
    late = behind > _BEHIND
    return Advice(
        "Log",
        "warn" if late else "good",
        f"{found.log_size:,} records; the last signed checkpoint covers all but {behind:,}.",
        "See whether `strongroom worker` runs: it signs."
        if late
        else "Nothing to do. Auditors can check it.",
    )
