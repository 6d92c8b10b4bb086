"""One-time links: whoever holds one sets the password and the second factor of one account, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.change import Appends, recorded_change
from portal.audit.record import Event
from portal.clock import Clock, rfc3339
from portal.errors import Invalid, NotFound
from portal.identity import totp
from portal.identity.acting import Acting, event_by
from portal.identity.bearer import fingerprint, new_secret
from portal.identity.passwords import PasswordHasher, check_password
from portal.identity.sessions import end_within
from portal.identity.tokens import revoke_within
from portal.models import Credential, OneTimeLink, Organisation, Person, new_id
from portal.models.database import Database

MOST_HOURS = 24 * 14


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """Whose account a link opens, and until when."""

    id: str
    person_id: str
    organisation_id: str
    name: str
    email: str
    expires: datetime
    first: bool
    """Whether the account has no credentials yet."""


class Links:
    """One-time links. Methods raise TamperedRow when a row that they read does not match its seal."""

    def __init__(self, db: Database, log: Appends, clock: Clock, hasher: PasswordHasher) -> None:
        self._db = db
        self._log = log
        self._clock = clock
        self._hasher = hasher

    def create(self, person_id: str, hours: int, *, by: Acting | None = None) -> str:
        """Issue a link for a person and return its secret; links issued to them before hold no longer.

        Whether `by` may is the caller's to decide. Raises Invalid for a number of hours that is not taken, NotFound
        when the person is absent or inactive.
        """
        if not 1 <= hours <= MOST_HOURS:
            raise Invalid(
                f"A link holds for 1 to {MOST_HOURS} hours.", mend="Choose a number of hours in between."
            )
        now = self._clock()
        with self._db.read() as session:
            person = session.get(Person, person_id)
        if person is None or not person.active:
            raise NotFound("There is no such person.")
        secret = new_secret()
        row = OneTimeLink(
            id=new_id(),
            secret_hash=fingerprint(secret),
            person_id=person_id,
            created=now,
            expires=now + timedelta(hours=hours),
            used=None,
        )
        event = event_by(by, "account.invite", target=person_id, details={"until": rfc3339(row.expires)})
        with recorded_change(self._log, self._db.write, event) as change:
            _withdraw(change.session, person_id, now)
            change.session.add(row)
        return secret

    def look(self, secret: str) -> LinkInfo:
        """Return whose link this is, without using it; raises NotFound when it is forged, used or expired."""
        query = (
            select(OneTimeLink, Person, Organisation, Credential)
            .outerjoin(Person, Person.id == OneTimeLink.person_id)
            .outerjoin(Organisation, Organisation.id == Person.organisation_id)
            .outerjoin(Credential, Credential.person_id == Person.id)
            .where(OneTimeLink.secret_hash == fingerprint(secret))
        )
        with self._db.read() as session:
            found = session.execute(query).one_or_none()
            if found is None:
                raise _no_link()
            row, person, organisation, credential = found
            if person is None or organisation is None or not (person.active and organisation.active):
                raise _no_link()
            if not _holds(row, self._clock()):
                raise _no_link()
            return LinkInfo(
                id=row.id,
                person_id=person.id,
                organisation_id=person.organisation_id,
                name=person.name,
                email=person.email,
                expires=row.expires,
                first=credential is None,
            )

    def redeem(
        self,
        secret: str,
        password: str,
        totp_secret: str,
        code: str,
        *,
        request: str | None = None,
        address: str | None = None,
    ) -> LinkInfo:
        """Use a link: set password and second factor in one recorded change; sessions and API tokens end.

        Whoever had the old credentials may have made tokens with them, which would outlive their replacement.

        `code` shows that the person's app holds `totp_secret`; it is used up. Raises NotFound when the link is forged,
        used or expired, Invalid when password or code are not taken (the link then still holds).
        """
        link = self.look(secret)
        check_password(password, email=link.email, name=link.name)
        now = self._clock()
        step = totp.matching_step(totp_secret, code, now)
        if step is None:
            raise Invalid(
                "The code is not the one that belongs to this second factor now.",
                mend="Type the code that your app shows, and check that the clock of your device is right.",
            )
        password_hash = self._hasher.hash(password)
        event = Event(
            action="account.activate" if link.first else "account.recover",
            actor=link.person_id,
            organisation=link.organisation_id,
            target=link.person_id,
            request=request,
            details={"method": "password-totp"},
            private={"address": address} if address else None,
        )
        with recorded_change(self._log, self._db.write, event) as change:
            row = change.session.get(OneTimeLink, link.id, with_for_update=True)
            if row is None or not _holds(row, now):
                raise _no_link()
            row.used = now
            _set(change.session, link.person_id, password_hash, totp_secret, step, now)
            end_within(change.session, link.person_id, now)
            revoke_within(change.session, link.person_id, now)
        return link


def _set(
    session: Session, person_id: str, password_hash: str, totp_secret: str, step: int, now: datetime
) -> None:
    credential = session.get(Credential, person_id, with_for_update=True)
    if credential is None:
        credential = Credential(person_id=person_id)
        session.add(credential)
    credential.password_hash = password_hash
    credential.totp = totp_secret
    credential.totp_step = step
    credential.totp_active = True
    credential.changed = now


def _withdraw(session: Session, person_id: str, now: datetime) -> None:
    query = select(OneTimeLink).where(
        OneTimeLink.person_id == person_id, OneTimeLink.used.is_(None), OneTimeLink.expires > now
    )
    for row in session.scalars(query.with_for_update()):
        row.expires = now


def _holds(row: OneTimeLink, now: datetime) -> bool:
    return row.used is None and now < row.expires


def _no_link() -> NotFound:
    return NotFound(
        "This link does not hold, or not any more.", mend="Ask the person who sent it to you for a new one."
    )
