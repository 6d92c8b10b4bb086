"""Titles that can be searched: one encrypted pack a programme, opened in memory, appended to."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crypto.errors import Damaged
from crypto.keyring import KeyRing
from crypto.titlepack import PackEntry, TitleIndex, open_piece, seal_piece
from policies.requests import DocumentState
from portal import models
from portal.models.listed import one_of

_SMALL = 64
_LARGE = 4096


@dataclass(slots=True)
class _Pack:
    index: TitleIndex = field(default_factory=TitleIndex)
    last: int = 0


class Titles:
    """Adds titles to packs and searches them; packs stay in memory and follow what was appended."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._packs: dict[str, _Pack] = {}
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
                entries.append(PackEntry(row.id, row.label_digest, row.title))
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
        self, session: Session, programmes: Collection[str], labels: Set[bytes], query: str, most: int
    ) -> Sequence[str]:
        """Return the ids of documents with a matching title and one of these label digests, at most `most`.

        Raises TamperedRow when a piece that is read for it does not verify.
        """
        found: list[str] = []
        with self._lock:
            self._follow(session, programmes)
            for programme_id in sorted(programmes):
                pack = self._packs.get(programme_id)
                if pack is not None:
                    found += pack.index.search(query, labels)
                    if len(found) >= most:
                        break
        return found[:most]

    def _follow(self, session: Session, programmes: Collection[str]) -> None:
        heads = session.execute(
            select(models.TitlePiece.programme_id, func.max(models.TitlePiece.number))
            .where(one_of(models.TitlePiece.__table__.c.programme_id, programmes))
            .group_by(models.TitlePiece.programme_id)
        ).all()
        behind = [
            programme_id
            for programme_id, last in heads
            if programme_id not in self._packs or self._packs[programme_id].last != last
        ]
        if not behind:
            return
        rows = session.execute(
            select(models.TitlePiece.programme_id, models.TitlePiece.number, models.TitlePiece.piece)
            .where(one_of(models.TitlePiece.__table__.c.programme_id, behind))
            .order_by(models.TitlePiece.programme_id, models.TitlePiece.number)
        )
        fresh: dict[str, list[PackEntry]] = {}
        lasts: dict[str, int] = {}
        for programme_id, number, piece in rows:
            known = self._packs.get(programme_id)
            if known is None or number > known.last:
                fresh.setdefault(programme_id, []).extend(self._open(programme_id, number, piece))
                lasts[programme_id] = number
        # Only now, when every piece has opened: a pack never counts as read what its index does not hold.
        for programme_id, entries in fresh.items():
            pack = self._packs.setdefault(programme_id, _Pack())
            pack.index.add(entries)
            pack.last = lasts[programme_id]

    def _open(self, programme_id: str, number: int, piece: bytes) -> tuple[PackEntry, ...]:
        try:
            return open_piece(self._ring, programme_id, number, piece)
        except Damaged:
            raise models.TamperedRow("title_pieces", f"{programme_id}/{number}") from None
