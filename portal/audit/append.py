"""Appending: one committer thread, group commit, and receipts that only a commit makes.

Appends that arrive while a transaction runs share the next one. The head row is read inside the transaction,
so several processes may append to one file; what this process remembers of the subjects' counts holds only
while the head is the one that it wrote itself.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from sqlalchemy import Connection, Engine, Pool, select

from portal.audit import tables
from portal.audit.record import NO_EARLIER, Draft, Event, Sealer, draft, leaf
from portal.audit.statements import AppendStatements
from portal.audit.store import writing
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, Invalid, PortalError, Tampered, Unavailable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_MAX_BATCH = 512
_SUBJECTS_KEPT = 50_000
_GRACE = 2.0
_LEAST_WAIT = 0.05
# A clock that steps back less than this (slewing, two nodes) is held still without a record of its own.
_JUMP = 1_000_000
_CROWD = 8
_PATIENCE = 0.002
_HEAD_ROW = 1
_MINT = object()

_SUBJECTS = select(tables.subjects.c.subject, tables.subjects.c.n, tables.subjects.c.last)
_INTENTS = select(tables.open_intents.c.seq, tables.open_intents.c.action)


class Receipt:
    """Proof, inside this process, that a record is committed. Only the log's committer makes one.

    `seq` and `time` are the record's; the other attributes are the event's. A receipt can be neither
    constructed, changed, copied nor pickled.
    """

    __slots__ = ("_event", "leaf", "seq", "time")

    seq: int
    time: datetime
    leaf: bytes
    _event: Event

    def __init__(self, mint: object, event: Event, seq: int, time: datetime, leaf: bytes) -> None:
        if mint is not _MINT:
            raise TypeError("only a committed append makes a receipt")
        put = object.__setattr__
        put(self, "_event", event)
        put(self, "seq", seq)
        put(self, "time", time)
        put(self, "leaf", leaf)

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("a receipt has no other kind")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a receipt does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a receipt does not change")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a receipt stays in its process")

    def __repr__(self) -> str:
        return f"Receipt(seq={self.seq}, action={self.action!r})"

    @property
    def action(self) -> str:
        """What was recorded."""
        return self._event.action

    @property
    def actor(self) -> str | None:
        """Who did it."""
        return self._event.actor

    @property
    def session(self) -> str | None:
        """The session in which it was done."""
        return self._event.session

    @property
    def document(self) -> str | None:
        """The document that it concerns."""
        return self._event.document

    @property
    def version(self) -> int | None:
        """The document's version."""
        return self._event.version

    @property
    def decision(self) -> str | None:
        """`permit`, `deny`, or None where nothing was decided."""
        return self._event.decision

    @property
    def completes(self) -> int | None:
        """The intent that this record is the outcome of."""
        return self._event.completes

    @property
    def event(self) -> Event:
        """The whole event."""
        return self._event

    @property
    def leaf_hash(self) -> bytes:
        """SHA-256 of 0x00 and the leaf (RFC 6962, section 2.1)."""
        return hashlib.sha256(b"\x00" + self.leaf).digest()


class _Pending:
    """Drafts of one caller, that are recorded together or not at all."""

    __slots__ = ("deadline", "done", "drafts", "error", "receipts")

    def __init__(self, drafts: Sequence[Draft], deadline: float) -> None:
        self.drafts = drafts
        self.deadline = deadline
        self.receipts: tuple[Receipt, ...] = ()
        self.error: PortalError | None = None
        self.done = threading.Lock()
        self.done.acquire()


@dataclass(slots=True)
class _Batch:
    """One transaction in the making."""

    size: int
    time: int
    moment: datetime
    stamp: str
    subjects: dict[str, tuple[int, int]]
    intents: dict[int, str]
    changed: dict[str, tuple[int, int]] = field(default_factory=dict)
    leaves: list[tuple[int, bytes]] = field(default_factory=list)
    disclosures: list[tuple[int, str, bytes, bytes]] = field(default_factory=list)
    opened: dict[int, str] = field(default_factory=dict)
    closed: list[int] = field(default_factory=list)


class Committer:
    """Appends to the log of one database from one thread of this process.

    `wait` is the longest time in seconds that a caller waits for its turn. The thread starts with the first
    append and again in a forked child; `close` ends it after what is queued has been committed.
    """

    def __init__(self, engine: Engine, *, clock: Clock, node: str, sealer: Sealer, wait: float = 5.0) -> None:
        self._engine = engine
        self._clock = clock
        self._node = node
        self._sealer = sealer
        self._wait = wait
        self._statements = AppendStatements(engine.dialect)
        self._closed = False
        self._inherited: list[Pool] = []
        self._reset()
        reference = weakref.WeakMethod(self._after_fork)

        def after_fork() -> None:
            method = reference()
            if method is not None:
                method()

        os.register_at_fork(after_in_child=after_fork)

    def append(self, event: Event) -> Receipt:
        """Record one event and return once it is on stable storage.

        Raises Invalid (not in the catalogue, too large), Conflict (its intent already has an outcome) or
        Unavailable.
        """
        return self._submit((draft(event, node=self._node, sealer=self._sealer),))[0]

    def append_all(self, events: Sequence[Event]) -> tuple[Receipt, ...]:
        """Record several events one after the other in one transaction: all of them or none."""
        if not events:
            return ()
        return self._submit([draft(event, node=self._node, sealer=self._sealer) for event in events])

    def close(self) -> None:
        """Commit what is queued and end the thread; later appends raise Unavailable."""
        with self._mutex:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _reset(self) -> None:
        self._mutex = threading.Lock()
        self._wake = threading.Condition(self._mutex)
        self._queue: deque[_Pending] = deque()
        self._thread: threading.Thread | None = None
        self._awaited = 0
        self._head = -1
        self._known: dict[str, tuple[int, int]] = {}
        self._jumped = False

    def _after_fork(self) -> None:
        # SQLite connections, locks and threads do not survive a fork: the child begins afresh, the parent
        # keeps its own. The old pool stays referenced, since the child must not even close what is in it.
        self._inherited.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._reset()

    def _submit(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        pending = _Pending(drafts, time.monotonic() + self._wait)
        with self._mutex:
            if self._closed:
                raise Unavailable(
                    "the access log is closed", mend="The portal is stopping; try again in a moment."
                )
            self._queue.append(pending)
            if self._thread is None:
                self._start()
            elif len(self._queue) == self._awaited:
                self._wake.notify()
        if not pending.done.acquire(timeout=self._wait):
            self._give_up(pending)
        if pending.error is not None:
            # Each caller gets an exception object of its own: a shared one would gather everybody's
            # traceback.
            error = pending.error
            raise type(error)(error.message, mend=error.mend) from error
        return pending.receipts

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="audit-committer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._queue.clear()
            raise Unavailable("the access log's thread cannot start") from error
        self._thread = thread

    def _give_up(self, pending: _Pending) -> None:
        with self._mutex:
            try:
                self._queue.remove(pending)
            except ValueError:
                queued = False
            else:
                queued = True
        if queued or not pending.done.acquire(timeout=_GRACE):
            # Taken but unanswered, it may still be committed: an intent that nobody acted on, settled as
            # unknown.
            raise Unavailable("the access log did not answer in time", mend="Try again in a moment.")

    def _run(self) -> None:
        busy = 0
        while True:
            with self._mutex:
                while not self._queue:
                    if self._closed:
                        return
                    self._await(1, None)
                # Callers that were just answered come back at once: a moment's patience makes half as many commits.
                if busy >= _CROWD and len(self._queue) < busy:
                    self._await(busy, _PATIENCE)
                batch = self._take()
                busy = len(batch)
            try:
                self._commit(batch)
            except PortalError as error:
                self._head = -1
                for pending in batch:
                    pending.receipts, pending.error = (), error
            except Exception as error:
                # Whatever it was, nobody may wait for ever or take silence for a record.
                self._head = -1
                fault = Unavailable("the access log failed")
                fault.__cause__ = error
                for pending in batch:
                    pending.receipts, pending.error = (), fault
            for pending in batch:
                pending.done.release()

    def _await(self, count: int, timeout: float | None) -> None:
        self._awaited = count
        self._wake.wait(timeout)
        self._awaited = 0

    def _take(self) -> list[_Pending]:
        batch: list[_Pending] = []
        count = 0
        while self._queue and (not batch or count + len(self._queue[0].drafts) <= _MAX_BATCH):
            pending = self._queue.popleft()
            count += len(pending.drafts)
            batch.append(pending)
        return batch

    def _commit(self, pendings: Sequence[_Pending]) -> None:
        wait = max(_LEAST_WAIT, min(pending.deadline for pending in pendings) - time.monotonic())
        with writing(self._engine, wait) as connection:
            batch = self._begin(connection, pendings)
            for pending in pendings:
                self._add(batch, pending)
            self._write(connection, batch)
        self._head = batch.size
        self._known.update(batch.changed)

    def _begin(self, connection: Connection, pendings: Sequence[_Pending]) -> _Batch:
        row = self._statements.read_head.run(connection, (_HEAD_ROW,)).first()
        if row is None:
            raise Tampered("the log's head row is missing", mend="Run “strongroom audit verify”.")
        size, last = row[0], row[1]
        if size != self._head or len(self._known) > _SUBJECTS_KEPT:
            self._known.clear()
        needed = {key for pending in pendings for draft in pending.drafts for key in draft.subjects}
        missing = [key for key in needed if key not in self._known]
        if missing:
            self._known.update(dict.fromkeys(missing, (0, NO_EARLIER)))
            found = connection.execute(_SUBJECTS.where(tables.subjects.c.subject.in_(missing)))
            self._known.update({subject: (n, seq) for subject, n, seq in found})
        completing = [
            draft.event.completes
            for pending in pendings
            for draft in pending.drafts
            if draft.event.completes is not None
        ]
        intents: dict[int, str] = {}
        if completing:
            rows = connection.execute(_INTENTS.where(tables.open_intents.c.seq.in_(completing)))
            intents = {row[0]: row[1] for row in rows}
        return self._time(_Batch(size, last, EPOCH, "", self._known, intents))

    def _time(self, batch: _Batch) -> _Batch:
        """Take the time inside the append lock; it never goes back in the log, and a clock that does is
        recorded.
        """
        now = (self._clock() - EPOCH) // MICROSECOND
        back = batch.time - now
        last = batch.time
        batch.time = max(now, last)
        batch.moment = EPOCH + batch.time * MICROSECOND
        batch.stamp = rfc3339(batch.moment)
        if back > _JUMP and not self._jumped:
            details = {"last": batch.stamp, "clock": rfc3339(EPOCH + now * MICROSECOND)}
            event = Event("clock.jump", details=details)
            self._put(batch, draft(event, node=self._node, sealer=self._sealer), {})
        self._jumped = back > _JUMP
        return batch

    def _add(self, batch: _Batch, pending: _Pending) -> None:
        """Give one caller's records their places in the batch, or the caller its error and the batch
        nothing.
        """
        start = batch.size, len(batch.leaves), len(batch.disclosures), len(batch.closed)
        changed: dict[str, tuple[int, int]] = {}
        receipts: list[Receipt] = []
        reopened: dict[int, str] = {}
        try:
            for one in pending.drafts:
                completes = one.event.completes
                if completes is not None:
                    reopened[completes] = self._complete(batch, one.event.action, completes)
                seq, written = self._put(batch, one, changed)
                receipts.append(Receipt(_MINT, one.event, seq, batch.moment, written))
        except (Invalid, Conflict) as error:
            batch.size = start[0]
            del batch.leaves[start[1] :], batch.disclosures[start[2] :], batch.closed[start[3] :]
            batch.opened = {seq: action for seq, action in batch.opened.items() if seq < start[0]}
            batch.intents.update({seq: action for seq, action in reopened.items() if seq < start[0]})
            pending.error = error
            return
        batch.changed.update(changed)
        pending.receipts = tuple(receipts)

    def _complete(self, batch: _Batch, action: str, intent: int) -> str:
        found = batch.intents.pop(intent, None)
        if found is None:
            found = batch.opened.get(intent)
            if found is None or intent in batch.closed:
                raise Conflict(f"record {intent} is no intent, or its outcome is already recorded")
        if found != action:
            raise Invalid(f"record {intent} is an intent of {found}, not of {action}")
        batch.closed.append(intent)
        return found

    def _put(self, batch: _Batch, one: Draft, changed: dict[str, tuple[int, int]]) -> tuple[int, bytes]:
        seq = batch.size
        chain: dict[str, list[int]] = {}
        for key in one.subjects:
            count, previous = changed.get(key) or batch.changed.get(key) or batch.subjects[key]
            chain[key] = [count + 1, previous]
        written = leaf(one, seq=seq, time=batch.stamp, subjects=chain)
        for key, (count, _) in chain.items():
            changed[key] = (count, seq)
        batch.leaves.append((seq, written))
        if one.opens:
            batch.opened[seq] = one.event.action
        for item in one.disclosures:
            batch.disclosures.append((seq, item.name, item.salt, item.value))
        batch.size = seq + 1
        return seq, written

    def _write(self, connection: Connection, batch: _Batch) -> None:
        if not batch.leaves:
            return
        run = self._statements
        run.insert_leaf.run_all(connection, batch.leaves)
        run.put_subject.run_all(connection, [(key, *count) for key, count in batch.changed.items()])
        run.insert_disclosure.run_all(connection, batch.disclosures)
        closed = set(batch.closed)
        opened = [(seq, name, batch.time) for seq, name in batch.opened.items() if seq not in closed]
        run.insert_intent.run_all(connection, opened)
        run.close_intent.run_all(connection, [(seq,) for seq in closed if seq not in batch.opened])
        run.write_head.run(connection, (batch.size, batch.time, _HEAD_ROW))
