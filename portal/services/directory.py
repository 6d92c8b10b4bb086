"""The directory: organisations, people and programmes as those see them who administer or clear them.

Nothing here asks who may look: `people` and `grants` do. Names are sealed, so lists are in the order of creation, the
newest first; a row that fails its seal is left out, reported and recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
)
from sqlalchemy.orm import Session

from policies.requests import Role
from portal import models
from portal.clock import Clock
from portal.errors import Tampered
from portal.identity.emails import email_indexes
from portal.models import sealing
from portal.models.database import Database
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.names import Kind, Names
from portal.services.pages import Cursors, Page, check_limit
from portal.services.renewals import ALIKE, ends_for_good

MOST_FOUND = 200
"""How many are found by a name at most: whoever gets that many types more of it."""


@dataclass(frozen=True, slots=True)
class Named:
    """Something by its id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """An organisation; `people` counts its accounts."""

    id: str
    name: str
    nation: str
    active: bool
    created: datetime
    people: int


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person with the roles in force; `joined` tells whether they have set what they sign in with."""

    id: str
    name: str
    email: str
    nation: str
    organisation: Named
    organisation_active: bool
    active: bool
    joined: bool
    roles: tuple[Role, ...]
    created: datetime


@dataclass(frozen=True, slots=True)
class ProgrammeView:
    """A programme and the organisation that leads it; `members` counts those with a need to know now."""

    id: str
    name: str
    lead: Named
    active: bool
    created: datetime
    members: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of people is narrowed to: an organisation's id, an e-mail address in full, words of a name (or of an
    e-mail address), those of whom some grant ends for good before `ending`.
    """

    organisation: str | None = None
    email: str | None = None
    name: str | None = None
    ending: datetime | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """The names of what narrows it, for the log."""
        return tuple(name for name in ("organisation", "email", "name", "ending") if getattr(self, name))

    @property
    def private(self) -> Mapping[str, str] | None:
        """What was looked for, for the log's sealed part."""
        sought = {"email": self.email, "query": self.name}
        return {name: words for name, words in sought.items() if words} or None


class Directory:
    """Reads the directory inside a session of the caller's."""

    def __init__(
        self, database: Database, cursors: Cursors, clock: Clock, alarm: Alarm, names: Names
    ) -> None:
        self._seals = database.seals
        self._names = names
        self._cursors = cursors
        self._clock = clock
        self._alarm = alarm

    def organisations(
        self, session: Session, actor: Actor, cursor: str | None, limit: int, name: str | None = None
    ) -> Page[OrganisationView]:
        """Return a page of the organisations, or of those called so; raises Invalid for a wrong cursor or limit."""
        table = _table(models.Organisation)
        called = self._called(session, models.Organisation, name)
        rows, following = self._page(session, actor, table, called, cursor, limit)
        people = _table(models.Person)
        counts = _counts(session, people.c.organisation_id, [row["id"] for row in rows])
        views = tuple(
            OrganisationView(
                row["id"],
                self._text(row, table, "name_sealed"),
                row["nation"],
                row["active"],
                row["created"],
                counts.get(row["id"], 0),
            )
            for row in self._sound(rows, table, actor)
        )
        return Page(views, following)

    def people(
        self, session: Session, actor: Actor, wanted: Wanted, cursor: str | None, limit: int
    ) -> Page[PersonView]:
        """Return a page of the people; raises Invalid for a wrong cursor or limit."""
        table = _table(models.Person)
        conditions: list[ColumnElement[bool]] = []
        if wanted.organisation is not None:
            conditions.append(table.c.organisation_id == wanted.organisation)
        conditions += self._called(session, models.Person, wanted.name)
        if wanted.ending is not None:
            conditions.append(self._ending(table.c.id, wanted.ending))
        if wanted.email is not None:
            conditions.append(table.c.email_index.in_(email_indexes(self._seals.rows, wanted.email)))
        rows, following = self._page(session, actor, table, conditions, cursor, limit, _joined())
        roles = self._roles(session, actor, [row["id"] for row in rows])
        return Page(self._people(session, actor, rows, roles), following)

    def number_ending(self, session: Session, before: datetime) -> int:
        """Return of how many people some grant ends for good before this time; only counted, no row is read."""
        now = self._clock()
        ending = union(
            *(select(_table(kind).c.person_id).where(ends_for_good(kind, now, before)) for kind in ALIKE)
        ).subquery()
        return session.scalar(select(func.count()).select_from(ending)) or 0

    def person(self, session: Session, actor: Actor, person_id: str) -> PersonView | None:
        """Return one person, or None when there is no such person."""
        found, _ = self.person_and_names(
            session, actor, person_id, (), self._roles(session, actor, [person_id]).get(person_id, ())
        )
        return found

    def person_and_names(
        self,
        session: Session,
        actor: Actor,
        person_id: str,
        others: Iterable[str],
        roles: Collection[Role],
    ) -> tuple[PersonView | None, Mapping[str, Named]]:
        """Return one person (None: absent), who holds these roles now, and other people by id with their names."""
        table = _table(models.Person)
        query = select(table, _joined()).where(table.c.id.in_({person_id, *others}))
        rows = tuple(self._sound(_fetch(session, query), table, actor))
        names = {row["id"]: Named(row["id"], self._text(row, table, "name_sealed")) for row in rows}
        wanted = [row for row in rows if row["id"] == person_id]
        views = self._people(session, actor, wanted, {person_id: roles}) if wanted else ()
        return next(iter(views), None), names

    def programmes(
        self, session: Session, actor: Actor, cursor: str | None, limit: int, name: str | None = None
    ) -> Page[ProgrammeView]:
        """Return a page of the programmes, or of those called so; raises Invalid for a wrong cursor or limit."""
        table = _table(models.Programme)
        called = self._called(session, models.Programme, name)
        rows, following = self._page(session, actor, table, called, cursor, limit)
        leads = self._organisations(session, actor, {row["lead_organisation_id"] for row in rows})
        member = _table(models.Membership).c
        members = _counts(
            session, member.programme_id, [row["id"] for row in rows], self._now(member), member.person_id
        )
        views = tuple(
            ProgrammeView(
                row["id"],
                self._text(row, table, "name_sealed"),
                _named(leads, row["lead_organisation_id"]),
                row["active"],
                row["created"],
                members.get(row["id"], 0),
            )
            for row in self._sound(rows, table, actor)
        )
        return Page(views, following)

    def programme_names(self, session: Session, actor: Actor, ids: Iterable[str]) -> Mapping[str, Named]:
        """Return programmes by id, each with its name; those that fail their seal are left out."""
        table = _table(models.Programme)
        found = _of(session, table, table.c.id, ids)
        return {
            row["id"]: Named(row["id"], self._text(row, table, "name_sealed"))
            for row in self._sound(found, table, actor)
        }

    def _called(self, session: Session, kind: Kind, name: str | None) -> list[ColumnElement[bool]]:
        if name is None:
            return []
        return [_table(kind).c.id.in_(self._names.find(session, kind, name, MOST_FOUND))]

    def _ending(self, person_id: ColumnElement[Any], before: datetime) -> ColumnElement[bool]:
        """Return the condition that something which a person holds or is to hold ends for good before this time."""
        now = self._clock()
        return or_(
            *(
                person_id.in_(select(_table(kind).c.person_id).where(ends_for_good(kind, now, before)))
                for kind in ALIKE
            )
        )

    def _people(
        self,
        session: Session,
        actor: Actor,
        rows: Sequence[Mapping[str, Any]],
        roles: Mapping[str, Collection[Role]],
    ) -> tuple[PersonView, ...]:
        table = _table(models.Person)
        organisations = self._organisations(session, actor, {row["organisation_id"] for row in rows})
        views = []
        for row in self._sound(rows, table, actor):
            organisation = organisations.get(row["organisation_id"])
            views.append(
                PersonView(
                    id=row["id"],
                    name=self._text(row, table, "name_sealed"),
                    email=self._text(row, table, "email_sealed"),
                    nation=row["nation"],
                    organisation=_named(organisations, row["organisation_id"]),
                    organisation_active=organisation is not None and organisation[1],
                    active=row["active"],
                    joined=row["joined"],
                    roles=tuple(role for role in Role if role in roles.get(row["id"], ())),
                    created=row["created"],
                )
            )
        return tuple(views)

    def _roles(self, session: Session, actor: Actor, ids: Sequence[str]) -> Mapping[str, set[Role]]:
        table = _table(models.RoleGrant)
        roles: dict[str, set[Role]] = {}
        found = _of(session, table, table.c.person_id, ids, self._now(table.c))
        for row in self._sound(found, table, actor):
            roles.setdefault(row["person_id"], set()).add(Role(row["role"]))
        return roles

    def _organisations(
        self, session: Session, actor: Actor, ids: Iterable[str]
    ) -> Mapping[str, tuple[str, bool]]:
        table = _table(models.Organisation)
        found = _of(session, table, table.c.id, ids)
        return {
            row["id"]: (self._text(row, table, "name_sealed"), row["active"])
            for row in self._sound(found, table, actor)
        }

    def _now(self, columns: Any) -> ColumnElement[bool]:
        now = self._clock()
        return and_(columns.valid_from <= now, or_(columns.valid_until.is_(None), columns.valid_until > now))

    def _page(
        self,
        session: Session,
        actor: Actor,
        table: Table,
        conditions: Sequence[ColumnElement[bool]],
        cursor: str | None,
        limit: int,
        *more: ColumnElement[Any],
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        check_limit(limit)
        place = (type_coerce(table.c.created, BigInteger), table.c.id)
        if cursor is not None:
            created, row_id = self._cursors.read(table.name, actor.person_id, cursor)
            conditions = [*conditions, tuple_(*place) < tuple_(literal(created), literal(row_id))]
        query = select(table, place[0].label("place"), *more).where(*conditions)
        rows = _fetch(session, query.order_by(*(part.desc() for part in place)).limit(limit + 1))
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], self._cursors.write(table.name, actor.person_id, [last["place"], last["id"]])

    def _sound(
        self, rows: Iterable[Mapping[str, Any]], table: Table, actor: Actor
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the rows that match their seals and whose texts open; report the others."""
        for row in rows:
            try:
                sealing.verify_mapping(self._seals, table, row)
                for column in table.c:
                    if column.name.endswith("_sealed"):
                        self._text(row, table, column.name)
            except Tampered as fault:
                self._alarm.report(fault, actor)
            else:
                yield row

    def _text(self, row: Mapping[str, Any], table: Table, column: str) -> str:
        context = (table.name, row["id"])
        return sealing.open_text(self._seals, context, column, row[column], table.name, row["id"])


def _table(kind: type[models.Base]) -> Table:
    table = kind.__table__
    assert isinstance(table, Table)
    return table


def _joined() -> ColumnElement[bool]:
    """Return the column that says whether a person has set what they sign in with."""
    people, credentials = _table(models.Person), _table(models.Credential)
    return exists().where(credentials.c.person_id == people.c.id).label("joined")


def _of(
    session: Session, table: Table, column: ColumnElement[Any], ids: Iterable[str], *conditions: Any
) -> Sequence[Mapping[str, Any]]:
    wanted = list(ids)
    if not wanted:
        return ()
    return _fetch(session, select(table).where(column.in_(wanted), *conditions))


def _fetch(session: Session, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
    return cast(Sequence[Mapping[str, Any]], session.execute(query).mappings().all())


def _counts(
    session: Session,
    column: ColumnElement[Any],
    ids: Sequence[str],
    condition: ColumnElement[bool] | None = None,
    counted: ColumnElement[Any] | None = None,
) -> Mapping[str, int]:
    if not ids:
        return {}
    number = func.count() if counted is None else func.count(counted.distinct())
    query = select(column, number).where(column.in_(ids)).group_by(column)
    if condition is not None:
        query = query.where(condition)
    return {key: int(found) for key, found in session.execute(query)}


def _named(organisations: Mapping[str, tuple[str, bool]], organisation_id: str) -> Named:
    """Return an organisation by name; one whose row did not hold is shown by its id alone."""
    found = organisations.get(organisation_id)
    return Named(organisation_id, found[0] if found else "")
