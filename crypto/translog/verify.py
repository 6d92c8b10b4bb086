"""Offline verification of an export in JSON Lines: needs the file alone, and proves more with a signed checkpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from crypto.translog import checkpoint as notes
from crypto.translog.checkpoint import Checkpoint
from crypto.translog.errors import TranslogError
from crypto.translog.leaves import LeafChecker
from crypto.translog.note import Verifier
from crypto.translog.tree import CompactRange, leaf_hash

MAX_FINDINGS = 100
_MAX_LINE = 70_000
_FOOTER = b'{"footer":'


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold, and where: a line, a byte, a leaf, a tile, a checkpoint."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place} {self.problem}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found: `findings` in the order of the file, at most 100, and what was `shown` to hold."""

    records: int
    first: int | None
    last: int | None
    root: bytes
    findings: tuple[Finding, ...]
    shown: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.findings


class Findings:
    """Gathers findings up to the limit."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(self, place: str, problem: object) -> None:
        """Note that something at `place` does not hold."""
        if len(self._found) < MAX_FINDINGS:
            self._found.append(Finding(place, str(problem)))

    def all(self) -> tuple[Finding, ...]:
        """Return what was found."""
        return tuple(self._found)


def verify_jsonl(
    file: BinaryIO,
    *,
    checkpoint: bytes | None = None,
    verifiers: Sequence[Verifier] = (),
    whole: bool = False,
) -> Report:
    """Verify an export: the form and place of every line, the footer's count and root, and the signed checkpoint.

    An export of everything from record 0 is compared with the checkpoint's root at the checkpoint's size. For a
    selection the lines and the footer are checked, which does not show that its records are in the log: an inclusion
    proof does. `whole` demands an export of everything. Memory is constant but for the persons and documents named.
    """
    return _Verification(checkpoint, verifiers, whole).run(file)


class _Verification:
    def __init__(self, note: bytes | None, verifiers: Iterable[Verifier], whole: bool) -> None:
        self.whole = whole
        self.findings = Findings()
        self.shown: list[str] = []
        self.edge = CompactRange()
        self.first: int | None = None
        self.last: int | None = None
        self.signed: Checkpoint | None = None
        self.signed_root: bytes | None = None
        if note is not None:
            try:
                self.signed = notes.verified(note, verifiers)
            except TranslogError as error:
                self.findings.add("the checkpoint", f"does not hold: {error}")

    def run(self, file: BinaryIO) -> Report:
        footer = self._read(file)
        root = self.edge.root()
        if footer is None:
            self.findings.add("the end of the file", "has no footer: the export is cut off")
        else:
            self._check_footer(footer, root)
        self._compare()
        if not self.findings.all():
            self.shown.insert(0, f"{self.edge.size} records are whole, canonical and in order")
        return Report(self.edge.size, self.first, self.last, root, self.findings.all(), tuple(self.shown))

    def _read(self, file: BinaryIO) -> Any:
        checker = LeafChecker(whole=self.whole)
        position = 0
        for number, line in enumerate(_lines(file), 1):
            place = f"line {number} (byte {position})"
            position += len(line)
            if line.startswith(_FOOTER):
                rest = file.read(1)
                if rest or not line.endswith(b"\n"):
                    self.findings.add(place, "is a footer, but not the whole end of the file")
                return _footer(line)
            if not line.endswith(b"\n"):
                self.findings.add(place, "is cut off, or too long to be a record")
                return None
            leaf = line[:-1]
            if self.signed is not None and self.edge.size == self.signed.size:
                self.signed_root = self.edge.root()
            self.edge.append(leaf_hash(leaf))
            try:
                fields = checker.check(leaf)
            except TranslogError as error:
                self.findings.add(place, error)
                continue
            if self.first is None:
                self.first = fields["seq"]
            self.last = fields["seq"]
        return None

    def _check_footer(self, footer: Any, root: bytes) -> None:
        stated = footer if isinstance(footer, dict) else {}
        for name, found in (
            ("records", self.edge.size),
            ("first", self.first),
            ("last", self.last),
            ("root", base64.b64encode(root).decode()),
        ):
            if name not in stated or stated[name] != found or isinstance(stated[name], bool):
                self.findings.add("the footer", f"says {name} {stated.get(name)!r}, the file has {found!r}")

    def _compare(self) -> None:
        signed = self.signed
        if signed is None:
            return
        if self.edge.size == signed.size:
            self.signed_root = self.edge.root()
        whole = self.edge.size > 0 and self.first == 0 and self.last == self.edge.size - 1
        if not whole and self.edge.size != signed.size:
            self.shown.append("this is a selection: only inclusion proofs join it to the checkpoint")
        elif self.signed_root is None:
            self.findings.add(
                "the checkpoint",
                f"covers {signed.size} records, the export only {self.edge.size}: nothing to compare",
            )
        elif self.signed_root != signed.root:
            self.findings.add("the checkpoint", f"signs another root for the first {signed.size} records")
        else:
            self.shown.append(
                f"the first {signed.size} records are those that the checkpoint of {signed.origin} signs"
            )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE):
        yield line


def _footer(line: bytes) -> Any:
    try:
        return json.loads(line)["footer"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
