"""What looking into a version found, and the scans that are still to be made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Id, Octets
from portal.models.sealing import SealedRow, SealedText


class Inspection(SealedRow):
    """What was found in one version, and whether it is handed out: `standing` is open, waiting, quarantined, admitted
    or refused.

    `scan` is the scanner's state (`policies.requests.ScanState`), `signatures` the date of its signatures, `reasons`
    the codes (JSON) of why it is kept back, `finding` the scanner's own words. A table of its own: seals cover every
    column of their row, and those of older versions stand. A version that arrived to be kept back says so itself, in
    its notices: without its row here it stays closed.
    """

    __tablename__ = "inspections"
    __table_args__ = (
        ForeignKeyConstraint(["document_id", "number"], ["versions.document_id", "versions.number"]),
        Index("ix_inspections_standing", "standing", "created", "document_id", "number"),
    )

    document_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    scan: Mapped[str] = mapped_column(String(20))
    signatures: Mapped[datetime | None]
    standing: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[str] = mapped_column(Text)
    finding_sealed: Mapped[bytes] = mapped_column(Octets)
    created: Mapped[datetime]
    changed: Mapped[datetime]

    finding = SealedText("finding_sealed")


class ScanJob(Base):
    """A scan that is to be made of a stored version, not before `due`; it is gone when the verdict stands.

    No rule reads it: a row that somebody removes leaves the version waiting, and housekeeping puts it back.
    """

    __tablename__ = "scan_jobs"
    __table_args__ = (Index("ix_scan_jobs_due", "due"),)

    document_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    due: Mapped[datetime]
    attempts: Mapped[int]
