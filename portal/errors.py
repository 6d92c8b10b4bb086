"""The portal's error hierarchy: raised where a fault occurs, translated once at the edge (web, API, command line)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class PortalError(Exception):
    """Something that a person must be told: what was wrong (`message`) and what to do about it (`mend`).

    `recorded` says that the log has it already, so that the edge does not record it twice.
    """

    status = 500
    recorded = False

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class Invalid(PortalError):
    """The request cannot be carried out as it was written."""

    status = 400


class Unauthenticated(PortalError):
    """Nobody is signed in, or the credentials shown do not hold."""

    status = 401


@dataclass(frozen=True, slots=True)
class Denial:
    """What a person may know of a denial about a document: a sentence for each rule that refused, and its record."""

    sentences: tuple[str, ...]
    log_entry: int
    time: datetime


class NotPermitted(PortalError):
    """A denial that the person may know of, with the rules that refused (identifiers of `policies.rules`).

    `denial` is given where it is about a document that was asked for.
    """

    status = 403

    def __init__(
        self, message: str, *, mend: str = "", rules: tuple[str, ...] = (), denial: Denial | None = None
    ) -> None:
        super().__init__(message, mend=mend)
        self.rules = rules
        self.denial = denial


class NotFound(PortalError):
    """Absent, or out of this person's reach: the two are never told apart."""

    status = 404


class Conflict(PortalError):
    """The thing changed meanwhile, or is not in a state that allows this."""

    status = 409


class Locked(Conflict):
    """Somebody is at it right now: one at a time."""

    status = 423


class Gone(NotFound):
    """It was there and is over; only its owner is told so."""

    status = 410


class TooLarge(PortalError):
    """The body is larger than the installation takes."""

    status = 413


class RangeNotSatisfiable(PortalError):
    """The bytes that were asked for are not in the content, or the range cannot be read; `size` is in bytes."""

    status = 416

    def __init__(self, message: str, *, mend: str = "", size: int = 0) -> None:
        super().__init__(message, mend=mend)
        self.size = size


class TooMany(PortalError):
    """A rate limit was reached; `retry_after` is in seconds."""

    status = 429

    def __init__(self, message: str, *, mend: str = "", retry_after: int = 60) -> None:
        super().__init__(message, mend=mend)
        self.retry_after = retry_after


class Unavailable(PortalError):
    """Something that the portal needs (key, log, storage, policy) is not there now; nothing was opened or lost."""

    status = 503


class Tampered(Unavailable):
    """Stored data does not match its seal: refused, reported and recorded, never obeyed.

    `place` names what it was found in (an id, never a title), for the log.
    """

    place = ""
