"""What people sign in with: passwords and second factors, one-time links, sessions, API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Id, Octets
from portal.models.sealing import SealedRow, SealedText


class Credential(SealedRow):
    """A person's password (argon2id, PHC string) and second factor; one row a person.

    `totp_sealed` holds the shared secret in base32; `totp_step` is the last time step that was used (a code is
    accepted once).
    """

    __tablename__ = "credentials"

    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    totp_sealed: Mapped[bytes] = mapped_column(Octets)
    totp_step: Mapped[int]
    totp_active: Mapped[bool] = mapped_column(Boolean)
    changed: Mapped[datetime]

    totp = SealedText("totp_sealed")


class OneTimeLink(SealedRow):
    """A link that may be used once to set a password and a second factor; stored as the SHA-256 of its secret."""

    __tablename__ = "one_time_links"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(Octets(32), unique=True)
    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    created: Mapped[datetime]
    expires: Mapped[datetime]
    used: Mapped[datetime | None]


class SessionRecord(SealedRow):
    """A signed-in session, found by the SHA-256 of the secret in the browser's cookie."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_person", "person_id"),
        Index("ix_sessions_ended_seen", "ended", "seen"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(Octets(32), unique=True)
    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    assurance: Mapped[int]
    role: Mapped[str] = mapped_column(String(20))
    address_sealed: Mapped[bytes] = mapped_column(Octets)
    created: Mapped[datetime]
    seen: Mapped[datetime]
    expires: Mapped[datetime]
    ended: Mapped[datetime | None]

    address = SealedText("address_sealed")


class ApiToken(SealedRow):
    """A token for scripts, stored as the SHA-256 of its secret; never worth more than the session that made it."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("ix_api_tokens_person", "person_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(Octets(32), unique=True)
    person_id: Mapped[str] = mapped_column(Id, ForeignKey("people.id"))
    name_sealed: Mapped[bytes] = mapped_column(Octets)
    assurance: Mapped[int]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    revoked: Mapped[datetime | None]

    name = SealedText("name_sealed")
