"""Documents, their versions and labels, and what makes listing them fast."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    func,
    literal_column,
)
from sqlalchemy.orm import Mapped, mapped_column

from crypto.envelope import PREFIX_BYTES
from portal.models.base import Base, Id, Octets
from portal.models.sealing import SealedRow, SealedText


class LabelRecord(SealedRow):
    """One distinct label: its canonical form, and the SHA-256 of that (`digest`)."""

    __tablename__ = "labels"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(Octets(32), unique=True)
    canonical: Mapped[bytes] = mapped_column(Octets)


class Document(SealedRow):
    """A document's head: one label at a time, versions that never change, the current one's number.

    `label_rank` is the classification's hierarchy (for sorting).
    """

    __tablename__ = "documents"
    __table_args__ = (
        Index("ix_documents_created", "created", "id"),
        Index("ix_documents_programme_created", "programme_id", "created", "id"),
        Index("ix_documents_originator_created", "originator_id", "created", "id"),
        Index("ix_documents_size", "size", "id"),
        Index("ix_documents_label_rank", "label_rank", "id"),
        Index("ix_documents_label_created", "label_id", "created", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    programme_id: Mapped[str] = mapped_column(Id, ForeignKey("programmes.id"))
    originator_id: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"))
    addressee_id: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"))
    uploaded_by: Mapped[str] = mapped_column(Id)
    label_id: Mapped[int] = mapped_column(Integer, ForeignKey("labels.id"))
    label_digest: Mapped[bytes] = mapped_column(Octets(32))
    label_rank: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    scan: Mapped[str] = mapped_column(String(20))
    current_version: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
    title_sealed: Mapped[bytes] = mapped_column(Octets)
    created: Mapped[datetime]
    changed: Mapped[datetime]
    due: Mapped[datetime | None]

    title = SealedText("title_sealed")

    def context(self) -> tuple[str | int | bytes, ...]:
        """Bind the title to the label, the programme and the row's version, so that an edited head cannot show it."""
        return document_context(self.id, self.label_digest, self.programme_id, self.row_version)


_LATEST = 253_402_300_799_000_000
DUE_LAST = func.coalesce(Document.__table__.c.due, literal_column(str(_LATEST), BigInteger))
"""A document's due time for sorting, in microseconds; those without one come last."""
Index("ix_documents_due", DUE_LAST, Document.__table__.c.id)


def document_context(
    document_id: str, label_digest: bytes, programme_id: str, row_version: int
) -> tuple[str | int | bytes, ...]:
    """Return what a document's sealed columns are bound to."""
    return ("documents", document_id, label_digest, programme_id, row_version)


class Version(SealedRow):
    """One version of a document, whole and unchanging.

    `parts` is JSON: [[plaintext length, ciphertext length, SHA-256 in hex], …], part 1 first; its digest is in the
    associated data of `wrapped_dek`. `sha256` is of the plaintext.
    """

    __tablename__ = "versions"
    __table_args__ = (Index("ix_versions_uploaded_by", "uploaded_by", "size"),)

    document_id: Mapped[str] = mapped_column(Id, ForeignKey("documents.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    blob: Mapped[str] = mapped_column(String(200))
    file_name_sealed: Mapped[bytes] = mapped_column(Octets)
    media_type: Mapped[str] = mapped_column(String(120))
    notices: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(Octets(32))
    parts: Mapped[str] = mapped_column(Text)
    wrapped_dek: Mapped[bytes] = mapped_column(Octets)
    uploaded_by: Mapped[str] = mapped_column(Id)
    created: Mapped[datetime]

    file_name = SealedText("file_name_sealed")


KEK_OF_VERSION = func.substr(
    Version.__table__.c.wrapped_dek, literal_column("1"), literal_column(str(PREFIX_BYTES)), type_=Octets()
)
"""What names the key that wrapped a version's DEK: how a rotation finds what is left under the older one."""
Index("ix_versions_kek", KEK_OF_VERSION, Version.__table__.c.document_id, Version.__table__.c.number)


class VersionDigest(SealedRow):
    """A version's SHA-384, which its binding carries; older versions get theirs when it is first asked for.

    A table of its own: seals cover every column of their row, and those of older versions stand.
    """

    __tablename__ = "version_digests"
    __table_args__ = (
        ForeignKeyConstraint(["document_id", "number"], ["versions.document_id", "versions.number"]),
    )

    document_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha384: Mapped[bytes] = mapped_column(Octets(48))


class Upload(Base):
    """An upload under way, so that one that breaks off is found and cleared: blobs lie under the prefix `blob`."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    document_id: Mapped[str] = mapped_column(Id)
    number: Mapped[int]
    blob: Mapped[str] = mapped_column(String(200))
    person_id: Mapped[str] = mapped_column(Id)
    programme_id: Mapped[str] = mapped_column(Id)
    node: Mapped[str] = mapped_column(String(100))
    started: Mapped[datetime]


class Counter(Base):
    """How many documents share these properties; kept in the transaction that changes them, never asked by a rule.

    `changed` grows with every change of any counter: whoever remembers the highest reads what came after it.
    """

    __tablename__ = "counters"

    programme_id: Mapped[str] = mapped_column(Id, primary_key=True)
    label_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    originator_id: Mapped[str] = mapped_column(Id, primary_key=True)
    addressee_id: Mapped[str] = mapped_column(Id, primary_key=True)
    state: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int]
    changed: Mapped[int] = mapped_column(BigInteger, index=True)


class TitlePiece(Base):
    """A piece of a programme's encrypted title pack, numbered from 1; its seal is inside the piece."""

    __tablename__ = "title_pieces"

    programme_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    entries: Mapped[int]
    piece: Mapped[bytes] = mapped_column(Octets)
