"""What a check of storage finds: where, what is wrong, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_AGAIN = "Run the check again when it answers."
_RESTORE = "Put it back from the newest backup that has it"
MENDS: Mapping[str, str] = MappingProxyType(
    {
        "row": f"{_RESTORE}; the portal refuses it until then. Somebody wrote to the database, or a disk fails.",
        "manifest": "Run `strongroom fsck --repair`: it writes the manifest anew from the database.",
        "manifest-behind": "Nothing is wrong: it follows the rotation. `strongroom fsck --repair` does it now.",
        "part": f"{_RESTORE}, or ask the originator to send the version again; nothing of it is handed out.",
        "missing": "When everything is missing, mount the store's disk. "
        f"{_RESTORE}, or ask the originator to send the version again.",
        "exchanged": f"{_RESTORE}: somebody, or a restore, moved blobs. Nothing of either is handed out.",
        "wrapped-key": "Put the version's row back from a backup, or rescue it with `strongroom rescue`: its manifest "
        "holds the key too.",
        "orphan": "No document needs it. Look whether the database is older than the blobs; if not, remove it.",
        "leftover": "Remove it: its version was destroyed.",
        "key": "Put the table `keys` back from a backup, or restore the key backup.",
        "log": "Run `strongroom audit verify --data DIR`, and tell an auditor.",
        "unlogged": "Tell a security officer and an auditor: the log does not know of this.",
        "lost": "The database is older than the log: restore a newer copy, or rescue the document from the blobs.",
        "older": "The database is older than the log: restore a newer copy. Grants may have come back to life.",
        "counter": "Lists show wrong numbers, nothing else. Run `strongroom fsck --repair`.",
        "titles": "Searches miss documents, nothing else. Run `strongroom fsck --repair`.",
        "unreadable": f"The store or the database did not answer. {_AGAIN}",
    }
)
"""What to do about each kind of finding."""

HARMLESS = frozenset({"manifest-behind"})
"""Kinds that are told and are no damage."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. `place` names it by ids and blob names, never by title."""

    kind: str
    place: str
    problem: str
    document: str = ""
    version: int = 0

    @property
    def mend(self) -> str:
        """What to do about it."""
        return MENDS[self.kind]

    @property
    def damage(self) -> bool:
        """Whether something is wrong, not merely behind."""
        return self.kind not in HARMLESS


@dataclass(slots=True)
class Result:
    """What one unit of the check looked at (counts by name, sizes in bytes) and found."""

    unit: str
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, place: str, problem: str, document: str = "", version: int = 0) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, place, problem, document, version))

    def count(self, name: str, number: int = 1) -> None:
        """Note that so many more were looked at."""
        self.counts[name] = self.counts.get(name, 0) + number
