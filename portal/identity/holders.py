"""Whom a session or a token belongs to, read in the query that finds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select

from portal.models import Organisation, Person, RoleGrant


@dataclass(frozen=True, slots=True)
class Holder:
    """A person as each request needs them: names, and the roles that they hold now."""

    name: str
    organisation: str
    roles: frozenset[str]


def with_holder(query: Select[Any], person_id: Any) -> Select[Any]:
    """Add person, organisation and role grants to a query, a row for each grant (one without, where there is none)."""
    return (
        query.add_columns(Person, Organisation, RoleGrant)
        .outerjoin(Person, Person.id == person_id)
        .outerjoin(Organisation, Organisation.id == Person.organisation_id)
        .outerjoin(RoleGrant, RoleGrant.person_id == Person.id)
    )


def holder_of(
    person: Person, organisation: Organisation, grants: Iterable[RoleGrant | None], now: datetime
) -> Holder:
    """Return the holder, with those roles whose period contains `now` (start inclusive, end exclusive)."""
    return Holder(
        person.name,
        organisation.name,
        frozenset(
            grant.role
            for grant in grants
            if grant is not None
            and grant.valid_from <= now
            and (grant.valid_until is None or now < grant.valid_until)
        ),
    )
