"""What a person was granted, as officers see it: every grant ever made, and how it stands now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from policies.requests import Role
from portal import models
from portal.clock import Clock
from portal.services.actor import Actor
from portal.services.directory import Directory, Named, PersonView
from portal.services.renewals import GrantRow, unrenewed


class GrantState(StrEnum):
    """How a grant stands now."""

    FUTURE = "future"
    IN_FORCE = "in-force"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class GrantView:
    """What every grant has: its period, its state, the officer who gave it (None: the installation), its log entry.

    `ends_for_good` says that it ends and that no other grant of the same goes on from there.
    """

    id: str
    state: GrantState
    valid_from: datetime
    valid_until: datetime | None
    granted_by: Named | None
    log_entry: int
    ends_for_good: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RoleView(GrantView):
    """A role."""

    role: Role


@dataclass(frozen=True, slots=True)
class ClearanceView(GrantView):
    """A clearance: its policy (OID), the levels that it lists, category values by tag set, and who issued it."""

    policy_id: str
    classifications: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    authority: str


@dataclass(frozen=True, slots=True)
class MembershipView(GrantView):
    """A membership of a programme."""

    programme: Named


@dataclass(frozen=True, slots=True)
class BriefingView(GrantView):
    """A briefing: its policy (OID), the levels and the category values that it covers."""

    policy_id: str
    classifications: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PersonGrants:
    """A person and every grant ever made to them, each kind with the newest first."""

    person: PersonView
    roles: tuple[RoleView, ...]
    clearances: tuple[ClearanceView, ...]
    memberships: tuple[MembershipView, ...]
    briefings: tuple[BriefingView, ...]

    @property
    def all(self) -> tuple[GrantView, ...]:
        """The grants of all kinds."""
        return (*self.roles, *self.clearances, *self.memberships, *self.briefings)


@dataclass(frozen=True, slots=True)
class Holding:
    """What a person holds now, in short: clearances, how many programmes, when the first of all that ends for good.

    `lapsed` is when the last clearance ended of somebody who has none in force.
    """

    clearances: tuple[ClearanceView, ...]
    programmes: int
    ends: datetime | None
    lapsed: datetime | None


def grant_state(now: datetime, valid_from: datetime, valid_until: datetime | None) -> GrantState:
    """Return how a grant of this period stands at `now`; one that was ended before it began is ended."""
    if valid_until is not None and valid_until <= max(now, valid_from):
        return GrantState.ENDED
    return GrantState.FUTURE if now < valid_from else GrantState.IN_FORCE


def _membership(row: Any) -> models.Membership:
    return models.Membership(
        **{column.key: row._mapping[column.key] for column in models.Membership.__table__.columns}
    )


_Row = TypeVar("_Row", models.RoleGrant, models.ClearanceGrant, models.Membership, models.Briefing)


class GrantViews:
    """Reads a person's grants inside a session of the caller's, who has asked whether they may be seen."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._memberships = models.VerifiedRows(models.Membership, models.Membership.person_id)

    def held_by(self, session: Session, people: Sequence[str]) -> Mapping[str, Holding]:
        """Return what each of these people holds now, in four queries; raises TamperedRow as `of`."""
        now = self._clock()
        ever = _of_people(session, models.ClearanceGrant, people)
        clearances = [row for row in ever if row.valid_until is None or row.valid_until > now]
        # Somebody may be a member of ten thousand programmes: these are read once, and again when one has changed.
        every = self._memberships.read(session, people)
        memberships = [row for row in every if row.valid_until is None or row.valid_until > now]
        roles = _of_people(session, models.RoleGrant, people, now)
        briefings = _of_people(session, models.Briefing, people, now)
        ends: dict[str, datetime] = {}
        ending = [row for row in memberships if row.valid_until is not None]
        renewed = {(row.person_id, row.programme_id) for row in ending}
        followed = [row for row in memberships if (row.person_id, row.programme_id) in renewed]
        held: list[GrantRow] = [*clearances, *map(_membership, followed), *roles, *briefings]
        for row in unrenewed(held):
            if row.valid_until is not None:
                ends[row.person_id] = min(row.valid_until, ends.get(row.person_id, row.valid_until))
        lapsed: dict[str, datetime] = {}
        for grant in ever:
            if grant.valid_until is not None and grant.valid_until <= now:
                lapsed[grant.person_id] = max(
                    grant.valid_until, lapsed.get(grant.person_id, grant.valid_until)
                )
        cleared = [row for row in clearances if row.valid_from <= now]
        programmes = {(row.person_id, row.programme_id) for row in memberships if row.valid_from <= now}
        return {
            person: Holding(
                tuple(
                    ClearanceView(
                        row.id,
                        GrantState.IN_FORCE,
                        row.valid_from,
                        row.valid_until,
                        None,
                        row.log_entry,
                        row.policy_id,
                        *_covered(row),
                        row.authority,
                    )
                    for row in cleared
                    if row.person_id == person
                ),
                sum(holder == person for holder, _ in programmes),
                ends.get(person),
                None if any(row.person_id == person for row in cleared) else lapsed.get(person),
            )
            for person in people
        }

    def of(self, session: Session, actor: Actor, person_id: str) -> PersonGrants | None:
        """Return everything that a person was ever granted, or None when there is no such person.

        Raises TamperedRow for a grant that fails its seal.
        """
        roles = _rows(session, models.RoleGrant, person_id)
        clearances = _rows(session, models.ClearanceGrant, person_id)
        memberships = _rows(session, models.Membership, person_id)
        briefings = _rows(session, models.Briefing, person_id)
        rows: list[GrantRow] = [*roles, *clearances, *memberships, *briefings]
        now = self._clock()
        held = {
            Role(row.role)
            for row in roles
            if grant_state(now, row.valid_from, row.valid_until) is GrantState.IN_FORCE
        }
        ending = {row.id for row in unrenewed(rows)}
        givers = {row.granted_by for row in rows if row.granted_by is not None}
        person, officers = self._directory.person_and_names(session, actor, person_id, givers, held)
        if person is None:
            return None
        programmes = self._directory.programme_names(
            session, actor, {row.programme_id for row in memberships}
        )

        def common(
            row: GrantRow,
        ) -> tuple[str, GrantState, datetime, datetime | None, Named | None, int]:
            giver = row.granted_by
            return (
                row.id,
                grant_state(now, row.valid_from, row.valid_until),
                row.valid_from,
                row.valid_until,
                None if giver is None else officers.get(giver, Named(giver, "")),
                row.log_entry,
            )

        return PersonGrants(
            person=person,
            roles=tuple(
                RoleView(*common(row), Role(row.role), ends_for_good=row.id in ending) for row in roles
            ),
            clearances=tuple(
                ClearanceView(
                    *common(row),
                    row.policy_id,
                    *_covered(row),
                    row.authority,
                    ends_for_good=row.id in ending,
                )
                for row in clearances
            ),
            memberships=tuple(
                MembershipView(
                    *common(row),
                    programmes.get(row.programme_id, Named(row.programme_id, "")),
                    ends_for_good=row.id in ending,
                )
                for row in memberships
            ),
            briefings=tuple(
                BriefingView(*common(row), row.policy_id, *_covered(row), ends_for_good=row.id in ending)
                for row in briefings
            ),
        )


def _of_people(
    session: Session, kind: type[_Row], people: Sequence[str], after: datetime | None = None
) -> Sequence[_Row]:
    """Return what these people were ever granted, or what of it ends after a time, if it does."""
    query = select(kind).where(kind.person_id.in_(people))
    if after is not None:
        query = query.where(or_(kind.valid_until.is_(None), kind.valid_until > after))
    return session.scalars(query.order_by(kind.valid_from.desc(), kind.id)).all()


def _rows(session: Session, kind: type[_Row], person_id: str) -> Sequence[_Row]:
    query = select(kind).where(kind.person_id == person_id)
    return session.scalars(query.order_by(kind.valid_from.desc(), kind.id)).all()


def _covered(
    row: models.ClearanceGrant | models.Briefing,
) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    categories = {tag: tuple(values) for tag, values in json.loads(row.categories).items()}
    return tuple(json.loads(row.classifications)), categories
