"""Who acts: the identified person behind a request, as every service receives it."""

from __future__ import annotations

from dataclasses import dataclass

from policies.requests import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """An identified person.

    `assurance` is that of the sign-in (1 to 3); `session` names the session or the token in the log; `role` is the
    role acted as (None: all that the person holds); `request` is the request's id, `address` where it came from.
    """

    person_id: str
    organisation_id: str
    assurance: int
    session: str
    role: Role | None = None
    request: str | None = None
    address: str | None = None
