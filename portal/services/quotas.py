"""How much a person and an organisation may keep here, told before the first byte and held to at the last."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from portal import models
from portal.errors import TooLarge
from portal.models import ResumableUpload
from portal.models.database import Database
from portal.services.actor import Actor
from portal.settings import Settings

_MEND = (
    "Give up uploads that wait for their next piece, or ask your administrator for more; nothing was stored."
)


class Quotas:
    """Adds up what was received and what is under way; sizes in bytes. No rule about access rests on it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def left(self, actor: Actor, but: str | None = None) -> int | None:
        """Return how much `actor` may still send, None without a quota; `but` is an upload that is not counted."""
        left = [limit - used for limit, used, _ in self._used(actor, but)]
        return max(0, min(left)) if left else None

    def check(self, actor: Actor, size: int, but: str | None = None) -> None:
        """Raise TooLarge when `size` more bytes are more than the person's or the organisation's quota."""
        for limit, used, whose in self._used(actor, but):
            if used + size > limit:
                raise TooLarge(
                    f"{whose} may keep {limit:,} bytes here, and {max(0, limit - used):,} are left.",
                    mend=_MEND,
                )

    def _used(self, actor: Actor, but: str | None) -> list[tuple[int, int, str]]:
        settings, found = self._settings, []
        if not (settings.quota_person or settings.quota_organisation):
            return []
        with self._database.read() as session:
            if settings.quota_person:
                sent = select(func.sum(models.Version.size)).where(
                    models.Version.uploaded_by == actor.person_id
                )
                under_way = _under_way(session, ResumableUpload.person_id == actor.person_id, but)
                used = (session.scalar(sent) or 0) + under_way
                found.append((settings.quota_person, int(used), "You"))
            if settings.quota_organisation:
                sent = (
                    select(func.sum(models.Version.size))
                    .join(models.Document, models.Document.id == models.Version.document_id)
                    .where(models.Document.originator_id == actor.organisation_id)
                )
                under_way = _under_way(session, ResumableUpload.organisation_id == actor.organisation_id, but)
                used = (session.scalar(sent) or 0) + under_way
                found.append((settings.quota_organisation, int(used), "Your organisation"))
        return found


def _under_way(session: Session, whose: ColumnElement[bool], but: str | None) -> int:
    query = select(func.sum(ResumableUpload.length)).where(
        whose, ResumableUpload.state.in_(("receiving", "checking")), ResumableUpload.id != (but or "")
    )
    return int(session.scalar(query) or 0)
