"""What the rules ask of people, from their sealed rows: built once for each state of these rows.

Every request asks the database for a fingerprint of all of somebody's rows (account, organisation, roles, clearances,
memberships, briefings, facility, acknowledgements). One that is known stands for rows that were read and checked;
any change makes another, so a grant or a revocation works on the next request, on every node.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, bindparam, func, select
from sqlalchemy.orm import Session

from policies import Clearance
from policies import requests as rq
from policies.requests import Subject
from portal import models
from portal.clock import Clock
from portal.errors import NotFound
from portal.models import Base, verified
from portal.services.security_policy import ActivePolicy

_MOST_PEOPLE = 1_000
_MOST_GRANTS = 200_000
_PERSON: ColumnElement[str] = bindparam("person")


@dataclass(slots=True)
class _Held:
    """What somebody's rows say: `subject` without roles, which come and go by themselves."""

    state: bytes
    subject: Subject
    roles: Sequence[tuple[rq.Role, rq.Period]]
    ready: dict[tuple[int, frozenset[rq.Role]], Subject] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        return 1 + len(self.subject.memberships)


class Subjects:
    """Loads subjects. One whose rows are as they were is the same object as before."""

    def __init__(self, policy: ActivePolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._memberships = models.VerifiedRows(models.Membership, models.Membership.person_id)
        self._statements: dict[str, Any] = {}
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, session: Session, person_id: str, assurance: int, role: rq.Role | None = None) -> Subject:
        """Return somebody's subject as signed in with this assurance, with all grants ever made, in force or not, and
        the roles in force (of which `role` alone, when they act in it).

        Raises NotFound for nobody, and TamperedRow for rows that do not match their seals.
        """
        current, state = self._ask(session, person_id)
        self._policy.notice(current[0], current[1:])
        with self._lock:
            held = self._held.get(person_id)
            if held is not None and held.state == state:
                self._held.move_to_end(person_id)
            else:
                held = None
        if held is None:
            held = self._load(session, person_id, state)
            self._keep(person_id, held)
        now = self._clock()
        roles = frozenset(one for one, period in held.roles if period.contains(now))
        if role is not None:
            roles &= {role}
        subject = held.ready.get((assurance, roles))
        if subject is None:
            subject = held.ready[assurance, roles] = replace(held.subject, assurance=assurance, roles=roles)
        return subject

    def account(self, session: Session, person_id: str, assurance: int, role: rq.Role | None) -> Subject:
        """Return a subject for actions that concern no document: account and roles alone, in one query."""
        person, organisation, grants, current = _holder(session, person_id)
        self._policy.notice(current[0], current[1:])
        now = self._clock()
        roles = frozenset(one for one, period in _roles(grants) if period.contains(now))
        if role is not None:
            roles &= {role}
        return replace(_without_grants(person, organisation), assurance=assurance, roles=roles)

    def _ask(self, session: Session, person_id: str) -> tuple[Sequence[Any], bytes]:
        dialect = session.get_bind().dialect.name
        if dialect not in self._statements:
            self._statements[dialect] = select(
                *_current(),
                *(
                    verified.fingerprint(list(_table(model).columns), condition, dialect).label(
                        f"state_{number}"
                    )
                    for number, (model, condition) in enumerate(_rows_of())
                ),
            )
        found = session.execute(self._statements[dialect], {"person": person_id}).one()
        return found[:3], verified.digest(found[3:])

    def _load(self, session: Session, person_id: str, state: bytes) -> _Held:
        person, organisation, grants, _ = _holder(session, person_id)
        clearances, briefings, facilities = _grants(session, person_id)
        subject = replace(
            _without_grants(person, organisation),
            clearances=tuple(rq.ClearanceGrant(_clearance(row), _period(row)) for row in clearances),
            memberships=tuple(
                rq.Membership(row.programme_id, _period(row))
                for row in self._memberships.read(session, [person_id])
            ),
            briefings=tuple(
                rq.Briefing(
                    row.policy_id,
                    frozenset(json.loads(row.classifications)),
                    _categories(row.categories),
                    _period(row),
                )
                for row in briefings
            ),
            facilities=tuple(
                rq.FacilityClearance(row.policy_id, frozenset(json.loads(row.classifications)), _period(row))
                for row in facilities
            ),
            acknowledgements=_acknowledgements(session, person_id),
        )
        return _Held(state, subject, tuple(_roles(grants)))

    def _keep(self, person_id: str, held: _Held) -> None:
        with self._lock:
            self._held[person_id] = held
            self._held.move_to_end(person_id)
            weight = sum(one.weight for one in self._held.values())
            while len(self._held) > 1 and (len(self._held) > _MOST_PEOPLE or weight > _MOST_GRANTS):
                weight -= self._held.popitem(last=False)[1].weight


def _table(model: type[Base]) -> Table:
    return cast(Table, model.__table__)


def _current() -> Sequence[ColumnElement[Any]]:
    """Return what the rules are made of: asked with the first query of every request, a change works on the next."""
    return (
        select(models.Policy.digest).where(models.Policy.active).limit(1).scalar_subquery(),
        select(func.max(models.LevelSetting.log_entry)).scalar_subquery(),
        select(func.max(models.Instruction.log_entry)).scalar_subquery(),
    )


def _rows_of() -> Iterator[tuple[type[models.SealedRow], ColumnElement[bool]]]:
    """Yield every kind of row that a subject is made of, with the condition that it is the person's."""
    organisation = select(models.Person.organisation_id).where(models.Person.id == _PERSON).scalar_subquery()
    acknowledged = select(models.Acknowledgement.instruction_id).where(
        models.Acknowledgement.person_id == _PERSON
    )
    yield models.Person, models.Person.id == _PERSON
    yield models.Organisation, models.Organisation.id == organisation
    yield models.FacilityClearance, models.FacilityClearance.organisation_id == organisation
    yield models.RoleGrant, models.RoleGrant.person_id == _PERSON
    yield models.ClearanceGrant, models.ClearanceGrant.person_id == _PERSON
    yield models.Membership, models.Membership.person_id == _PERSON
    yield models.Briefing, models.Briefing.person_id == _PERSON
    yield models.Acknowledgement, models.Acknowledgement.person_id == _PERSON
    yield models.Instruction, models.Instruction.id.in_(acknowledged)


def _holder(
    session: Session, person_id: str
) -> tuple[models.Person, models.Organisation | None, Sequence[models.RoleGrant], Sequence[Any]]:
    found = session.execute(
        select(models.Person, models.Organisation, models.RoleGrant, *_current())
        .outerjoin(models.Organisation, models.Organisation.id == models.Person.organisation_id)
        .outerjoin(models.RoleGrant, models.RoleGrant.person_id == models.Person.id)
        .where(models.Person.id == person_id)
    ).all()
    if not found:
        raise NotFound("There is no such person.")
    return found[0][0], found[0][1], [row[2] for row in found if row[2] is not None], found[0][3:]


def _grants(
    session: Session, person_id: str
) -> tuple[Sequence[models.ClearanceGrant], Sequence[models.Briefing], Sequence[models.FacilityClearance]]:
    """Return a person's clearances and briefings and their organisation's clearances, in one query: each has few."""
    rows = session.execute(
        select(models.ClearanceGrant, models.Briefing, models.FacilityClearance)
        .select_from(models.Person)
        .outerjoin(models.ClearanceGrant, models.ClearanceGrant.person_id == models.Person.id)
        .outerjoin(models.Briefing, models.Briefing.person_id == models.Person.id)
        .outerjoin(
            models.FacilityClearance,
            models.FacilityClearance.organisation_id == models.Person.organisation_id,
        )
        .where(models.Person.id == person_id)
    ).all()
    clearances = dict.fromkeys(row[0] for row in rows if row[0] is not None)
    briefings = dict.fromkeys(row[1] for row in rows if row[1] is not None)
    facilities = dict.fromkeys(row[2] for row in rows if row[2] is not None)
    return tuple(clearances), tuple(briefings), tuple(facilities)


def _acknowledgements(session: Session, person_id: str) -> tuple[rq.Acknowledgement, ...]:
    """Return what a person has acknowledged: each as long as it and its instruction are in force."""
    rows = session.execute(
        select(models.Acknowledgement, models.Instruction)
        .join(models.Instruction, models.Instruction.id == models.Acknowledgement.instruction_id)
        .where(models.Acknowledgement.person_id == person_id)
    )
    return tuple(
        rq.Acknowledgement(
            instruction.policy_id,
            frozenset(json.loads(instruction.classifications)),
            rq.Period(
                max(row.valid_from, instruction.valid_from),
                min(filter(None, (row.valid_until, instruction.valid_until)), default=None),
            ),
        )
        for row, instruction in rows
    )


def _without_grants(person: models.Person, organisation: models.Organisation | None) -> Subject:
    return Subject(
        person_id=person.id,
        organisation_id=person.organisation_id,
        nation=person.nation,
        account_active=person.active,
        organisation_active=organisation is not None and organisation.active,
        roles=frozenset(),
        assurance=0,
    )


def _roles(grants: Sequence[models.RoleGrant]) -> Iterator[tuple[rq.Role, rq.Period]]:
    return ((rq.Role(row.role), _period(row)) for row in grants)


def _period(row: Any) -> rq.Period:
    return rq.Period(row.valid_from, row.valid_until)


def _clearance(row: models.ClearanceGrant) -> Clearance:
    return Clearance(row.policy_id, frozenset(json.loads(row.classifications)), _categories(row.categories))


def _categories(text: str) -> Mapping[str, frozenset[str]]:
    return {tag: frozenset(values) for tag, values in json.loads(text).items()}
