"""Keys (wrapped) and security policies of this installation."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Octets
from portal.models.sealing import SealedRow


class Key(Base):
    """A key of the ring, wrapped by the root key, which binds kind, domain and version: that is its seal.

    `changed` is when its state last changed.
    """

    __tablename__ = "keys"
    __table_args__ = (Index("uq_keys_place", "kind", "domain", "version", unique=True),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    domain: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20))
    created: Mapped[datetime]
    wrapped: Mapped[bytes] = mapped_column(Octets)
    changed: Mapped[datetime | None]


class Policy(SealedRow):
    """A security policy (the SPIF file's bytes), named by the SHA-256 of the file; one is active."""

    __tablename__ = "policies"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    spif: Mapped[bytes] = mapped_column(Octets)
    active: Mapped[bool] = mapped_column(Boolean)
    activated: Mapped[datetime]
