"""The active security policy, read from the database and kept in memory; the former ones stay readable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property

from sqlalchemy import select

from policies import InvalidLabel, InvalidPolicy, Label, SecurityPolicy, parse_policy
from policies.nations import load_nations
from portal.errors import NotFound, Tampered, Unavailable
from portal.models import Policy
from portal.models.database import Database
from portal.services.level_settings import LevelSettings, StoredSettings


class ActivePolicy:
    """Hands out the active policy; one sealed row says which it is. A damaged one goes to `report`, and is refused."""

    def __init__(self, database: Database, report: Callable[[Tampered], None] | None = None) -> None:
        self._database = database
        self._report = report
        self._policy: SecurityPolicy | None = None
        self._former: dict[str, SecurityPolicy] = {}
        self._stored: StoredSettings | None = None
        self._stored_at: object = None
        self._in_force: tuple[SecurityPolicy, datetime, LevelSettings] | None = None

    def current(self) -> SecurityPolicy:
        """Return the active policy; raises Unavailable when there is none that can be read: no policy, no access."""
        if self._policy is None:
            self._policy = self._load()
        return self._policy

    def notice(self, digest: str | None, settings: object = None) -> None:
        """Take note of the active policy's digest as the database has it now: another one is read on next use.

        `settings` stands for the settings of classifications, and is another one after any change to them. Every
        request asks with its first query, so a change works on the next request, on every node.
        """
        if settings != self._stored_at:
            self._stored, self._stored_at, self._in_force = None, settings, None
        if self._policy is not None and self._policy.digest != digest:
            self._former[self._policy.digest] = self._policy
            self._policy = None

    def by_digest(self, digest: str) -> SecurityPolicy:
        """Return a policy that is or was active; raises NotFound for another, Unavailable when it cannot be read."""
        if self._policy is not None and self._policy.digest == digest:
            return self._policy
        if digest not in self._former:
            self._former[digest] = self._load(digest)
        return self._former[digest]

    def settings_at(self, now: datetime, of: SecurityPolicy | None = None) -> LevelSettings:
        """Return the settings in force at `now` of a policy's classifications, the active policy's by default."""
        policy, kept = of or self.current(), self._in_force
        if kept is not None and kept[0] is policy and kept[1] <= now:
            found = kept[2]
            if found.until is None or now < found.until:
                return found
        stored = self._stored
        if stored is None:
            with self._database.read() as session:
                try:
                    stored = self._stored = StoredSettings.load(session)
                except Tampered as fault:
                    if self._report is not None:
                        self._report(fault)
                    raise
        found = stored.at(now, policy)
        self._in_force = policy, now, found
        return found

    @cached_property
    def national(self) -> Sequence[SecurityPolicy]:
        """The policies of states and organisations whose labels have an equivalent by their own file."""
        return tuple(load_nations().values())

    def marking(self, label: Label) -> str:
        """Return a label's display marking, for the record too when the active policy no longer holds it.

        Then the words are its bare names: what a label once meant is told by the policy of its time (`by_digest`).
        """
        try:
            return self.current().marking(label)
        except InvalidLabel:
            values = (value for _, held in label.categories for value in held)
            return f"{label.classification} {', '.join(values)}".strip()

    def _load(self, digest: str | None = None) -> SecurityPolicy:
        wanted = Policy.active if digest is None else Policy.digest == digest
        with self._database.read() as session:
            try:
                row = session.scalar(select(Policy).where(wanted))
            except Tampered as fault:
                if self._report is not None:
                    self._report(fault)
                raise
        if row is None and digest is not None:
            raise NotFound("There is no such policy.")
        if row is None:
            raise Unavailable(
                "No security policy is active, so nothing can be opened.", mend="Run `strongroom init`."
            )
        try:
            policy = parse_policy(row.spif)
        except InvalidPolicy as fault:
            raise Unavailable(
                f"The security policy cannot be read: {fault}", mend="Activate another."
            ) from None
        if policy.digest != row.digest:
            raise Unavailable("The security policy does not match its digest.", mend="Activate it again.")
        return policy
