"""Grants: roles, clearances, memberships and briefings, given and ended by security officers, never overwritten.

A grant's row says from when until when it holds; ending it sets `valid_until` and nothing else, so that what a person
could have seen at any time stays known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies import Clearance, InvalidClearance
from policies.requests import Action, Period, Role
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, Invalid, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.directory import Directory, Named, OrganisationView, PersonView, ProgrammeView, Wanted
from portal.services.grant_views import GrantViews, Holding, PersonGrants
from portal.services.kept import end_of, overlap
from portal.services.pages import Cursors, Page
from portal.services.renewals import GrantRow, alike

_Row = TypeVar("_Row", models.RoleGrant, models.ClearanceGrant, models.Membership, models.Briefing)

OWN_GRANTS = "no-self-grant"
"""The rule that a denial cites when officers reach for what they hold themselves."""

LONGEST_REASON = 500
"""Characters of a reason."""

_NOTHING: Mapping[str, Collection[str]] = MappingProxyType({})
_EVERYBODY = Wanted()
_ACTIONS: Mapping[type[GrantRow], Action] = MappingProxyType(
    {
        models.RoleGrant: Action.GRANT_ROLE,
        models.Membership: Action.GRANT_MEMBERSHIP,
        models.ClearanceGrant: Action.GRANT_CLEARANCE,
        models.Briefing: Action.GRANT_BRIEFING,
    }
)


class Grants:
    """The security officer's use cases on grants.

    Every one raises NotPermitted, recorded, when the actor's role has not the action; whatever changes a grant raises
    it also for the actor's own grants. Granting raises NotFound for an absent person, Invalid for wrong input, and
    Conflict when the person holds the same for part of that time; an earlier `valid_from` than now is taken as now
    (None: now), and `valid_until` None is open. Every change is recorded as intent and outcome, with its `reason` ("":
    none given) sealed in the log. `dry` checks everything and changes nothing; the id is then "".
    """

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        clock: Clock,
        cursors: Cursors,
        alarm: Alarm,
        directory: Directory,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._clock = clock
        self._alarm = alarm
        self._directory = directory
        self._views = GrantViews(self._directory, clock)
        self._cursors = cursors

    # Looking

    def people(
        self, actor: Actor, wanted: Wanted = _EVERYBODY, cursor: str | None = None, limit: int = 50
    ) -> Page[PersonView]:
        """Return a page of the people, the newest first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CLEARANCE)
            page = self._directory.people(session, actor, wanted, cursor, limit)
        self._record_shown(actor, [view.id for view in page.items], wanted)
        return page

    def people_and_holdings(
        self, actor: Actor, wanted: Wanted = _EVERYBODY, cursor: str | None = None, limit: int = 50
    ) -> tuple[Page[PersonView], Mapping[str, Holding]]:
        """Return a page of the people with, by id, what they hold now; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CLEARANCE)
            page = self._directory.people(session, actor, wanted, cursor, limit)
            holdings = self._views.held_by(session, [view.id for view in page.items])
        self._record_shown(actor, [view.id for view in page.items], wanted)
        return page, holdings

    def ending(self, actor: Actor, before: datetime) -> int:
        """Return how many people something is granted to that ends before this time; only a number, so unrecorded."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.GRANT_CLEARANCE)
            return self._directory.number_ending(session, before)

    def organisations(self, actor: Actor, name: str, limit: int = 20) -> Page[OrganisationView]:
        """Return organisations called so; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CLEARANCE)
            page = self._directory.organisations(session, actor, None, limit, name)
        self._record_shown(actor, [view.id for view in page.items], Wanted(name=name))
        return page

    def programmes(
        self, actor: Actor, cursor: str | None = None, limit: int = 50, name: str | None = None
    ) -> Page[ProgrammeView]:
        """Return a page of the programmes that people can be made members of, the newest first; recorded as shown.

        With `name`: of those called so.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_MEMBERSHIP)
            page = self._directory.programmes(session, actor, cursor, limit, name)
        self._record_shown(actor, [view.id for view in page.items], Wanted(name=name))
        return page

    def programme(self, actor: Actor, programme_id: str) -> Named:
        """Return a programme by name; recorded as shown; raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_MEMBERSHIP)
            found = self._directory.programme_names(session, actor, [programme_id]).get(programme_id)
        if found is None:
            raise NotFound("There is no such programme.")
        self._record_shown(actor, [found.id])
        return found

    def all_organisations(
        self, actor: Actor, cursor: str | None = None, limit: int = 50
    ) -> Page[OrganisationView]:
        """Return a page of the organisations whose premises can be cleared, the newest first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_FACILITY)
            page = self._directory.organisations(session, actor, cursor, limit)
        self._record_shown(actor, [view.id for view in page.items])
        return page

    def of_person(self, actor: Actor, person_id: str) -> PersonGrants:
        """Return everything that a person was ever granted, in force, ended and future; recorded as shown.

        Raises NotFound.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_CLEARANCE)
            grants = self._views.of(session, actor, person_id)
        if grants is None:
            raise NotFound("There is no such person.")
        self._record_shown(actor, [view.id for view in grants.all], target=person_id)
        return grants

    def reasons(self, actor: Actor, grants: PersonGrants) -> Mapping[int, str]:
        """Return, by log entry, the reasons that were given for what `of_person` returned; raises Tampered."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.GRANT_CLEARANCE)
        return self._log.disclosed({view.log_entry for view in grants.all}, "reason")

    def write_draft(self, actor: Actor, about: str, fields: Sequence[tuple[str, str]]) -> str:
        """Return a token that carries what a form says about something from page to page, for this actor alone."""
        return self._cursors.write(f"draft {about}", actor.person_id, [list(pair) for pair in fields])

    def read_draft(self, actor: Actor, about: str, token: str) -> list[tuple[str, str]]:
        """Return what a token of `write_draft` carries; raises Invalid when it is another's, or about another thing."""
        return [(name, value) for name, value in self._cursors.read(f"draft {about}", actor.person_id, token)]

    # Roles

    def grant_role(
        self,
        actor: Actor,
        person_id: str,
        role: Role | str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        *,
        reason: str = "",
        dry: bool = False,
    ) -> str:
        """Give a person a role for a period and return the grant's id."""
        self._may_change(actor, Action.GRANT_ROLE, person_id)
        try:
            given = Role(role)
        except ValueError:
            raise Invalid("There is no such role.", mend=f"Use one of {', '.join(Role)}.") from None
        period = fields.period(self._clock(), valid_from, valid_until)
        row = models.RoleGrant(id=models.new_id(), role=given.value, **_held(actor, person_id, period))
        return self._grant(actor, row, reason, dry=dry)

    def end_role(
        self, actor: Actor, grant_id: str, at: datetime | None = None, *, reason: str = "", dry: bool = False
    ) -> None:
        """End a role now, or at a later time; raises NotFound, Invalid for the past, Conflict when it ends before."""
        self._end(actor, models.RoleGrant, grant_id, at, reason, dry=dry)

    # Clearances

    def grant_clearance(
        self,
        actor: Actor,
        person_id: str,
        up_to: str,
        categories: Mapping[str, Collection[str]] = _NOTHING,
        *,
        authority: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        reason: str = "",
        dry: bool = False,
    ) -> str:
        """Clear a person for every level up to `up_to` and for these category values (by tag set); return the id.

        `authority` issued the clearance. All levels are written into the list; names are those of the active policy.
        """
        self._may_change(actor, Action.GRANT_CLEARANCE, person_id)
        try:
            clearance = self._access.policy.clearance_up_to(up_to, categories)
        except InvalidClearance as fault:
            raise _not_in_policy(fault) from None
        period = fields.period(self._clock(), valid_from, valid_until)
        row = models.ClearanceGrant(
            id=models.new_id(), **_contents(clearance), **_held(actor, person_id, period)
        )
        row.authority = fields.name(authority, "issuing authority")
        return self._grant(actor, row, reason, dry=dry)

    def end_clearance(
        self, actor: Actor, grant_id: str, at: datetime | None = None, *, reason: str = "", dry: bool = False
    ) -> None:
        """End a clearance now, or at a later time; raises as `end_role`."""
        self._end(actor, models.ClearanceGrant, grant_id, at, reason, dry=dry)

    # Memberships

    def grant_membership(
        self,
        actor: Actor,
        person_id: str,
        programme_id: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        *,
        reason: str = "",
        dry: bool = False,
    ) -> str:
        """Give a person the need to know in one programme for a period and return the grant's id.

        Raises also NotFound for the programme, and Conflict when it is closed.
        """
        self._may_change(actor, Action.GRANT_MEMBERSHIP, person_id)
        with self._database.read() as session, self._alarm.watching(actor):
            programme = session.get(models.Programme, programme_id)
        if programme is None:
            raise NotFound("There is no such programme.")
        if not programme.active:
            raise Conflict("This programme is closed.", mend="Choose one that is open.")
        period = fields.period(self._clock(), valid_from, valid_until)
        row = models.Membership(
            id=models.new_id(), programme_id=programme_id, **_held(actor, person_id, period)
        )
        return self._grant(actor, row, reason, dry=dry)

    def end_membership(
        self, actor: Actor, grant_id: str, at: datetime | None = None, *, reason: str = "", dry: bool = False
    ) -> None:
        """End a membership now, or at a later time; raises as `end_role`."""
        self._end(actor, models.Membership, grant_id, at, reason, dry=dry)

    # Briefings

    def record_briefing(
        self,
        actor: Actor,
        person_id: str,
        classifications: Iterable[str] = (),
        categories: Mapping[str, Collection[str]] = _NOTHING,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        *,
        reason: str = "",
        dry: bool = False,
    ) -> str:
        """Record that a person was briefed on lower levels, on category values (by tag set), or both; return its id.

        Raises also Invalid for a level that only a clearance opens (setting `clearance_from`).
        """
        self._may_change(actor, Action.GRANT_BRIEFING, person_id)
        try:
            covered = self._access.policy.clearance(classifications, categories)
        except InvalidClearance as fault:
            raise _not_in_policy(fault) from None
        if not covered.classifications and not covered.categories:
            raise Invalid("The briefing covers nothing.", mend="Choose levels or categories.")
        rules = self._access.environment(actor).rules
        above = [name for name in covered.classifications if rules.policy.rank(name) >= rules.clearance_rank]  # type: ignore[operator]
        if above:
            raise Invalid(
                f"A briefing does not open {', '.join(sorted(above))}: that takes a clearance.",
                mend="Leave these levels out, and grant a clearance instead.",
            )
        period = fields.period(self._clock(), valid_from, valid_until)
        row = models.Briefing(id=models.new_id(), **_contents(covered), **_held(actor, person_id, period))
        return self._grant(actor, row, reason, dry=dry)

    def end_briefing(
        self, actor: Actor, grant_id: str, at: datetime | None = None, *, reason: str = "", dry: bool = False
    ) -> None:
        """End a briefing now, or at a later time; raises as `end_role`."""
        self._end(actor, models.Briefing, grant_id, at, reason, dry=dry)

    # What they have in common

    def _may_change(self, actor: Actor, action: Action, person_id: str) -> None:
        """Require the action, and that it concerns somebody else who exists."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            self._refuse_own(actor, action, person_id)
            if session.get(models.Person, person_id) is None:
                raise NotFound("There is no such person.")

    def _refuse_own(self, actor: Actor, action: Action, person_id: str) -> None:
        if person_id != actor.person_id:
            return
        self._log.append(
            self._access.event(actor, action, decision="deny", rule=OWN_GRANTS, target=person_id)
        )
        error = NotPermitted(
            "Officers do not change what they hold themselves.",
            mend="Ask another security officer.",
            rules=(OWN_GRANTS,),
        )
        error.recorded = True
        raise error

    def _grant(self, actor: Actor, row: _Row, reason: str, *, dry: bool) -> str:
        private: dict[str, str] = {"name": row.authority} if isinstance(row, models.ClearanceGrant) else {}
        private |= _reason(reason)
        if dry:
            with self._database.read() as session, self._alarm.watching(actor):
                _refuse_twice(session, row)
            return ""
        event = self._event(actor, row, 1, row.valid_until, private=private)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            # Grants to one person are made one after the other, so that none is made twice.
            change.session.get(models.Person, row.person_id, with_for_update=True)
            _refuse_twice(change.session, row)
            change.session.add(row)
        return row.id

    def _end(
        self,
        actor: Actor,
        kind: type[_Row],
        grant_id: str,
        at: datetime | None,
        reason: str,
        *,
        dry: bool,
    ) -> None:
        action, now = _ACTIONS[kind], self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            row = session.get(kind, grant_id)
            if row is None:
                raise NotFound("There is no such grant.")
            self._refuse_own(actor, action, row.person_id)
        end = end_of(row, at, now)
        private = _reason(reason)
        if dry:
            return
        event = self._event(actor, row, row.row_version + 1, end, private=private, withdrawn=True)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            unmoved(change.session, row).valid_until = end

    def _event(
        self,
        actor: Actor,
        row: GrantRow,
        row_version: int,
        until: datetime | None,
        *,
        private: Mapping[str, str],
        withdrawn: bool = False,
    ) -> Event:
        details = concerning(f"person:{row.person_id}", row.__tablename__, row.id, row_version)
        details["from"] = rfc3339(row.valid_from)
        if until is not None:
            details["until"] = rfc3339(until)
        if withdrawn:
            details["withdrawn"] = True
        if isinstance(row, models.RoleGrant):
            details["role"] = row.role
        elif not isinstance(row, models.Membership):
            details["classifications"] = json.loads(row.classifications)
            details["categories_digest"] = hashlib.sha256(row.categories.encode()).hexdigest()
        return self._access.event(
            actor,
            _ACTIONS[type(row)],
            decision="permit",
            target=row.person_id,
            programme=row.programme_id if isinstance(row, models.Membership) else None,
            details=details,
            private=private or None,
        )

    def _record_shown(
        self,
        actor: Actor,
        ids: list[str],
        wanted: Wanted = _EVERYBODY,
        *,
        target: str | None = None,
    ) -> None:
        event = self._access.event(
            actor,
            Action.GRANT_CLEARANCE,
            decision="permit",
            target=target,
            details={**shown(ids), **({"filters": list(wanted.filters)} if wanted.filters else {})},
            private=wanted.private,
        )
        self._log.append(replace(event, action="grant.show"))


def _reason(text: str) -> dict[str, str]:
    return {"reason": fields.name(text, "reason", LONGEST_REASON)} if text.strip() else {}


def _held(actor: Actor, person_id: str, period: Period) -> dict[str, object]:
    return {
        "person_id": person_id,
        "valid_from": period.start,
        "valid_until": period.end,
        "granted_by": actor.person_id,
    }


def _contents(clearance: Clearance) -> dict[str, object]:
    """Return a clearance as columns: JSON with sorted names, so that equal ones are equal text."""
    categories = {tag: sorted(values) for tag, values in sorted(clearance.categories.items())}
    return {
        "policy_id": clearance.policy_id,
        "classifications": json.dumps(sorted(clearance.classifications)),
        "categories": json.dumps(categories),
    }


def _refuse_twice(session: Session, row: _Row) -> None:
    """Raise Conflict when the person holds the same for part of the time: ending one would leave the other."""
    kind = type(row)
    for held in session.scalars(select(kind).where(kind.person_id == row.person_id)):
        if overlap(held, row) and alike(held, row):
            raise Conflict(
                "This person holds the same for part of that time.",
                mend="End that grant first, or let the new one begin where it ends.",
            )


def _not_in_policy(fault: InvalidClearance) -> Invalid:
    return Invalid(f"This is not in the security policy: {fault}", mend="Choose what the policy holds.")
