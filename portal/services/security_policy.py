"""The active security policy, read from the database and kept in memory; the former ones stay readable."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from policies import InvalidPolicy, SecurityPolicy, parse_policy
from portal.errors import Tampered, Unavailable
from portal.models import Policy
from portal.models.database import Database


class ActivePolicy:
    """Hands out the active policy; one sealed row says which it is. A damaged one goes to `report`, and is refused."""

    def __init__(self, database: Database, report: Callable[[Tampered], None] | None = None) -> None:
        self._database = database
        self._report = report
        self._policy: SecurityPolicy | None = None

    def current(self) -> SecurityPolicy:
        """Return the active policy; raises Unavailable when there is none that can be read: no policy, no access."""
        if self._policy is None:
            self._policy = self._load()
        return self._policy

    def _load(self) -> SecurityPolicy:
        with self._database.read() as session:
            try:
                row = session.scalar(select(Policy).where(Policy.active))
            except Tampered as fault:
                if self._report is not None:
                    self._report(fault)
                raise
        if row is None:
            raise Unavailable(
                "No security policy is active, so nothing can be opened.", mend="Run `strongroom init`."
            )
        try:
            policy = parse_policy(row.spif)
        except InvalidPolicy as fault:
            raise Unavailable(
                f"The active security policy cannot be read: {fault}", mend="Activate another."
            ) from None
        if policy.digest != row.digest:
            raise Unavailable(
                "The active security policy does not match its digest.", mend="Activate it again."
            )
        return policy
