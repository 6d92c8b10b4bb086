"""The access log of one database: what the rest of the portal holds and calls."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from crypto.errors import Damaged
from crypto.translog.note import NoteSigner
from portal.audit import tables
from portal.audit.append import EPOCH, MICROSECOND, Committer, Receipt
from portal.audit.checkpoint import Anchored, Checkpoints, InclusionProof, SignedCheckpoint
from portal.audit.disclosures import Disclosures
from portal.audit.export import Exporter
from portal.audit.projection import Projection
from portal.audit.reading import Record, leaves_at, leaves_between, log_size, record
from portal.audit.record import Event, Sealer, commit, disclosure_context
from portal.audit.schema import renew_projection
from portal.audit.search import Activity, Entries, Page, RecordFilter, Search
from portal.audit.store import reading
from portal.audit.tracing import Reader, Traces
from portal.clock import Clock
from portal.errors import Invalid, NotFound, Tampered

_STRETCH = 10_000
"""Records that are looked through one by one; beyond, the projection finds them."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Which record of a person or a document one is: `number` of `count`, and the records before and after it."""

    number: int
    count: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands around a record: the number of its outcome, whether it is an intent without a known end, and its
    neighbours by kind of subject (person, document).
    """

    ended: int | None
    unsure: bool
    neighbours: Mapping[str, Neighbours]


class AuditLog:
    """The log in `engine`'s database (`open_log_engine`, `create_log`), written by this process under the
    name `node`.

    `signer` signs checkpoints under the log's `origin`; `anchor` is the file, outside the data folder, that
    keeps the highest of them. `wait` bounds in seconds how long an append waits for its turn.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        node: str,
        sealer: Sealer,
        signer: NoteSigner,
        origin: str,
        anchor: Path,
        wait: float = 5.0,
    ) -> None:
        if signer.name != origin:
            raise Invalid("the log's signing key is named otherwise than the log's origin")
        self.origin = origin
        self._engine = engine
        self._sealer = sealer
        self._checkpoints = Checkpoints(engine, signer, anchor, wait)
        self._checkpoints.check_anchor()
        renew_projection(engine)
        self._projection = Projection(engine, wait)
        self._search = Search(engine, self._projection)
        self.traces = Traces(engine, self._projection)
        self.disclosures = Disclosures(engine, sealer, self.record, wait)
        self._exporter = Exporter(engine, self._search)
        self._committer = Committer(engine, clock=clock, node=node, sealer=sealer, wait=wait)

    def append(self, event: Event) -> Receipt:
        """Record one event; returns once it is on stable storage. Raises Invalid, Conflict or Unavailable."""
        return self._committer.append(event)

    def append_all(self, events: Sequence[Event]) -> tuple[Receipt, ...]:
        """Record several events in one transaction: all of them or none."""
        return self._committer.append_all(events)

    def open_intents(self, before: datetime) -> tuple[int, ...]:
        """Return the numbers of the intents older than `before` that have no outcome, oldest first."""
        table = tables.open_intents
        until = (before - EPOCH) // MICROSECOND
        with reading(self._engine) as connection:
            return tuple(
                connection.scalars(select(table.c.seq).where(table.c.time < until).order_by(table.c.seq))
            )

    def size(self) -> int:
        """Return how many records are committed."""
        with reading(self._engine) as connection:
            return log_size(connection)

    def record(self, seq: int) -> Record:
        """Return one record; raises NotFound, or Tampered when its bytes are damaged."""
        with reading(self._engine) as connection:
            found = connection.execute(
                select(tables.leaves.c.leaf).where(tables.leaves.c.seq == seq)
            ).scalar()
        if found is None:
            raise NotFound("there is no such record")
        return record(seq, found)

    def records(self, seqs: Collection[int]) -> dict[int, Record]:
        """Return the records with these numbers; one that is missing, or cannot be read, is left out."""
        with reading(self._engine) as connection:
            leaves = leaves_at(connection, seqs)
        found: dict[int, Record] = {}
        for seq, leaf in leaves.items():
            with suppress(Tampered):
                found[seq] = record(seq, leaf)
        return found

    def latest(self, actions: Collection[str], start: int, stop: int) -> list[Record]:
        """Return the records [start, stop) of some actions, oldest first; of a long stretch the newest one alone."""
        if stop - start > _STRETCH:
            pages = [self.search(RecordFilter(action=action), limit=1).records for action in actions]
            found = [one for page in pages for one in page]
            return sorted(found, key=lambda one: one.seq)[-1:]
        with reading(self._engine) as connection:
            leaves = leaves_between(connection, start, stop)
        named = [json.dumps(action).encode() for action in actions]
        some = [(seq, leaf) for seq, leaf in enumerate(leaves, start) if any(name in leaf for name in named)]
        return [one for one in (record(seq, leaf) for seq, leaf in some) if one.action in actions]

    def disclose(self, seq: int) -> dict[str, str]:
        """Open the private values of one record, as far as they are not erased; raises Tampered for a false one."""
        table = tables.disclosures
        stated = self.record(seq).get("commitments") or {}
        query = select(table.c.name, table.c.salt, table.c.value).where(table.c.seq == seq)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        opened: dict[str, str] = {}
        for name, salt, value in rows:
            commitment = stated.get(name, "")
            try:
                opener = self._sealer.open(disclosure_context(name, commitment, "salt"), salt)
                plain = self._sealer.open(disclosure_context(name, commitment, "value"), value)
            except Damaged as error:
                raise Tampered(f"what opens “{name}” of record {seq} is damaged") from error
            if commit(opener, plain) != commitment:
                raise Tampered(f"what record {seq} holds of “{name}” is not what it committed itself to")
            opened[name] = plain.decode()
        return opened

    def disclosed(self, seqs: Collection[int], name: str) -> dict[int, str]:
        """Open the private value `name` of several records, by number, where there is one; raises as `disclose`."""
        table = tables.disclosures
        query = select(table.c.seq).where(table.c.seq.in_(seqs), table.c.name == name)
        with reading(self._engine) as connection:
            found = connection.scalars(query).all()
        return {seq: self.disclose(seq)[name] for seq in found}

    def search(self, wanted: RecordFilter, *, before: int | None = None, limit: int = 50) -> Page:
        """Return one page of records, newest first; `before` is the `next` of the page above it."""
        return self._search.page(wanted, before=before, limit=limit)

    def activity(
        self, wanted: RecordFilter, start: datetime, step: timedelta, count: int
    ) -> tuple[Activity, ...]:
        """Return accesses and refusals in `count` periods of `step` from `start` on."""
        return self._search.activity(wanted, start, step, count)

    def entries(
        self,
        wanted: RecordFilter,
        *,
        routine: bool = True,
        unsure: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> Entries:
        """Return one page of entries, newest first: intents together with their outcomes; see `Search.entries`."""
        return self._search.entries(wanted, routine=routine, unsure=unsure, before=before, limit=limit)

    def count(self, wanted: RecordFilter, *, most: int) -> int:
        """Return how many records match, or `most` when there are as many or more."""
        return self._search.count(wanted, most)

    def count_entries(
        self, wanted: RecordFilter, *, routine: bool = True, unsure: bool = False, most: int
    ) -> int:
        """Return how many entries match, or `most` when there are as many or more."""
        return self._search.count_entries(wanted, routine=routine, unsure=unsure, most=most)

    def standing(self, record: Record) -> Standing:
        """Return what stands around a record: its outcome, and its neighbours by person and by document."""
        neighbours = {}
        for subject, (number, before) in (record.get("subjects") or {}).items():
            kind, _, value = subject.partition(":")
            after = self._search.after("actor" if kind == "person" else kind, value, record.seq)
            of = select(tables.subjects.c.n).where(tables.subjects.c.subject == subject)
            with reading(self._engine) as connection:
                count = connection.execute(of).scalar() or number
            neighbours[kind] = Neighbours(number, count, before if before >= 0 else None, after)
        ended, unsure = self._search.ended(record.seq)
        return Standing(ended, unsure, neighbours)

    def file_size(self) -> int:
        """Return how many bytes the log's database takes on disk; 0 where it is no file of this machine."""
        if self._engine.url.get_backend_name() != "sqlite":
            return 0
        path = Path(str(self._engine.url.database))
        files = (path, path.with_name(path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def anchored(self) -> Anchored | None:
        """Return what the anchor holds, None without one; raises Tampered when it is not this log's."""
        return self._checkpoints.anchored()

    def readers_of(self, document: str) -> tuple[Reader, ...]:
        """Return to whom a document's content was disclosed, the most recent first."""
        return self.traces.readers_of(document)

    def export(self, form: str, wanted: RecordFilter | None = None) -> Iterator[bytes]:
        """Stream the selected records as `jsonl` or `csv` at constant memory, with a footer; raises Invalid."""
        return self._exporter.stream(form, wanted or RecordFilter())

    def checkpoint(self) -> SignedCheckpoint:
        """Sign, store and anchor a checkpoint of what is committed now; the projection is caught up as well."""
        signed = self._checkpoints.make()
        self._projection.catch_up()
        return signed

    def latest_checkpoint(self) -> SignedCheckpoint | None:
        """Return the highest checkpoint that is stored."""
        return self._checkpoints.latest()

    def inclusion_proof(self, seq: int) -> InclusionProof:
        """Prove that a record is in the log; signs a checkpoint where none covers it yet. Raises NotFound."""
        return self._checkpoints.prove_inclusion(seq)

    def consistency_proof(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of `new` records extends that of `old`; raises NotFound."""
        return self._checkpoints.prove_consistency(old, new)

    def rebuild_projection(self) -> None:
        """Make anew, from the leaves, what pages are found by."""
        self._projection.rebuild()

    def close(self) -> None:
        """Commit what is queued and stop the committer's thread; later appends raise Unavailable."""
        self._committer.close()
