"""Administering organisations, people's accounts and programmes. Nobody is granted anything here: see `grants`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock
from portal.errors import Conflict, NotFound
from portal.identity.emails import email_index, email_indexes
from portal.identity.links import Links
from portal.identity.sessions import OpenSession, Sessions, end_within
from portal.identity.tokens import revoke_within
from portal.models.database import Database
from portal.services import fields
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.directory import Directory, OrganisationView, PersonView, ProgrammeView, Wanted
from portal.services.pages import Page

NO_SUCH_ORGANISATION = "There is no such organisation."
NO_SUCH_PERSON = "There is no such person."
NO_SUCH_PROGRAMME = "There is no such programme."
_EVERYBODY = Wanted()

_Row = TypeVar("_Row", models.Organisation, models.Person, models.Programme)


class People:
    """The administrator's use cases. Every one raises NotPermitted, recorded, when the actor's role has not the action;
    every change is recorded as intent and outcome.
    """

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        clock: Clock,
        links: Links,
        sessions: Sessions,
        directory: Directory,
        alarm: Alarm,
        *,
        link_hours: int = 72,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._clock = clock
        self._links = links
        self._sessions = sessions
        self._alarm = alarm
        self._link_hours = link_hours
        self._directory = directory

    # Organisations

    def organisations(
        self, actor: Actor, cursor: str | None = None, limit: int = 50, name: str | None = None
    ) -> Page[OrganisationView]:
        """Return a page of the organisations (with `name`: of those called so), the newest first; recorded as shown."""
        action = Action.ORGANISATION_MANAGE
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            page = self._directory.organisations(session, actor, cursor, limit, name)
        self._record_shown(actor, action, [view.id for view in page.items], Wanted(name=name))
        return page

    def create_organisation(self, actor: Actor, name: str, nation: str) -> str:
        """Create an organisation and return its id; `nation` is an ISO 3166-1 alpha-3 code.

        Raises Invalid for a wrong name or nation, Conflict when the nation has an organisation of that name.
        """
        row = models.Organisation(id=models.new_id(), active=True, created=self._clock())

        def write(session: Session) -> None:
            self._refuse_namesake(session, row.name, row.nation)
            session.add(row)

        self._require(actor, Action.ORGANISATION_MANAGE)
        row.nation = fields.nation(nation)
        row.name = fields.name(name, "organisation's name")
        event = self._event(actor, Action.ORGANISATION_MANAGE, "organisation.create", row, {"name": row.name})
        self._change(actor, event, write)
        return row.id

    def rename_organisation(self, actor: Actor, organisation_id: str, name: str) -> None:
        """Give an organisation another name; raises NotFound, Invalid, Conflict as `create_organisation`."""
        row = self._required(actor, Action.ORGANISATION_MANAGE, models.Organisation, organisation_id)
        new_name = fields.name(name, "organisation's name")

        def write(session: Session) -> None:
            self._refuse_namesake(session, new_name, row.nation, apart_from=row.id)
            unmoved(session, row).name = new_name

        event = self._event(actor, Action.ORGANISATION_MANAGE, "organisation.change", row, {"name": new_name})
        self._change(actor, event, write)

    def deactivate_organisation(self, actor: Actor, organisation_id: str) -> None:
        """Close the portal to everybody of an organisation, from their next request on.

        Raises NotFound, and Conflict for one that is inactive already or the actor's own.
        """
        if organisation_id == actor.organisation_id:
            self._require(actor, Action.ORGANISATION_MANAGE)
            raise Conflict(
                "This is your own organisation: you would lock yourself out.",
                mend="An administrator of another organisation can do it.",
            )
        self._set_active(actor, organisation_id, active=False)

    def reactivate_organisation(self, actor: Actor, organisation_id: str) -> None:
        """Open the portal to an organisation again; raises NotFound, and Conflict when it is active."""
        self._set_active(actor, organisation_id, active=True)

    def _set_active(self, actor: Actor, organisation_id: str, *, active: bool) -> None:
        row = self._required(actor, Action.ORGANISATION_MANAGE, models.Organisation, organisation_id)
        if row.active == active:
            raise Conflict(f"This organisation is {'active' if active else 'inactive'} already.")

        def write(session: Session) -> None:
            unmoved(session, row).active = active

        method = "activate" if active else "deactivate"
        event = self._event(
            actor, Action.ORGANISATION_MANAGE, "organisation.change", row, details={"method": method}
        )
        self._change(actor, event, write)

    def _refuse_namesake(self, session: Session, name: str, nation: str, apart_from: str = "") -> None:
        others = session.scalars(select(models.Organisation).where(models.Organisation.nation == nation))
        if any(fields.same_name(other.name, name) for other in others if other.id != apart_from):
            raise Conflict(
                "There is an organisation of this name in this nation already.",
                mend="Use that one, or choose a name that tells them apart.",
            )

    # People

    def people(
        self, actor: Actor, wanted: Wanted = _EVERYBODY, cursor: str | None = None, limit: int = 50
    ) -> Page[PersonView]:
        """Return a page of the people, the newest first; recorded as shown."""
        action = Action.ACCOUNT_MANAGE
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            page = self._directory.people(session, actor, wanted, cursor, limit)
        self._record_shown(actor, action, [view.id for view in page.items], wanted)
        return page

    def person(self, actor: Actor, person_id: str) -> PersonView:
        """Return one person; recorded as shown; raises NotFound."""
        action = Action.ACCOUNT_MANAGE
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            view = self._directory.person(session, actor, person_id)
        if view is None:
            raise NotFound(NO_SUCH_PERSON)
        self._record_shown(actor, action, [view.id])
        return view

    def create_person(self, actor: Actor, organisation_id: str, name: str, email: str, nation: str) -> str:
        """Create an account, without any role, and return the person's id; `invite` lets them in.

        Raises Invalid for wrong input, NotFound for the organisation, Conflict when it is inactive or when the address
        has an account.
        """
        organisation = self._required(actor, Action.ACCOUNT_MANAGE, models.Organisation, organisation_id)
        if not organisation.active:
            raise Conflict("This organisation is inactive.", mend="Activate it first.")
        row = models.Person(
            id=models.new_id(),
            organisation_id=organisation.id,
            nation=fields.nation(nation),
            active=True,
            created=self._clock(),
        )
        row.name = fields.name(name, "person's name")
        row.email = fields.email(email)
        row.email_index = email_index(self._database.seals.rows, row.email)

        def write(session: Session) -> None:
            # An account made under an earlier key of the index is found under that key only.
            indexes = email_indexes(self._database.seals.rows, row.email)
            if session.scalar(select(models.Person.id).where(models.Person.email_index.in_(indexes))):
                raise _taken()
            session.add(row)
            try:
                session.flush()
            except IntegrityError:
                raise _taken() from None

        private = {"name": row.name, "email": row.email}
        self._change(actor, self._event(actor, Action.ACCOUNT_MANAGE, "account.create", row, private), write)
        return row.id

    def invite(self, actor: Actor, person_id: str) -> str:
        """Return the secret of a one-time link with which a new person sets what they sign in with.

        Links issued to them before hold no longer. Raises NotFound, and Conflict while the account is locked or the
        organisation inactive, and once the account is in use: whoever holds the link becomes that person, so an
        administrator alone must not have one for somebody who can read.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.ACCOUNT_MANAGE)
            person = _existing(session, models.Person, person_id)
            organisation = _existing(session, models.Organisation, person.organisation_id)
            in_use = session.get(models.Credential, person_id) is not None
        if in_use:
            raise Conflict(
                "This account is in use: a new link would hand it over.",
                mend="Lock it, and create a new account for the person; the officers then grant it anew.",
            )
        if not person.active:
            raise Conflict("This account is locked.", mend="Unlock it first.")
        if not organisation.active:
            raise Conflict("This person's organisation is inactive.", mend="Activate it first.")
        with self._alarm.watching(actor):
            return self._links.create(person_id, self._link_hours, by=actor)

    def lock(self, actor: Actor, person_id: str) -> None:
        """Lock an account at once: sessions, one-time links and API tokens end with it, also after an unlock.

        Raises NotFound, and Conflict for an account that is locked already or the actor's own.
        """
        if person_id == actor.person_id:
            self._require(actor, Action.ACCOUNT_MANAGE)
            raise Conflict("This is your own account.", mend="Another administrator can lock it.")
        row = self._required(actor, Action.ACCOUNT_MANAGE, models.Person, person_id)
        if not row.active:
            raise Conflict("This account is locked already.")

        def write(session: Session) -> None:
            unmoved(session, row).active = False
            self._close_doors(session, row.id)

        self._change(actor, self._event(actor, Action.ACCOUNT_MANAGE, "account.lock", row), write)

    def unlock(self, actor: Actor, person_id: str) -> None:
        """Let the person sign in again; raises NotFound, and Conflict for an account that is not locked."""
        row = self._required(actor, Action.ACCOUNT_MANAGE, models.Person, person_id)
        if row.active:
            raise Conflict("This account is not locked.")

        def write(session: Session) -> None:
            unmoved(session, row).active = True

        self._change(actor, self._event(actor, Action.ACCOUNT_MANAGE, "account.unlock", row), write)

    def _close_doors(self, session: Session, person_id: str) -> None:
        now = self._clock()
        end_within(session, person_id, now)
        links = select(models.OneTimeLink).where(
            models.OneTimeLink.person_id == person_id,
            models.OneTimeLink.used.is_(None),
            models.OneTimeLink.expires > now,
        )
        for link in session.scalars(links.with_for_update()):
            link.expires = now
        revoke_within(session, person_id, now)

    # Sessions

    def sessions(self, actor: Actor, person_id: str | None = None, limit: int = 100) -> Sequence[OpenSession]:
        """Return the sessions that hold, of everybody or of one person, the one used last first; recorded as shown."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.ACCOUNT_MANAGE)
        with self._alarm.watching(actor):
            found = self._sessions.everybodys(person_id, limit)
        self._record_shown(actor, Action.ACCOUNT_MANAGE, [item.session.id for item in found])
        return found

    def end_session(self, actor: Actor, session_id: str) -> None:
        """End somebody's session, recorded; one that is over already stays as it is. Raises NotFound, and Conflict for
        the session that this request came in.
        """
        self._require(actor, Action.ACCOUNT_MANAGE)
        if session_id == actor.session:
            raise Conflict("This is the session that you work in.", mend="Sign out instead.")
        with self._alarm.watching(actor):
            self._sessions.end(session_id, actor, cause="revoked")

    # Programmes

    def programmes(
        self, actor: Actor, cursor: str | None = None, limit: int = 50, name: str | None = None
    ) -> Page[ProgrammeView]:
        """Return a page of the programmes (with `name`: of those called so), the newest first; recorded as shown."""
        action = Action.PROGRAMME_MANAGE
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            page = self._directory.programmes(session, actor, cursor, limit, name)
        self._record_shown(actor, action, [view.id for view in page.items], Wanted(name=name))
        return page

    def create_programme(self, actor: Actor, name: str, lead_organisation_id: str) -> str:
        """Create a programme and return its id; what is uploaded to it is delivered to the lead organisation.

        Raises Invalid for a wrong name, NotFound for the organisation, Conflict when it is inactive or leads a
        programme of that name.
        """
        lead = self._required(actor, Action.PROGRAMME_MANAGE, models.Organisation, lead_organisation_id)
        if not lead.active:
            raise Conflict("This organisation is inactive, so it cannot lead.", mend="Activate it first.")
        row = models.Programme(
            id=models.new_id(), lead_organisation_id=lead.id, active=True, created=self._clock()
        )
        row.name = fields.name(name, "programme's name")

        def write(session: Session) -> None:
            led = select(models.Programme).where(models.Programme.lead_organisation_id == lead.id)
            if any(fields.same_name(other.name, row.name) for other in session.scalars(led)):
                raise Conflict(
                    "This organisation leads a programme of this name already.",
                    mend="Use that one, or choose a name that tells them apart.",
                )
            session.add(row)

        event = self._event(actor, Action.PROGRAMME_MANAGE, "programme.create", row, {"name": row.name})
        self._change(actor, event, write)
        return row.id

    # What they have in common

    def _require(self, actor: Actor, action: Action) -> None:
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)

    def _required(self, actor: Actor, action: Action, kind: type[_Row], row_id: str) -> _Row:
        """Require the action, then return the row that it is about; raises NotFound."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            return _existing(session, kind, row_id)

    def _change(self, actor: Actor, event: Event, write: Callable[[Session], None]) -> None:
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            write(change.session)

    def _event(
        self,
        actor: Actor,
        action: Action,
        recorded_as: str,
        row: models.Organisation | models.Person | models.Programme,
        private: Mapping[str, str] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Event:
        kind = recorded_as.partition(".")[0]
        subject = f"{'person' if kind == 'account' else kind}:{row.id}"
        concerned = concerning(subject, row.__tablename__, row.id, (row.row_version or 0) + 1)
        event = self._access.event(
            actor,
            action,
            decision="permit",
            target=row.id,
            programme=row.id if kind == "programme" else None,
            details={**concerned, **(details or {})},
            private=private,
        )
        return replace(event, action=recorded_as)

    def _record_shown(
        self, actor: Actor, action: Action, ids: list[str], wanted: Wanted = _EVERYBODY
    ) -> None:
        self._log.append(
            self._access.event(
                actor,
                action,
                decision="permit",
                details={**shown(ids), **({"filters": list(wanted.filters)} if wanted.filters else {})},
                private=wanted.private,
            )
        )


def _existing(session: Session, kind: type[_Row], row_id: str) -> _Row:
    row = session.get(kind, row_id)
    if row is None:
        missing = {
            models.Organisation: NO_SUCH_ORGANISATION,
            models.Person: NO_SUCH_PERSON,
            models.Programme: NO_SUCH_PROGRAMME,
        }
        raise NotFound(missing[kind])
    return row


def _taken() -> Conflict:
    return Conflict(
        "This e-mail address has an account already.", mend="Look it up in the list, or use another address."
    )
