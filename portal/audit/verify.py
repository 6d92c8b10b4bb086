"""Verifying the log where it is kept: every leaf, count, tile, checkpoint and the anchor; the projection is
not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from crypto.translog import checkpoint as notes
from crypto.translog.checkpoint import Checkpoint
from crypto.translog.errors import TranslogError
from crypto.translog.leaves import LeafChecker
from crypto.translog.note import Verifier
from crypto.translog.tiles import WIDTH, tile_root
from crypto.translog.tree import HASH_BYTES, CompactRange, leaf_hash
from crypto.translog.verify import Findings, Report
from portal.audit import tables
from portal.audit.catalogue import CATALOGUE
from portal.audit.reading import CHUNK
from portal.audit.record import FIELDS, is_intent
from portal.audit.store import reading

_KNOWN = frozenset(FIELDS)


def verify_log(engine: Engine, verifiers: Sequence[Verifier], *, anchor: Path | None = None) -> Report:
    """Verify the log database against the signed checkpoints in it, and the anchor where its path is given.

    Every leaf is read once. Memory grows with the number of persons, documents and checkpoints, and by 32 bytes for
    256 leaves. Records that are appended meanwhile are left to the next verification.
    """
    with reading(engine) as connection:
        state = _read_state(connection)
    return _Verification(engine, verifiers, state).run(anchor)


def _bytes(value: object) -> bytes:
    """Return a stored value as bytes; what is none verifies as nothing."""
    return value if isinstance(value, bytes) else b""


@dataclass(frozen=True, slots=True)
class _State:
    """What stands beside the leaves, all of one moment."""

    size: int | None
    beyond: int | None
    built: int
    notes: list[tuple[int, bytes]]
    subjects: dict[str, tuple[int, int]]
    intents: dict[int, str]


def _read_state(connection: Connection) -> _State:
    stored = connection.execute(select(tables.head.c.size)).scalar()
    size = stored if isinstance(stored, int) else None
    leaf, subject, intent = tables.leaves.c.seq, tables.subjects.c, tables.open_intents.c
    beyond = select(leaf).where(leaf >= (size or 0)).order_by(leaf).limit(1)
    counts = connection.execute(select(subject.subject, subject.n, subject.last))
    signed = connection.execute(select(tables.checkpoints.c.size, tables.checkpoints.c.note))
    return _State(
        size,
        connection.execute(beyond).scalar(),
        connection.execute(select(tables.tree.c.size)).scalar() or 0,
        [(row[0], _bytes(row[1])) for row in signed],
        {row[0]: (row[1], row[2]) for row in counts},
        {row[0]: row[1] for row in connection.execute(select(intent.seq, intent.action))},
    )


class _Verification:
    def __init__(self, engine: Engine, verifiers: Sequence[Verifier], state: _State) -> None:
        self.engine = engine
        self.verifiers = verifiers
        self.state = state
        self.findings = Findings()
        self.shown: list[str] = []
        self.edge = CompactRange()
        self.checker = LeafChecker(whole=True)
        self.tiles = _TileChecker(engine, state.built, self.findings)
        self.intents: dict[int, str] = {}
        self.signed: dict[int, list[tuple[str, Checkpoint]]] = {}

    def run(self, anchor: Path | None) -> Report:
        for size, note in self.state.notes:
            self._open(f"the checkpoint of size {size}", note, size)
        if anchor is not None:
            self._open_anchor(anchor)
        size = self.state.size or 0
        if self._read(size):
            self.tiles.finish()
            self._compare_state()
        root = self.edge.root()
        for signed_size in sorted(self.signed):
            if signed_size > self.edge.size:
                for place, _ in self.signed[signed_size]:
                    self.findings.add(place, f"covers {signed_size} records, the log holds {self.edge.size}")
        if not self.findings.all():
            covered = max(self.signed, default=0)
            self.shown += [
                f"{size} records are whole, canonical and in order",
                f"the first {covered} of them are those that {len(self.state.notes)} signed checkpoints cover",
            ]
        last = self.edge.size - 1 if self.edge.size else None
        first = 0 if self.edge.size else None
        return Report(self.edge.size, first, last, root, self.findings.all(), tuple(self.shown))

    def _open(self, place: str, note: bytes, size: int | None) -> None:
        try:
            checkpoint = notes.verified(note, self.verifiers)
        except TranslogError as error:
            self.findings.add(place, f"does not hold: {error}")
            return
        if size is not None and checkpoint.size != size:
            self.findings.add(place, f"is signed for {checkpoint.size} records")
        self.signed.setdefault(checkpoint.size, []).append((place, checkpoint))

    def _open_anchor(self, anchor: Path) -> None:
        try:
            note = anchor.read_bytes()
        except OSError:
            if self.state.notes:
                self.findings.add("the anchor", "cannot be read")
            return
        self._open("the anchor", note, None)

    def _read(self, size: int) -> bool:
        """Read every leaf; returns False when one is missing, after which no root means anything."""
        if self.state.size is None:
            self.findings.add("the head row", "is missing")
        if self.state.beyond is not None:
            self.findings.add(f"leaf {self.state.beyond}", f"stands beyond the log's head of {size}")
        column = tables.leaves.c.seq
        query = select(column, tables.leaves.c.leaf).order_by(column)
        self._compare_roots()
        for start in range(0, size, CHUNK):
            stop = min(size, start + CHUNK)
            with reading(self.engine) as connection:
                rows = connection.execute(query.where(column >= start, column < stop)).all()
            for expected, (seq, leaf) in enumerate(rows, start):
                if seq != expected:
                    self.findings.add(f"leaf {expected}", "is missing")
                    return False
                self._check(seq, _bytes(leaf))
            if len(rows) < stop - start:
                self.findings.add(f"leaf {start + len(rows)}", "is missing")
                return False
        return True

    def _check(self, seq: int, leaf: bytes) -> None:
        hashed = leaf_hash(leaf)
        self.edge.append(hashed)
        self.tiles.add(hashed)
        try:
            fields = self.checker.check(leaf)
        except TranslogError as error:
            self.findings.add(f"leaf {seq}", error)
        else:
            self._follow(seq, fields)
        self._compare_roots()

    def _follow(self, seq: int, fields: dict[str, Any]) -> None:
        unknown = fields.keys() - _KNOWN
        if unknown:
            self.findings.add(f"leaf {seq}", f"has fields that no record has: {', '.join(sorted(unknown))}")
        action = str(fields.get("action"))
        completes = fields.get("completes")
        if completes is not None and self.intents.pop(completes, None) != action:
            self.findings.add(f"leaf {seq}", f"completes {completes!r}, which is no open intent of {action}")
        found = CATALOGUE.get(action)
        if found is not None and is_intent(found, fields):
            self.intents[seq] = action

    def _compare_roots(self) -> None:
        for place, checkpoint in self.signed.get(self.edge.size, ()):
            if checkpoint.root != self.edge.root():
                self.findings.add(place, f"signs another root for the first {checkpoint.size} records")

    def _compare_state(self) -> None:
        if self.state.built > self.edge.size:
            self.findings.add(
                "the tree", f"is built over {self.state.built} records, the log holds {self.edge.size}"
            )
        if self.state.subjects != self.checker.subjects:
            both = self.state.subjects.keys() | self.checker.subjects.keys()
            wrong = min(key for key in both if self.state.subjects.get(key) != self.checker.subjects.get(key))
            self.findings.add(f"the count of {wrong}", "is not the one that the leaves give")
        if self.state.intents != self.intents:
            wrong_seq = min(self.state.intents.items() ^ self.intents.items())[0]
            self.findings.add(f"intent {wrong_seq}", "is open in the leaves or in the table alone")


class _TileChecker:
    """Compares the stored tiles with the hashes that the leaves give, as far as tiles have been built."""

    def __init__(self, engine: Engine, built: int, findings: Findings) -> None:
        self._engine = engine
        self._left = built
        self._findings = findings
        self._levels: list[list[bytes]] = [[]]
        self._numbers = [0]

    def add(self, hashed: bytes) -> None:
        if self._left:
            self._left -= 1
            self._push(0, hashed)

    def finish(self) -> None:
        """Compare the partial tiles at the edge."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                self._compare(level, hashes)

    def _push(self, level: int, hashed: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._numbers.append(0)
        hashes = self._levels[level]
        hashes.append(hashed)
        if len(hashes) == WIDTH:
            self._compare(level, hashes)
            whole = tile_root(b"".join(hashes))
            self._levels[level] = []
            self._numbers[level] += 1
            self._push(level + 1, whole)

    def _compare(self, level: int, hashes: list[bytes]) -> None:
        number = self._numbers[level]
        tiles = tables.tiles
        query = select(tiles.c.hashes).where(tiles.c.level == level, tiles.c.number == number)
        with reading(self._engine) as connection:
            stored = _bytes(connection.execute(query).scalar())
        # A tile may have grown since the state was read; what it holds beyond is left to the next verification.
        expected = b"".join(hashes)
        if stored[: len(expected)] == expected:
            return
        wrong = next(
            position
            for position, hashed in enumerate(hashes)
            if stored[position * HASH_BYTES : (position + 1) * HASH_BYTES] != hashed
        )
        covered = "leaf" if level == 0 else f"tile {level - 1}/"
        place = number * WIDTH + wrong
        self._findings.add(
            f"tile {level}/{number}", f"holds another hash for {covered}{' ' if level == 0 else ''}{place}"
        )
