"""Rotations of keys under way and done: what the job has to do next, and how far it is. No rule reads them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Id


class KeyRotation(Base):
    """One rotation of a key of the ring (`kind`, `domain`) or of the root key (kind `root`).

    `state` is rewrapping, waiting, manifests, done; `place` is where the stage goes on after a stop. `done` of `total`
    rows of the stage are done, `failed` of them could not be opened and stay as they were. One node at a time works on
    it: `node` until `claimed_until`.
    """

    __tablename__ = "key_rotations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    domain: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), index=True)
    place: Mapped[str] = mapped_column(String(200))
    total: Mapped[int]
    done: Mapped[int]
    failed: Mapped[int]
    ordered_by: Mapped[str | None] = mapped_column(Id)
    node: Mapped[str] = mapped_column(String(100))
    claimed_until: Mapped[datetime]
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
