"""What every grant has: from (inclusive) and until (exclusive; none: open) it holds, and who gave it. Ended, never
overwritten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Id
from portal.models.sealing import SealedRow


class Dated(SealedRow):
    """A grant for a time; `granted_by` is the officer (None: the installation, or the person themselves)."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    granted_by: Mapped[str | None] = mapped_column(Id)


class Levelled(Dated):
    """A grant for classifications of one policy: `classifications` is a JSON list of their names."""

    __abstract__ = True

    policy_id: Mapped[str] = mapped_column(String(100))
    classifications: Mapped[str] = mapped_column(Text)
