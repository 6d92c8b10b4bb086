"""What rules ask beside people's own grants: premises, instructions, settings by level, proposals with approvals.

Nothing here is overwritten: what ends gets its `valid_until`, a proposal its outcome, and no more.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Id, Octets
from portal.models.dated import Dated, Levelled
from portal.models.sealing import SealedRow, SealedText


class FacilityClearance(Levelled):
    """What an organisation's premises are cleared for; `classifications`: JSON list of names."""

    __tablename__ = "facility_clearances"
    __table_args__ = (Index("ix_facility_clearances_organisation", "organisation_id"),)

    organisation_id: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"))
    authority_sealed: Mapped[bytes] = mapped_column(Octets)

    authority = SealedText("authority_sealed")


class Instruction(Levelled):
    """A security instruction that people acknowledge before they first open documents of these classifications."""

    __tablename__ = "instructions"

    title_sealed: Mapped[bytes] = mapped_column(Octets)
    text_sealed: Mapped[bytes] = mapped_column(Octets)

    title = SealedText("title_sealed")
    text = SealedText("text_sealed")


class Acknowledgement(Dated):
    """A person has read an instruction; `granted_by` is the officer who recorded it (None: the person did)."""

    __tablename__ = "acknowledgements"
    __table_args__ = (Index("ix_acknowledgements_person", "person_id"),)

    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    instruction_id: Mapped[str] = mapped_column(Id, ForeignKey("instructions.id"))


class LevelSetting(Dated):
    """A setting of one classification: `kind` is handling, networks or hours, `value` its JSON."""

    __tablename__ = "level_settings"

    policy_id: Mapped[str] = mapped_column(String(100))
    classification: Mapped[str] = mapped_column(String(256))
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(Text)


class Proposal(SealedRow):
    """What somebody proposes to do for good. `digest` is the SHA-256 of `content`, the JSON of all that is proposed.

    `payload`: the bytes that `content` names by their digest, such as a policy's file; `outcome`: none while it is
    open, then "done" or "withdrawn", at `closed`.
    """

    __tablename__ = "proposals"
    __table_args__ = (Index("ix_proposals_created", "created", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    act: Mapped[str] = mapped_column(String(20))
    content: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    payload: Mapped[bytes] = mapped_column(Octets)
    reason_sealed: Mapped[bytes] = mapped_column(Octets)
    proposed_by: Mapped[str] = mapped_column(Id)
    created: Mapped[datetime]
    valid_until: Mapped[datetime]
    closed: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))

    reason = SealedText("reason_sealed")


class Approval(SealedRow):
    """A second person's approval of exactly what has this digest, for a time."""

    __tablename__ = "approvals"
    __table_args__ = (Index("ix_approvals_proposal", "proposal_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    proposal_id: Mapped[str] = mapped_column(Id, ForeignKey("proposals.id"))
    act: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    approver_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
