"""API tokens: for scripts, shown once, stored as a hash, expiring, never worth more than the sign-in behind them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.change import Appends, recorded_change
from portal.clock import Clock, rfc3339
from portal.errors import Invalid, NotFound
from portal.identity.acting import Acting, event_by
from portal.identity.bearer import fingerprint, new_secret
from portal.identity.holders import Holder, holder_of, with_holder
from portal.models import ApiToken, Person, new_id
from portal.models.database import Database

PREFIX = "srt_"
"""Begins every token, so that people and scanners of leaked secrets know one when they see it."""

MOST_DAYS = 366
MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token: whose, what they call it, and the assurance (1 to 3) that a request with it has.

    `holder` comes with `find` alone.
    """

    id: str
    person_id: str
    organisation_id: str
    name: str
    assurance: int
    created: datetime
    expires: datetime
    revoked: datetime | None
    holder: Holder | None = field(default=None, compare=False)


class Tokens:
    """The API tokens of all people. Methods raise TamperedRow when a row that they read does not match its seal."""

    def __init__(self, db: Database, log: Appends, clock: Clock) -> None:
        self._db = db
        self._log = log
        self._clock = clock

    def create(
        self,
        person_id: str,
        name: str,
        days: int,
        session_assurance: int,
        ceiling: int,
        *,
        by: Acting | None = None,
    ) -> tuple[str, TokenInfo]:
        """Create a token that holds for `days` and return its secret, which is never shown again.

        Its assurance is that of the session that makes it, at most `ceiling`. Raises Invalid for a name or a number
        of days that is not taken, NotFound when the person is absent or inactive.
        """
        name = name.strip()
        if not 0 < len(name) <= MOST_NAME or not name.isprintable():
            raise Invalid(
                f"A token needs a name of at most {MOST_NAME} characters.", mend="Say what it is used for."
            )
        if not 1 <= days <= MOST_DAYS:
            raise Invalid(
                f"A token holds for 1 to {MOST_DAYS} days.", mend="Choose a number of days in between."
            )
        now = self._clock()
        with self._db.read() as session:
            person = session.get(Person, person_id)
        if person is None or not person.active:
            raise NotFound("There is no such person.")
        secret = new_secret(PREFIX)
        row = ApiToken(
            id=new_id(),
            secret_hash=fingerprint(secret),
            person_id=person_id,
            assurance=min(session_assurance, ceiling),
            created=now,
            expires=now + timedelta(days=days),
            revoked=None,
        )
        row.name = name
        details = {"token": row.id, "until": rfc3339(row.expires)}
        event = event_by(by, "token.create", target=person_id, details=details, private={"name": name})
        with recorded_change(self._log, self._db.write, event) as change:
            change.session.add(row)
        return secret, _info(row, person)

    def find(self, secret: str) -> TokenInfo | None:
        """Return the token that this secret is, or None: unknown, expired, revoked, person inactive.

        One query, whatever the answer.
        """
        now = self._clock()
        query = with_holder(select(ApiToken), ApiToken.person_id).where(
            ApiToken.secret_hash == fingerprint(secret)
        )
        with self._db.read() as session:
            found = session.execute(query).all()
            if not found:
                return None
            row, person, organisation, _ = found[0]
            if person is None or organisation is None or not (person.active and organisation.active):
                return None
            if row.revoked is not None or now >= row.expires:
                return None
            holder = holder_of(person, organisation, (grant for *_, grant in found), now)
            return replace(_info(row, person), holder=holder)

    def revoke(
        self, token_id: str, by: Acting | None, *, owner: str | None = None, cause: str = "revoked"
    ) -> None:
        """Revoke a token, recorded; one that is revoked already stays as it is.

        `owner`, where given, is the person whose token it must be. Whether `by` may revoke it is the caller's to
        decide. Raises NotFound.
        """
        with self._db.read() as session:
            row = session.get(ApiToken, token_id)
        if row is None or (owner is not None and row.person_id != owner):
            raise NotFound("There is no such token.")
        if row.revoked is not None:
            return
        details = {"token": token_id, "cause": cause}
        event = event_by(by, "token.revoke", target=row.person_id, details=details)
        with recorded_change(self._log, self._db.write, event) as change:
            current = change.session.get(ApiToken, token_id, with_for_update=True)
            if current is not None and current.revoked is None:
                current.revoked = self._clock()

    def list(self, person_id: str) -> tuple[TokenInfo, ...]:
        """Return every token that a person ever had, the newest first."""
        query = select(ApiToken).where(ApiToken.person_id == person_id).order_by(ApiToken.created.desc())
        with self._db.read() as session:
            person = session.get(Person, person_id)
            if person is None:
                return ()
            return tuple(_info(row, person) for row in session.scalars(query))


def revoke_within(session: Session, person_id: str, now: datetime) -> None:
    """Revoke every token of a person inside a change that is recorded as something else (a new password, a lock)."""
    query = select(ApiToken).where(ApiToken.person_id == person_id, ApiToken.revoked.is_(None))
    for row in session.scalars(query.with_for_update()):
        row.revoked = now


def _info(row: ApiToken, person: Person) -> TokenInfo:
    return TokenInfo(
        id=row.id,
        person_id=row.person_id,
        organisation_id=person.organisation_id,
        name=row.name,
        assurance=row.assurance,
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
