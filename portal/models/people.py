"""Organisations, people, and the roles that people hold."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Id, Octets
from portal.models.dated import Dated
from portal.models.sealing import SealedRow, SealedText


class Organisation(SealedRow):
    """A defence organisation or a company; `nation` is its ISO 3166-1 alpha-3 code."""

    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name_sealed: Mapped[bytes] = mapped_column(Octets)
    nation: Mapped[str] = mapped_column(String(3))
    active: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[datetime]

    name = SealedText("name_sealed")


class Person(SealedRow):
    """Somebody with an account; `email_index` is a keyed hash that finds the account by its address."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(Id, ForeignKey("organisations.id"), index=True)
    name_sealed: Mapped[bytes] = mapped_column(Octets)
    email_sealed: Mapped[bytes] = mapped_column(Octets)
    email_index: Mapped[bytes] = mapped_column(Octets(64), unique=True)
    nation: Mapped[str] = mapped_column(String(3))
    active: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[datetime]

    name = SealedText("name_sealed")
    email = SealedText("email_sealed")


class RoleGrant(Dated):
    """One role held by one person from `valid_from` (inclusive) until `valid_until` (exclusive; none: open)."""

    __tablename__ = "role_grants"
    __table_args__ = (Index("ix_role_grants_person", "person_id"),)

    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    role: Mapped[str] = mapped_column(String(20))
