"""Uploads in pieces (tus): what is in store so far, sealed as a whole, and who is writing to it now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Id, Octets
from portal.models.sealing import SealedRow, SealedText


class ResumableUpload(SealedRow):
    """An upload that may come in several requests, on several nodes.

    `length` is what was announced and `stored` what lies in encrypted parts, in bytes. `parts` is JSON as in
    `Version`, in the order of their numbers. `details` is JSON too: everything else that was said and decided, with
    the title, the label, the programme and the file's name. `state`: receiving, checking, filed, refused.
    """

    __tablename__ = "resumable_uploads"
    __table_args__ = (
        Index("ix_resumable_uploads_person", "person_id"),
        Index("ix_resumable_uploads_organisation", "organisation_id"),
        Index("ix_resumable_uploads_expires", "expires"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    person_id: Mapped[str] = mapped_column(Id)
    organisation_id: Mapped[str] = mapped_column(Id)
    document_id: Mapped[str] = mapped_column(Id)
    number: Mapped[int] = mapped_column(Integer)
    blob: Mapped[str] = mapped_column(String(200))
    length: Mapped[int] = mapped_column(BigInteger)
    stored: Mapped[int] = mapped_column(BigInteger)
    parts: Mapped[str] = mapped_column(Text)
    wrapped_dek: Mapped[bytes] = mapped_column(Octets)
    details_sealed: Mapped[bytes] = mapped_column(Octets)
    state: Mapped[str] = mapped_column(String(20))
    started: Mapped[datetime]
    expires: Mapped[datetime]

    details = SealedText("details_sealed")


class UploadLease(Base):
    """Who writes to an upload now: `holder` is a random number of one request, and lets go at `until` at the latest.

    No rule rests on it. What is committed is checked against the upload's sealed row.
    """

    __tablename__ = "upload_leases"

    upload_id: Mapped[str] = mapped_column(Id, primary_key=True)
    holder: Mapped[str] = mapped_column(Id)
    until: Mapped[datetime]
