"""Who did it, for the log: what identity needs to know of an actor, and the events made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from portal.audit.record import Event


class Acting(Protocol):
    """An identified person who acts, as services know them (`portal.services.actor.Actor`)."""

    @property
    def person_id(self) -> str:
        """The person."""

    @property
    def organisation_id(self) -> str:
        """Their organisation."""

    @property
    def session(self) -> str:
        """The session or token in which they act."""

    @property
    def role(self) -> str | None:
        """The role acted as."""

    @property
    def assurance(self) -> int:
        """The assurance of their sign-in, 1 to 3."""

    @property
    def request(self) -> str | None:
        """The request's id."""

    @property
    def address(self) -> str | None:
        """Where the request came from."""


def event_by(
    by: Acting | None,
    action: str,
    *,
    target: str,
    session: str | None = None,
    details: Mapping[str, object] | None = None,
    private: Mapping[str, str] | None = None,
) -> Event:
    """Return the event that `by` (None: the installation itself, at set-up) did `action` to the person `target`.

    `session` names the session that it is about, where that is another than the one that `by` acts in.
    """
    if by is None:
        return Event(action=action, target=target, session=session, details=details, private=private)
    return Event(
        action=action,
        actor=by.person_id,
        session=session or by.session,
        role=None if by.role is None else str(by.role),
        assurance=by.assurance,
        organisation=by.organisation_id,
        request=by.request,
        target=target,
        details=details,
        private={**({} if by.address is None else {"address": by.address}), **(private or {})},
    )
