"""A change of state with the log beside it: intent, one database transaction, outcome (architecture.md).

The log and the business data are two databases and share no transaction, so the intent stands before the change and
its number goes into every row that the change writes; the outcome says afterwards what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sqlalchemy.orm import Session

from portal.audit.append import Receipt
from portal.audit.catalogue import entry
from portal.audit.record import Event
from portal.errors import PortalError


class Appends(Protocol):
    """What records events: the access log."""

    def append(self, event: Event) -> Receipt:
        """Record one event and return once it is committed."""
        ...


Write: TypeAlias = Callable[[int], AbstractContextManager[Session]]
"""Opens one writing transaction under an intent's number: commits at the end, rolls back on an error."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change under way: the session to write with, and the receipt of its intent."""

    session: Session
    receipt: Receipt


@contextmanager
def recorded_change(log: Appends, write: Write, event: Event) -> Iterator[Change]:
    """Record `event` as the intent, run the block in one transaction of `write`, record the outcome.

    An error in the block rolls back, is recorded as the outcome `failed` and goes on. When the commit itself fails,
    which state stands is not known: the intent is left open for the settlement, which looks. An action that the
    catalogue keeps in one record gets a second one only when the change did not come about. Raises what `log.append`
    and `write` raise; without a recorded intent nothing is written.
    """
    receipt = log.append(event)
    completed = entry(event.action).outcomes
    outcome = "failed"
    try:
        with write(receipt.seq) as session:
            yield Change(session, receipt)
            # Everything that the database may refuse is refused here; after this only the commit is left.
            session.flush()
            outcome = "unknown"
    except BaseException:
        if outcome == "failed" or not completed:
            # A log that fails now must not hide the first error: the settlement finds the open intent.
            with suppress(PortalError):
                log.append(_outcome(event, receipt.seq if completed else None, outcome))
        raise
    if completed:
        log.append(_outcome(event, receipt.seq, "complete"))


def _outcome(event: Event, intent: int | None, outcome: str) -> Event:
    """Return the record that says what became of `event`: who and what again, everything else stands in the intent."""
    return Event(
        action=event.action,
        actor=event.actor,
        session=event.session,
        role=event.role,
        assurance=event.assurance,
        organisation=event.organisation,
        programme=event.programme,
        document=event.document,
        version=event.version,
        target=event.target,
        request=event.request,
        completes=intent,
        outcome=outcome,
    )
