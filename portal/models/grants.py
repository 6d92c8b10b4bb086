"""What people were granted: programmes and memberships, clearances, briefings. Ended, never overwritten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Id, Octets
from portal.models.dated import Dated, Levelled
from portal.models.sealing import SealedRow, SealedText


class Programme(SealedRow):
    """A programme of work, led by the organisation to which its documents are delivered."""

    __tablename__ = "programmes"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name_sealed: Mapped[bytes] = mapped_column(Octets)
    lead_organisation_id: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"))
    active: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[datetime]

    name = SealedText("name_sealed")


class Membership(Dated):
    """A person's need to know in one programme, from (inclusive) and until (exclusive)."""

    __tablename__ = "memberships"
    __table_args__ = (
        Index("ix_memberships_person", "person_id"),
        Index("ix_memberships_programme", "programme_id"),
    )

    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    programme_id: Mapped[str] = mapped_column(Id, ForeignKey("programmes.id"))


class ClearanceGrant(Levelled):
    """A clearance under one policy; `classifications`: JSON list of names, `categories`: JSON {tag set: [values]}."""

    __tablename__ = "clearances"
    __table_args__ = (Index("ix_clearances_person", "person_id"),)

    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    categories: Mapped[str] = mapped_column(Text)
    authority_sealed: Mapped[bytes] = mapped_column(Octets)

    authority = SealedText("authority_sealed")


class Briefing(Levelled):
    """A recorded briefing: the lower levels and the special categories that it covers (JSON as in a clearance)."""

    __tablename__ = "briefings"
    __table_args__ = (Index("ix_briefings_person", "person_id"),)

    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    categories: Mapped[str] = mapped_column(Text)
