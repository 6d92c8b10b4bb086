"""Signing in with e-mail address, password and second factor: one answer and about the same work for every failure."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.change import Appends
from portal.audit.record import Event
from portal.clock import Clock
from portal.errors import Unauthenticated
from portal.identity import totp
from portal.identity.emails import email_indexes
from portal.identity.passwords import PasswordHasher
from portal.identity.sessions import SessionInfo, Sessions
from portal.models import Credential, Organisation, Person
from portal.models.database import Database

REFUSED = "The e-mail address, the password or the code is not right."

_PASSWORD = "password"  # noqa: S105 - the catalogue's code of a way to sign in
_BOTH = "password-totp"


@dataclass(frozen=True, slots=True)
class _Account:
    """What an account is signed in to with, as it was when the attempt began."""

    person_id: str
    organisation_id: str
    active: bool
    password_hash: str
    totp: str | None
    totp_step: int


class _Overtaken(Exception):
    """The code was used, or the credentials were changed, while this attempt was being checked."""


class SignIn:
    """Turns credentials into sessions.

    `password_only`: an account without a second factor may sign in, with assurance 1; otherwise it is refused.
    Raises TamperedRow when a row that it reads does not match its seal.
    """

    def __init__(
        self,
        db: Database,
        log: Appends,
        clock: Clock,
        hasher: PasswordHasher,
        sessions: Sessions,
        *,
        password_only: bool = False,
    ) -> None:
        self._db = db
        self._log = log
        self._clock = clock
        self._hasher = hasher
        self._sessions = sessions
        self._password_only = password_only
        self._nobody = totp.new_secret()

    def sign_in(
        self,
        email: str,
        password: str,
        code: str,
        address: str | None = None,
        request: str | None = None,
        *,
        role: str | None = None,
    ) -> tuple[str, SessionInfo]:
        """Return the secret of a new session and the session, in `role` (None: every role that the person holds).

        Raises Unauthenticated, with one message, for an unknown or locked account, a wrong password and a wrong or used
        code, and records which it was; TooMany when too many passwords are being checked. Attempts are to be limited
        before this is called: each failure is a record of the log.
        """
        account = self._find(email)
        right = self._hasher.verify(None if account is None else account.password_hash, password)
        now = self._clock()
        shared = self._nobody if account is None or account.totp is None else account.totp
        step = totp.matching_step(shared, code, now)
        if account is None:
            raise self._refused("unknown-account", None, address, request)
        problem = self._problem(account, right, step)
        if problem is not None:
            raise self._refused(problem, account, address, request)
        rehashed = self._hasher.hash(password) if self._hasher.needs_rehash(account.password_hash) else None

        def spend(session: Session) -> None:
            _spend(session, account, step, rehashed)

        second = account.totp is not None
        try:
            return self._sessions.open(
                account.person_id,
                2 if second else 1,
                role,
                address,
                request,
                method=_BOTH if second else _PASSWORD,
                within=spend,
            )
        except _Overtaken:
            raise self._refused("used-code", account, address, request) from None

    def _find(self, email: str) -> _Account | None:
        query = (
            select(Person, Organisation, Credential)
            .outerjoin(Organisation, Organisation.id == Person.organisation_id)
            .outerjoin(Credential, Credential.person_id == Person.id)
            .where(Person.email_index.in_(email_indexes(self._db.seals.rows, email)))
        )
        with self._db.read() as session:
            found = session.execute(query).one_or_none()
            if found is None:
                return None
            person, organisation, credential = found
            return _Account(
                person_id=person.id,
                organisation_id=person.organisation_id,
                active=person.active and organisation is not None and organisation.active,
                password_hash="" if credential is None else credential.password_hash,
                totp=credential.totp if credential is not None and credential.totp_active else None,
                totp_step=totp.NEVER if credential is None else credential.totp_step,
            )

    def _problem(self, account: _Account, right: bool, step: int | None) -> str | None:
        """Return the code of what refuses this attempt, for the log, or None."""
        if not right:
            return "wrong-password"
        if not account.active:
            return "inactive"
        if account.totp is None:
            return None if self._password_only else "no-second-factor"
        if step is None:
            return "wrong-code"
        return "used-code" if step <= account.totp_step else None

    def _refused(
        self, problem: str, account: _Account | None, address: str | None, request: str | None
    ) -> Unauthenticated:
        """Record a failure and return the error. What was typed as an address is not kept: it may be a password."""
        self._log.append(
            Event(
                action="session.refused",
                target=None if account is None else account.person_id,
                decision="deny",
                request=request,
                details={"problem": problem, "method": _BOTH},
                private={"address": address} if address else None,
            )
        )
        return Unauthenticated(
            REFUSED, mend="Try again. After a lost password or device, ask your administrator."
        )


def _spend(session: Session, account: _Account, step: int | None, rehashed: str | None) -> None:
    """Use up the code's time step, and renew the password's hash, inside the change that opens the session."""
    if account.totp is None and rehashed is None:
        return
    credential = session.get(Credential, account.person_id, with_for_update=True)
    if credential is None or credential.password_hash != account.password_hash:
        raise _Overtaken
    if rehashed is not None:
        credential.password_hash = rehashed
    if account.totp is not None:
        if step is None or step <= credential.totp_step or credential.totp != account.totp:
            raise _Overtaken
        credential.totp_step = step
