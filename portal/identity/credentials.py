"""Changing one's own password, by whoever knows the one that it replaces."""

from __future__ import annotations

from portal.audit.change import Appends, recorded_change
from portal.audit.record import Event
from portal.clock import Clock
from portal.errors import Conflict, Invalid
from portal.identity.acting import Acting, event_by
from portal.identity.passwords import PasswordHasher, check_password
from portal.models import Credential, Person
from portal.models.database import Database


class Credentials:
    """What people sign in with. Raises TamperedRow when a row that is read does not match its seal."""

    def __init__(self, db: Database, log: Appends, clock: Clock, hasher: PasswordHasher) -> None:
        self._db = db
        self._log = log
        self._clock = clock
        self._hasher = hasher

    def change_password(self, current: str, new: str, by: Acting) -> None:
        """Set another password for whoever acts, recorded; the second factor stays.

        Raises Invalid when `current` is not their password (recorded as a failed sign-in is) or `new` is not taken,
        Conflict when it was changed meanwhile. Attempts are to be limited before this is called.
        """
        with self._db.read() as session:
            person = session.get(Person, by.person_id)
            held = session.get(Credential, by.person_id)
            known = "" if held is None else held.password_hash
        if person is None or not self._hasher.verify(known or None, current):
            raise self._refused(by)
        if current == new:
            raise Invalid("The new password is the old one.", mend="Choose another one.")
        check_password(new, email=person.email, name=person.name)
        password_hash = self._hasher.hash(new)
        event = event_by(by, "account.password", target=by.person_id, details={"method": "password"})
        with recorded_change(self._log, self._db.write, event) as change:
            row = change.session.get(Credential, by.person_id, with_for_update=True)
            if row is None or row.password_hash != known:
                raise Conflict("The password was changed meanwhile.", mend="Sign in anew, then look again.")
            row.password_hash = password_hash
            row.changed = self._clock()

    def _refused(self, by: Acting) -> Invalid:
        self._log.append(
            Event(
                action="session.refused",
                actor=by.person_id,
                session=by.session,
                target=by.person_id,
                decision="deny",
                request=by.request,
                details={"problem": "wrong-password", "method": "password"},
                private={"address": by.address} if by.address else None,
            )
        )
        error = Invalid("Your present password is not that one.", mend="Type it again.")
        error.recorded = True
        return error
