"""Signed-in sessions, kept on the server: opened, found by their secret, listed, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.audit.change import Appends, recorded_change
from portal.audit.record import Event
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, NotFound, Unauthenticated, Unavailable
from portal.identity.acting import Acting, event_by
from portal.identity.bearer import fingerprint, new_secret
from portal.identity.holders import Holder, holder_of, with_holder
from portal.models import Organisation, Person, RoleGrant, SessionRecord, TamperedRow, new_id
from portal.models.database import Database


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session holds: `idle` without a request, `absolute` in any case; its use is noted once in `touch`."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=10)
    touch: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session: whose, how strongly they signed in (1 to 3), in which role (None: every role that they hold).

    `holder` comes with `find` alone.
    """

    id: str
    person_id: str
    organisation_id: str
    assurance: int
    role: str | None
    address: str | None
    created: datetime
    seen: datetime
    expires: datetime
    holder: Holder | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that holds, with the names that an administrator knows it by."""

    session: SessionInfo
    name: str
    organisation: str


class Sessions:
    """The sessions of all people. Methods raise TamperedRow when a row that they read does not match its seal."""

    def __init__(self, db: Database, log: Appends, clock: Clock, limits: SessionLimits) -> None:
        self._db = db
        self._log = log
        self._clock = clock
        self._limits = limits

    def open(
        self,
        person_id: str,
        assurance: int,
        role: str | None,
        address: str | None,
        request: str | None = None,
        *,
        method: str = "password",
        within: Callable[[Session], None] | None = None,
    ) -> tuple[str, SessionInfo]:
        """Open a session for somebody whose credentials were verified; return its secret and what is known of it.

        `method` is the catalogue's code of how they signed in; `within` runs in the same transaction, under the same
        record, and may refuse by raising. Raises Unauthenticated when the person is absent or not active.
        """
        now = self._clock()
        with self._db.read() as session:
            person = session.get(Person, person_id)
            if person is None or not person.active:
                raise Unauthenticated("Nobody can sign in to this account.")
        secret = new_secret()
        row = SessionRecord(
            id=new_id(),
            secret_hash=fingerprint(secret),
            person_id=person_id,
            assurance=assurance,
            role=role or "",
            created=now,
            seen=now,
            expires=now + self._limits.absolute,
        )
        row.address = address or ""
        event = Event(
            action="session.open",
            actor=person_id,
            session=row.id,
            role=role,
            assurance=assurance,
            organisation=person.organisation_id,
            request=request,
            details={"method": method, "until": rfc3339(row.expires)},
            private={"address": address} if address else None,
        )
        with recorded_change(self._log, self._db.write, event) as change:
            if within is not None:
                within(change.session)
            change.session.add(row)
        return secret, self._info(row, person)

    def find(self, secret: str) -> SessionInfo | None:
        """Return the session that this secret opens, or None: unknown, ended, idle too long, too old, person inactive.

        Notes its use, at most once in `limits.touch`. One query, whatever the answer.
        """
        now = self._clock()
        query = with_holder(select(SessionRecord), SessionRecord.person_id).where(
            SessionRecord.secret_hash == fingerprint(secret)
        )
        with self._db.read() as session:
            found = session.execute(query).all()
            if not found:
                return None
            row, person, organisation, _ = found[0]
            if person is None or organisation is None or not (person.active and organisation.active):
                return None
            if not self._holds(row, now):
                return None
            holder = holder_of(person, organisation, (grant for *_, grant in found), now)
            info = replace(self._info(row, person), holder=holder)
        if now - info.seen >= self._limits.touch:
            self._touch(info.id, now)
        return info

    def end(self, session_id: str, by: Acting | None, *, cause: str = "signed-out") -> None:
        """End a session, recorded with the catalogue's code `cause`; one that is over already stays as it is.

        Whether `by` may end it is the caller's to decide. Raises NotFound.
        """
        with self._db.read() as session:
            row = session.get(SessionRecord, session_id)
        if row is None:
            raise NotFound("There is no such session.")
        if row.ended is not None:
            return
        event = event_by(
            by, "session.close", target=row.person_id, session=session_id, details={"cause": cause}
        )
        with recorded_change(self._log, self._db.write, event) as change:
            current = change.session.get(SessionRecord, session_id, with_for_update=True)
            if current is not None and current.ended is None:
                current.ended = self._clock()

    def act_as(self, session_id: str, role: str | None, by: Acting) -> None:
        """Let a session act in one of its person's roles (None: in all of them) from its next request on, recorded.

        A session that acts in this role already stays as it is. Raises NotFound, and Conflict for a role that
        the person does not hold now.
        """
        now = self._clock()
        with self._db.read() as session:
            row = session.get(SessionRecord, session_id)
            if row is None:
                raise NotFound("There is no such session.")
            if row.role == (role or ""):
                return
            if role is not None and not _holds_role(session, row.person_id, role, now):
                raise Conflict("You do not hold this role now.", mend="A security officer gives roles.")
        event = event_by(
            by, "session.role", target=row.person_id, session=session_id, details={"role": role or "all"}
        )
        with recorded_change(self._log, self._db.write, event) as change:
            current = change.session.get(SessionRecord, session_id, with_for_update=True)
            if current is not None and current.ended is None:
                current.role = role or ""

    def end_all(
        self, person_id: str, by: Acting | None, *, cause: str = "revoked", keep: str | None = None
    ) -> int:
        """End every session of a person but `keep`, each with its own record; return how many were ended."""
        ended = 0
        for info in self.list(person_id):
            if info.id != keep:
                self.end(info.id, by, cause=cause)
                ended += 1
        return ended

    def list(self, person_id: str) -> tuple[SessionInfo, ...]:
        """Return the sessions of a person that hold, the one used last first."""
        now = self._clock()
        query = select(SessionRecord).where(
            SessionRecord.person_id == person_id, SessionRecord.ended.is_(None)
        )
        with self._db.read() as session:
            person = session.get(Person, person_id)
            if person is None:
                return ()
            rows = [row for row in session.scalars(query) if self._holds(row, now)]
            rows.sort(key=lambda row: row.seen, reverse=True)
            return tuple(self._info(row, person) for row in rows)

    def everybodys(self, person_id: str | None, limit: int) -> tuple[OpenSession, ...]:
        """Return at most `limit` sessions that hold, of everybody or of one person, the one used last first."""
        now = self._clock()
        query = (
            select(SessionRecord, Person, Organisation)
            .join(Person, Person.id == SessionRecord.person_id)
            .join(Organisation, Organisation.id == Person.organisation_id)
            .where(SessionRecord.ended.is_(None), SessionRecord.seen > now - self._limits.idle)
            .order_by(SessionRecord.seen.desc())
            .limit(limit)
        )
        if person_id is not None:
            query = query.where(SessionRecord.person_id == person_id)
        with self._db.read() as session:
            return tuple(
                OpenSession(self._info(row, person), person.name, organisation.name)
                for row, person, organisation in session.execute(query)
                if person.active and organisation.active and self._holds(row, now)
            )

    def before(self, session_id: str, person_id: str) -> datetime | None:
        """Return when a person was last here before this session began: the last use of the session opened before it.

        None when it is their first. A session that is still used elsewhere counts up to the beginning of this one.
        """
        begun = select(SessionRecord.created).where(SessionRecord.id == session_id).scalar_subquery()
        with self._db.read() as session:
            rows = session.scalars(
                select(SessionRecord)
                .where(SessionRecord.person_id == person_id, SessionRecord.created <= begun)
                .order_by(SessionRecord.created.desc(), (SessionRecord.id == session_id).desc())
                .limit(2)
            ).all()
        present = next((row for row in rows if row.id == session_id), None)
        earlier = next((row for row in rows if row.id != session_id), None)
        return min(earlier.seen, present.created) if present is not None and earlier is not None else None

    def _holds(self, row: SessionRecord, now: datetime) -> bool:
        # The limits in force now apply to sessions opened under wider ones too.
        until = min(row.expires, row.created + self._limits.absolute, row.seen + self._limits.idle)
        return row.ended is None and now < until

    def _touch(self, session_id: str, now: datetime) -> None:
        try:
            with self._db.write() as session:
                row = session.get(SessionRecord, session_id, with_for_update=True)
                if row is not None and row.ended is None and now - row.seen >= self._limits.touch:
                    row.seen = now
        except TamperedRow:
            raise
        except Unavailable:
            # A database that cannot be written now must not stop readers; the session just ends sooner.
            return

    def _info(self, row: SessionRecord, person: Person) -> SessionInfo:
        return SessionInfo(
            id=row.id,
            person_id=row.person_id,
            organisation_id=person.organisation_id,
            assurance=row.assurance,
            role=row.role or None,
            address=row.address or None,
            created=row.created,
            seen=row.seen,
            expires=row.expires,
        )


def _holds_role(session: Session, person_id: str, role: str, now: datetime) -> bool:
    query = select(RoleGrant).where(
        RoleGrant.person_id == person_id,
        RoleGrant.role == role,
        RoleGrant.valid_from <= now,
        or_(RoleGrant.valid_until.is_(None), RoleGrant.valid_until > now),
    )
    return session.scalars(query).first() is not None


def end_within(session: Session, person_id: str, now: datetime) -> None:
    """End every session of a person inside a change that is recorded as something else (a new password)."""
    query = select(SessionRecord).where(SessionRecord.person_id == person_id, SessionRecord.ended.is_(None))
    for row in session.scalars(query.with_for_update()):
        row.ended = now
