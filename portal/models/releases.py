"""To whom documents are released, and what their originators demand and agree to. Ended, never overwritten."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Id, Octets
from portal.models.dated import Dated
from portal.models.sealing import SealedText


class OriginatorControl(Dated):
    """A document that is not passed on without the organisation that originated it (originator-controlled)."""

    __tablename__ = "originator_controls"
    __table_args__ = (Index("ix_originator_controls_document", "document_id"),)

    document_id: Mapped[str] = mapped_column(Id, ForeignKey("documents.id"))
    reason_sealed: Mapped[bytes] = mapped_column(Octets)

    reason = SealedText("reason_sealed")


class OriginatorConsent(Dated):
    """An organisation's consent to one act upon a document, as an officer recorded it; `reference`: where it stands."""

    __tablename__ = "originator_consents"
    __table_args__ = (Index("ix_originator_consents_document", "document_id"),)

    document_id: Mapped[str] = mapped_column(Id, ForeignKey("documents.id"))
    organisation_id: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"))
    act: Mapped[str] = mapped_column(String(20))
    reference_sealed: Mapped[bytes] = mapped_column(Octets)

    reference = SealedText("reference_sealed")


class DocumentRelease(Dated):
    """A release to a person, an organisation or a programme (`to_kind`).

    `made_by`: the officer's organisation; `consent_id`: the originator's consent on which it rests (None: none).
    """

    __tablename__ = "releases"
    __table_args__ = (Index("ix_releases_document", "document_id"), Index("ix_releases_to", "to_id"))

    document_id: Mapped[str] = mapped_column(Id, ForeignKey("documents.id"))
    to_kind: Mapped[str] = mapped_column(String(20))
    to_id: Mapped[str] = mapped_column(Id)
    made_by: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"))
    consent_id: Mapped[str | None] = mapped_column(Id, ForeignKey("originator_consents.id"))
    reason_sealed: Mapped[bytes] = mapped_column(Octets)

    reason = SealedText("reason_sealed")
