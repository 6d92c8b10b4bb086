"""Titles that can be searched: one encrypted pack a programme, opened in memory, appended to."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

from sqlalchemy import BigInteger, ColumnElement, Table, and_, delete, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from crypto.errors import Damaged
from crypto.keyring import KeyRing
from crypto.titlepack import Match, PackEntry, TitleIndex, open_piece, seal_piece
from policies.requests import DocumentState
from portal import models
from portal.errors import Unavailable
from portal.models.base import microseconds
from portal.models.database import Database
from portal.models.listed import one_of

_SMALL = 64
_LARGE = 4096


_AT_ONCE = 8
_FEW = 20
MOST_BYTES = 512 << 20
"""How much memory the packs of a process take at most: some four million titles. Those used longest ago go first."""
_PIECES = cast(Table, models.TitlePiece.__table__).c


@dataclass(slots=True)
class _Pack:
    index: TitleIndex = field(default_factory=TitleIndex)
    last: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Titles:
    """Adds titles to packs and searches them; packs stay in memory and follow what was appended."""

    def __init__(self, ring: KeyRing, most: int = MOST_BYTES) -> None:
        self._ring = ring
        self._most = most
        self._packs: OrderedDict[str, _Pack] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, session: Session, programme_id: str, entry: PackEntry) -> None:
        """Append a title to its programme's pack in the caller's transaction."""
        last = session.scalar(
            select(func.max(models.TitlePiece.number)).where(models.TitlePiece.programme_id == programme_id)
        )
        number = (last or 0) + 1
        piece = seal_piece(self._ring, programme_id, number, [entry])
        session.add(models.TitlePiece(programme_id=programme_id, number=number, entries=1, piece=piece))
        session.flush()
        self._merge(session, programme_id, number)

    def entries(self, session: Session, programme_id: str) -> dict[str, PackEntry]:
        """Return a programme's pack as it stands, by document; raises TamperedRow for a piece that does not verify."""
        rows = session.execute(
            select(models.TitlePiece.number, models.TitlePiece.piece)
            .where(models.TitlePiece.programme_id == programme_id)
            .order_by(models.TitlePiece.number)
        )
        found: dict[str, PackEntry] = {}
        for number, piece in rows:
            for entry in self._open(programme_id, number, piece):
                found[entry.document_id] = entry
        return {key: entry for key, entry in found.items() if entry.title is not None}

    def rebuild(self, session: Session, programme_id: str) -> None:
        """Write a programme's pack anew from its documents, in the caller's transaction; those that went are told.

        A document whose row fails its seal is left out. Nodes that hold the pack in memory drop what is gone.
        """
        pieces = models.TitlePiece
        last = session.scalar(select(func.max(pieces.number)).where(pieces.programme_id == programme_id)) or 0
        try:
            known = {key: entry.label_digest for key, entry in self.entries(session, programme_id).items()}
        except models.TamperedRow:
            known = {}
        ids = session.scalars(
            select(models.Document.id)
            .where(
                models.Document.programme_id == programme_id, models.Document.state == DocumentState.RECEIVED
            )
            .order_by(models.Document.created, models.Document.id)
        ).all()
        entries: list[PackEntry] = []
        for document_id in ids:
            with suppress(models.TamperedRow):
                row = session.get_one(models.Document, document_id)
                entries.append(PackEntry(row.id, row.label_digest, row.title, microseconds(row.created)))
                session.expunge(row)
        there = {entry.document_id for entry in entries}
        entries += [PackEntry(key, digest, None) for key, digest in known.items() if key not in there]
        session.execute(delete(pieces).where(pieces.programme_id == programme_id))
        for start in range(0, len(entries), _LARGE):
            some = entries[start : start + _LARGE]
            last += 1
            sealed = seal_piece(self._ring, programme_id, last, some)
            session.add(pieces(programme_id=programme_id, number=last, entries=len(some), piece=sealed))

    def purge(self, session: Session, programme_id: str, document_id: str) -> None:
        """Take a document's titles, all that it ever had, out of its programme's pack, in the caller's transaction.

        What nodes hold in memory goes with their next search. Raises TamperedRow for a piece that does not verify.
        """
        pieces = session.scalars(
            select(models.TitlePiece)
            .where(models.TitlePiece.programme_id == programme_id)
            .order_by(models.TitlePiece.number)
        ).all()
        digest, last = b"", 0
        for row in pieces:
            last = row.number
            entries = self._open(programme_id, row.number, row.piece)
            kept = [entry for entry in entries if entry.document_id != document_id]
            if len(kept) == len(entries):
                continue
            digest = next(entry.label_digest for entry in entries if entry.document_id == document_id)
            row.piece = seal_piece(self._ring, programme_id, row.number, kept)
            row.entries = len(kept)
        if digest:
            gone = seal_piece(self._ring, programme_id, last + 1, [PackEntry(document_id, digest, None)])
            session.add(models.TitlePiece(programme_id=programme_id, number=last + 1, entries=1, piece=gone))

    def _merge(self, session: Session, programme_id: str, number: int) -> None:
        small = session.scalars(
            select(models.TitlePiece)
            .where(models.TitlePiece.programme_id == programme_id, models.TitlePiece.entries < _LARGE)
            .order_by(models.TitlePiece.number)
        ).all()
        if len(small) < _SMALL:
            return
        try:
            entries = [e for row in small for e in self._open(programme_id, row.number, row.piece)]
        except models.TamperedRow:
            # A search reports it; nobody's deposit is to fail for it.
            return
        session.execute(
            delete(models.TitlePiece).where(
                models.TitlePiece.programme_id == programme_id,
                models.TitlePiece.number.in_([row.number for row in small]),
            )
        )
        session.expunge_all()
        merged = seal_piece(self._ring, programme_id, number + 1, entries)
        session.add(
            models.TitlePiece(
                programme_id=programme_id, number=number + 1, entries=len(entries), piece=merged
            )
        )

    def search(
        self,
        programmes: Collection[str],
        labels: Set[bytes],
        query: str,
        *,
        newest: bool = True,
        beyond: Match | None = None,
    ) -> Iterator[Match]:
        """Return the documents with a matching title and one of these label digests, of all these programmes in one
        order of time: the newest first, or the oldest; with `beyond` those that come after that place.

        They are looked for as they are asked for, in what `follow` has read.
        """
        found = []
        for programme_id in programmes:
            with self._lock:
                pack = self._packs.get(programme_id)
                if pack is not None:
                    self._packs.move_to_end(programme_id)
            if pack is not None:
                found.append(pack.index.search(query, labels, newest=newest, beyond=beyond))
        return heapq.merge(*found, reverse=newest)

    def follow(self, session: Session, programmes: Collection[str]) -> None:
        """Read what these programmes' packs have gained since they were last read. Raises TamperedRow."""
        heads = session.execute(
            select(models.TitlePiece.programme_id, func.max(models.TitlePiece.number))
            .where(one_of(_PIECES.programme_id, programmes))
            .group_by(models.TitlePiece.programme_id)
        ).all()
        with self._lock:
            lasts = {programme_id: pack.last for programme_id, pack in self._packs.items()}
        behind = [programme_id for programme_id, last in heads if lasts.get(programme_id) != last]
        if not behind:
            return
        wanted: ColumnElement[bool] = one_of(_PIECES.programme_id, behind)
        if len(behind) <= _FEW:
            # What was appended is small beside what is there.
            since = {key: lasts.get(key, 0) for key in behind}
            wanted = or_(
                *(and_(_PIECES.programme_id == key, _PIECES.number > last) for key, last in since.items())
            )
        # A pack at a time: what all of them hold is never in memory twice, and others search meanwhile.
        rows = session.execute(
            select(_PIECES.programme_id, _PIECES.number, _PIECES.piece)
            .where(wanted)
            .order_by(_PIECES.programme_id, _PIECES.number),
            execution_options={"yield_per": _AT_ONCE},
        )
        for programme_id, pieces in itertools.groupby(rows, key=lambda row: row.programme_id):
            self._read(session, programme_id, [(row.number, row.piece) for row in pieces])
        with self._lock:
            kept = sum(pack.index.size for pack in self._packs.values())
            while kept > self._most and len(self._packs) > len(programmes):
                kept -= self._packs.popitem(last=False)[1].index.size

    def _read(self, session: Session, programme_id: str, pieces: Sequence[tuple[int, bytes]]) -> None:
        with self._lock:
            pack = self._packs.get(programme_id) or _Pack()
        with pack.lock:
            fresh = [(number, piece) for number, piece in pieces if number > pack.last]
            entries = [entry for number, piece in fresh for entry in self._open(programme_id, number, piece)]
            if not all(entry.created or entry.title is None for entry in entries):
                entries = _placed(session, programme_id, entries)
            # Only now, when every piece has opened: a pack never counts as read what its index does not hold.
            pack.index.add(entries)
            pack.last = max([pack.last, *(number for number, _ in fresh)])
        with self._lock:
            self._packs[programme_id] = pack
            self._packs.move_to_end(programme_id)

    def warm(self, database: Database, stop: threading.Event) -> None:
        """Read every pack, so that nobody's first search waits for it; ends when `stop` is set, or at the bound."""
        try:
            with database.read() as session:
                programmes = session.scalars(select(_PIECES.programme_id).distinct()).all()
            for programme_id in programmes:
                with self._lock:
                    full = sum(pack.index.size for pack in self._packs.values()) > self._most
                if full or stop.is_set():
                    return
                # A damaged pack is reported by the search that needs it.
                with suppress(models.TamperedRow), database.read() as session:
                    self.follow(session, [programme_id])
        except Unavailable:
            # The database went away: searches read the packs themselves.
            return

    def _open(self, programme_id: str, number: int, piece: bytes) -> tuple[PackEntry, ...]:
        try:
            return open_piece(self._ring, programme_id, number, piece)
        except Damaged:
            raise models.TamperedRow("title_pieces", f"{programme_id}/{number}") from None


def _placed(session: Session, programme_id: str, entries: Sequence[PackEntry]) -> list[PackEntry]:
    """Return entries with the time of their document's creation where the piece does not say it."""
    placed = session.execute(
        select(models.Document.id, type_coerce(models.Document.created, BigInteger)).where(
            models.Document.programme_id == programme_id
        )
    )
    created: dict[str, int] = {row[0]: row[1] for row in placed}
    return [
        entry if entry.created else replace(entry, created=created.get(entry.document_id, 0))
        for entry in entries
    ]
