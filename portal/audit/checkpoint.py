"""Tiles and signed checkpoints of the committed leaves, built behind the appends, and the anchor outside them.

The anchor is a file with the highest checkpoint, as the signed note that it is. It is written before the database's own
copy, so that a database is never ahead of it: one that is behind was restored or cut.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, Engine, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crypto.translog import checkpoint as notes
from crypto.translog.checkpoint import Checkpoint
from crypto.translog.errors import TranslogError
from crypto.translog.note import NoteSigner, Verifier
from crypto.translog.proofs import prove_consistency, prove_inclusion
from crypto.translog.tiles import TileBuilder, TileReader
from crypto.translog.tree import leaf_hash, root
from portal.audit import tables
from portal.audit.reading import blob, leaves_between, log_size
from portal.audit.store import reading, writing
from portal.errors import NotFound, Tampered, Unavailable

_CHUNK = 16_384
_TILE = select(tables.tiles.c.hashes).where(
    tables.tiles.c.level == bindparam("level"), tables.tiles.c.number == bindparam("number")
)
_VERIFY = "Run “strongroom audit verify” and compare with a checkpoint that an auditor holds."


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint, and the signed note that carries it."""

    checkpoint: Checkpoint
    note: bytes

    @property
    def size(self) -> int:
        """How many records it covers."""
        return self.checkpoint.size


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That record `seq` is in the log of the checkpoint: check it with `crypto.translog.proofs.check_inclusion`."""

    seq: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]
    signed: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Anchored:
    """The checkpoint that the anchor holds, and when its file was written."""

    checkpoint: Checkpoint
    written: datetime


@runtime_checkable
class Rotated(Protocol):
    """A signer whose key may be rotated: `verifiers` are those of all its keys."""

    def verifiers(self) -> Sequence[Verifier]:
        """Return what checks every signature that was ever made."""


class Checkpoints:
    """Builds, signs, stores and anchors checkpoints of one log."""

    def __init__(self, engine: Engine, signer: NoteSigner, anchor: Path, wait: float) -> None:
        self._engine = engine
        self._signer = signer
        self._verifier = Verifier.parse(signer.vkey)
        self._anchor = anchor
        self._wait = wait

    def check_anchor(self) -> None:
        """Compare the log with its anchor; raises Unavailable when the log is older, or Tampered when it differs."""
        anchored = self._read_anchor()
        with reading(self._engine) as connection:
            size = log_size(connection)
            signed = connection.execute(select(tables.checkpoints.c.size).limit(1)).first()
        if anchored is None:
            if signed is not None:
                raise Unavailable(
                    "the log's anchor is missing", mend=f"Put back the file {self._anchor.name}. {_VERIFY}"
                )
            return
        if anchored.size > size:
            raise Unavailable(
                f"the access log is older than its anchor: it has {size:,} records, the anchor {anchored.size:,}",
                mend="Put back the newer log database. If it is lost, a security officer begins a new log.",
            )
        self._extend_tiles()
        self._compare(anchored)

    def make(self) -> SignedCheckpoint:
        """Bring the tiles up to the head, sign, anchor and store a checkpoint; returns the one that stands."""
        size = self._extend_tiles()
        anchored = self._read_anchor()
        if anchored is not None:
            self._compare(anchored)
        stored = self.latest()
        if stored is not None and stored.size == size:
            return stored
        checkpoint = Checkpoint(self._signer.name, size, self._root(size))
        signed = SignedCheckpoint(checkpoint, notes.sign(checkpoint, self._signer))
        self._write_anchor(signed)
        with writing(self._engine, self._wait) as connection:
            # Another process may have signed the same size meanwhile; then its checkpoint stands.
            held = _insert(connection.dialect.name, tables.checkpoints).values(size=size, note=signed.note)
            connection.execute(held.on_conflict_do_nothing())
        return signed

    def latest(self) -> SignedCheckpoint | None:
        """Return the highest stored checkpoint; raises Tampered when it is not this log's."""
        newest = select(tables.checkpoints.c.note).order_by(tables.checkpoints.c.size.desc()).limit(1)
        with reading(self._engine) as connection:
            note = connection.execute(newest).scalar()
        if note is None:
            return None
        raw = blob(note, "the checkpoint")
        return SignedCheckpoint(self._open(raw, "checkpoint"), raw)

    def anchored(self) -> Anchored | None:
        """Return what the anchor holds, None without one.

        Raises Tampered when it is not this log's, or the tree has another root at its size, and Unavailable when it
        cannot be read.
        """
        checkpoint = self._read_anchor()
        if checkpoint is None:
            return None
        self._compare(checkpoint)
        return Anchored(checkpoint, datetime.fromtimestamp(self._anchor.stat().st_mtime, UTC))

    def prove_inclusion(self, seq: int) -> InclusionProof:
        """Prove that record `seq` is in the log, against a checkpoint that covers it; raises NotFound."""
        signed = self.latest()
        if signed is None or signed.size <= seq:
            signed = self.make()
        if not 0 <= seq < signed.size:
            raise NotFound("there is no such record")
        with self._hashes() as reader:
            hashes = prove_inclusion(reader, seq, signed.size)
            return InclusionProof(seq, reader.read([(0, seq)])[0], hashes, signed)

    def prove_consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of `new` records extends that of `old`; raises NotFound for sizes it has not reached."""
        with reading(self._engine) as connection:
            built = connection.execute(select(tables.tree.c.size)).scalar_one()
        if not 0 <= old <= new <= built:
            raise NotFound("the log has no checkpoint of this size")
        with self._hashes() as reader:
            return prove_consistency(reader, old, new)

    def _extend_tiles(self) -> int:
        """Hash the leaves that are not in the tiles yet; returns the size reached."""
        with reading(self._engine) as connection:
            goal = log_size(connection)
        while True:
            with reading(self._engine) as connection:
                start = int(connection.execute(select(tables.tree.c.size)).scalar_one())
                if start >= goal:
                    return start
                stop = min(goal, start + _CHUNK)
                builder = TileBuilder(partial(_tile, connection), start)
                with _tampered():
                    builder.extend([leaf_hash(leaf) for leaf in leaves_between(connection, start, stop)])
            rows = [
                {"level": level, "number": number, "hashes": hashes}
                for (level, number), hashes in builder.changed.items()
            ]
            with writing(self._engine, self._wait) as connection:
                moved = update(tables.tree).where(tables.tree.c.size == start).values(size=stop)
                # Another process may have built the same tiles meanwhile; then its work stands.
                if connection.execute(moved).rowcount == 1:
                    connection.execute(_put_tiles(connection.dialect.name), rows)

    def _root(self, size: int) -> bytes:
        with self._hashes() as reader:
            return root(reader, size)

    @contextmanager
    def _hashes(self) -> Iterator[TileReader]:
        with _tampered(), reading(self._engine) as connection:
            yield TileReader(partial(_tile, connection))

    def _compare(self, anchored: Checkpoint) -> None:
        if self._root(anchored.size) != anchored.root:
            raise Tampered(
                f"the access log is not the one that was anchored at {anchored.size:,}", mend=_VERIFY
            )

    def _trusted(self) -> Sequence[Verifier]:
        """Return what checks the log's own notes: its key may have been rotated since one was signed."""
        return self._signer.verifiers() if isinstance(self._signer, Rotated) else [self._verifier]

    def _open(self, note: bytes, what: str) -> Checkpoint:
        try:
            checkpoint = notes.verified(note, self._trusted())
        except TranslogError as error:
            raise Tampered(f"the log's {what} does not hold: {error}", mend=_VERIFY) from error
        if checkpoint.origin != self._signer.name:
            raise Tampered(f"the log's {what} is of another log", mend=_VERIFY)
        return checkpoint

    def _read_anchor(self) -> Checkpoint | None:
        try:
            note = self._anchor.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(
                "the log's anchor cannot be read", mend="Check the anchor's file and folder."
            ) from error
        return self._open(note, "anchor")

    def _write_anchor(self, signed: SignedCheckpoint) -> None:
        folder = self._anchor.parent
        fresh = self._anchor.with_name(self._anchor.name + ".new")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # Two processes must not put the lower of their checkpoints over the higher one.
                fcntl.flock(held, fcntl.LOCK_EX)
                standing = self._read_anchor()
                if standing is not None and standing.size >= signed.size:
                    return
                with fresh.open("wb") as file:
                    file.write(signed.note)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(self._anchor)
                os.fsync(held)
            finally:
                os.close(held)
        except OSError as error:
            raise Unavailable(
                "the log's anchor cannot be written", mend="Check the anchor's folder."
            ) from error


def _tile(connection: Connection, level: int, number: int) -> bytes:
    hashes = connection.execute(_TILE, {"level": level, "number": number}).scalar()
    return b"" if hashes is None else blob(hashes, f"tile {level}/{number}")


def _put_tiles(dialect: str) -> sqlite.Insert | postgresql.Insert:
    put = _insert(dialect, tables.tiles)
    return put.on_conflict_do_update(index_elements=["level", "number"], set_={"hashes": put.excluded.hashes})


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@contextmanager
def _tampered() -> Iterator[None]:
    try:
        yield
    except TranslogError as error:
        raise Tampered(f"the log's tiles are damaged: {error}", mend=_VERIFY) from error
