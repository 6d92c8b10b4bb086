"""Rotations of keys: rows that a background job carries through, on any node, from where the last one stopped.

A rotation makes a new version of its key, wraps or seals anew what is under the older ones, waits until no node can
still use an older one, looks once more, brings manifests in line, and retires the older versions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast, get_args

from sqlalchemy import Connection, Table, func, or_, select, tuple_, update

from crypto import envelope
from crypto.errors import Damaged, KeyUnavailable
from crypto.keyring import KeyRing, KeyState, Kind, SealingKind, SigningKind, WrappedKey
from portal import models
from portal.audit import AuditLog, Event
from portal.clock import Clock
from portal.errors import Conflict, Invalid, NotFound, PortalError, Unavailable
from portal.models.database import Database
from portal.services.alarm import Alarm
from portal.services.manifests import Manifests
from portal.services.resealing import Batch, Chain, Deks, Disclosures, Packs, Roots, SealedRows, Work
from portal.settings import Settings

ROOT = "root"
KINDS: tuple[str, ...] = (ROOT, "kek", *get_args(SealingKind), *get_args(SigningKind))
"""What can be rotated, by name."""
_CLAIM = timedelta(seconds=30)
_MARGIN = timedelta(seconds=60)
"""How long somebody may take from wrapping a key to having written it."""
_MANIFESTS_AT_ONCE = 50
_KEPT = ("binding", *get_args(SigningKind))
"""Kinds whose older versions stay: what they signed is checked with them."""
_OLDER = (KeyState.ACTIVE, KeyState.SUPERSEDED)
_TABLE = cast(Table, models.KeyRotation.__table__)


@dataclass(frozen=True, slots=True)
class RotationView:
    """A rotation as it stands: `done` of `total` rows of its stage, `failed` left as they were."""

    id: str
    kind: str
    domain: str
    state: str
    total: int
    done: int
    failed: int
    started: datetime
    finished: datetime | None


class Rotations:
    """Orders rotations and carries them through."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        ring: KeyRing,
        manifests: Manifests,
        alarm: Alarm,
        settings: Settings,
        clock: Clock,
        node: str,
    ) -> None:
        self._database = database
        self._log = log
        self._ring = ring
        self._manifests = manifests
        self._alarm = alarm
        self._settings = settings
        self._clock = clock
        self._node = f"{node}:{os.getpid()}:{envelope.new_key_id()}"[-100:]

    def order(self, kind: str, domain: str, event: Event) -> str:
        """Record `event` and order the rotation of a key; returns its id.

        Raises Invalid for another kind, NotFound for a domain without a key, Conflict when one is under way.
        """
        if kind not in KINDS:
            raise Invalid(f"{kind!r} is no kind of key.", mend=f"Name one of {', '.join(KINDS)}.")
        if kind == "kek" and not self._newest(kind, domain):
            raise NotFound("There is no key of this domain.")
        rotation_id, now = models.new_id(), self._clock()
        self._refuse_second(kind, domain)
        self._log.append(event)
        newest = self._newest(kind, domain)
        with self._database.write() as session:
            session.add(
                models.KeyRotation(
                    id=rotation_id,
                    kind=kind,
                    domain=domain,
                    state="making",
                    place=str(newest.version if newest else 0),
                    total=0,
                    done=0,
                    failed=0,
                    ordered_by=event.actor,
                    node="",
                    claimed_until=now,
                    started=now,
                    finished=None,
                )
            )
        return rotation_id

    def order_due(self) -> int:
        """Order the rotation of every KEK that is older than the settings allow; returns how many."""
        # A day early: what is promised of backups counts on the day that the older key is gone.
        least = self._clock() - timedelta(days=max(self._settings.key_rotation_days - 1, 0.5))
        newest: dict[str, WrappedKey] = {}
        for key in self._ring.stored():
            if key.kind == "kek" and key.version > getattr(newest.get(key.domain), "version", 0):
                newest[key.domain] = key
        due = [key for key in newest.values() if key.created < least]
        ordered = 0
        for key in due:
            details = {"key_kind": key.kind, "domain": key.domain, "version": key.version + 1}
            try:
                self.order(key.kind, key.domain, Event(action="keys.rotate", details=details))
                ordered += 1
            except Conflict:
                continue
        return ordered

    def all(self, most: int = 50) -> Sequence[RotationView]:
        """Return rotations, those under way first, then the newest."""
        query = (
            select(models.KeyRotation)
            .order_by(models.KeyRotation.finished.is_(None).desc(), models.KeyRotation.started.desc())
            .limit(most)
        )
        with self._database.read() as session:
            return [_view(row) for row in session.scalars(query)]

    def one(self, rotation_id: str) -> RotationView:
        """Return one rotation; raises NotFound."""
        with self._database.read() as session:
            row = session.get(models.KeyRotation, rotation_id)
            if row is None:
                raise NotFound("There is no such rotation.")
            return _view(row)

    def work(self, seconds: float = float("inf")) -> bool:
        """Carry on whatever is under way, for about so long; tells whether something can be done at once again.

        Raises Unavailable when keys, database or log do not answer: the next call goes on from there.
        """
        end = time.monotonic() + seconds
        more = False
        for rotation_id in self._open():
            while (again := self._step(rotation_id)) and time.monotonic() < end:
                continue
            more = more or again
        return more

    def sweep(self) -> None:
        """The background's round: order what is due, then work for a while."""
        self.order_due()
        self.work(20)

    def _open(self) -> Sequence[str]:
        query = select(models.KeyRotation.id).where(models.KeyRotation.state != "done")
        with self._database.read() as session:
            return session.scalars(query.order_by(models.KeyRotation.started)).all()

    def _step(self, rotation_id: str) -> bool:
        """Do one step of a rotation that this node claims; tells whether there is another one to do now."""
        row = self._claimed(rotation_id)
        if row is None:
            return False
        try:
            return self._stage(row)
        except KeyUnavailable as fault:
            raise Unavailable(
                f"The keys are out of reach, so the rotation waits: {fault}.",
                mend="It goes on by itself when they are back.",
            ) from fault

    def _claimed(self, rotation_id: str) -> models.KeyRotation | None:
        now = self._clock()
        mine = or_(_TABLE.c.node == self._node, _TABLE.c.claimed_until <= now)
        claim = (
            update(_TABLE)
            .where(_TABLE.c.id == rotation_id, _TABLE.c.state != "done", mine)
            .values(node=self._node, claimed_until=now + _CLAIM)
        )
        with self._database.write() as session:
            if session.connection().execute(claim).rowcount != 1:
                return None
            row = session.get_one(models.KeyRotation, rotation_id)
            session.expunge(row)
            return row

    def _stage(self, row: models.KeyRotation) -> bool:
        match row.state:
            case "making":
                self._make(row)
                self._enter(row, "rewrapping", self._work(row).total(), started=self._clock())
            case "rewrapping" | "checking":
                if not self._batch(row).place:
                    following = "waiting" if row.state == "rewrapping" else self._last_stage(row)
                    self._enter(row, following, self._total(row, following))
            case "waiting":
                if self._clock() < row.started + self._patience:
                    return False
                self._ring.reload()
                self._enter(row, "checking", row.total)
            case "manifests":
                if not self._follow(row):
                    self._finish(row)
                    return False
            case _:
                self._finish(row)
                return False
        return True

    @property
    def _patience(self) -> timedelta:
        return timedelta(seconds=self._settings.key_cache_seconds) + _MARGIN

    def _make(self, row: models.KeyRotation) -> None:
        if row.kind == ROOT:
            self._ring.root.rotate()
            return
        newest = self._newest(row.kind, row.domain)
        # A version that is there already was made before this process took over.
        if newest is None or newest.version == int(row.place):
            self._ring.rotate(cast(Kind, row.kind), row.domain)

    def _newest(self, kind: str, domain: str) -> WrappedKey | None:
        found = [key for key in self._ring.stored() if (key.kind, key.domain) == (kind, domain)]
        return max(found, key=lambda key: key.version, default=None)

    def _work(self, row: models.KeyRotation) -> Work:
        database, ring, alarm = self._database, self._ring, self._alarm
        match row.kind:
            case "root":
                return Roots(database, ring)
            case "kek":
                return Deks(database, ring, alarm, row.domain)
            case "row":
                return SealedRows(database, ring, alarm, "row")
            case "index":
                return SealedRows(database, ring, alarm, "index")
            case "column":
                return Chain(SealedRows(database, ring, alarm, "column"), Disclosures(database, self._log))
            case "pack":
                return Packs(database, ring, alarm)
            case _:
                return Chain()

    def _batch(self, row: models.KeyRotation) -> Batch:
        def keep(connection: Connection, batch: Batch) -> None:
            # Progress stands or falls with the rows that it speaks of.
            failed = _TABLE.c.failed + (batch.failed if row.state == "rewrapping" else 0)
            connection.execute(
                update(_TABLE)
                .where(_TABLE.c.id == row.id)
                .values(place=batch.place, done=_TABLE.c.done + batch.done, failed=failed)
            )

        return self._work(row).batch(row.place, keep)

    def _last_stage(self, row: models.KeyRotation) -> str:
        return "manifests" if row.kind == "kek" else "retiring"

    def _total(self, row: models.KeyRotation, state: str) -> int:
        if state != "manifests":
            return row.total
        with self._database.read() as session:
            query = select(func.count()).where(models.KEK_OF_VERSION.in_([self._newest_prefix(row)]))
            return session.scalar(query) or 0

    def _enter(self, row: models.KeyRotation, state: str, total: int, **more: object) -> None:
        values: dict[str, object] = {"state": state, "place": "", "total": total, **more}
        if state in ("rewrapping", "manifests"):
            values["done"] = 0
        with self._database.write() as session:
            session.connection().execute(update(_TABLE).where(_TABLE.c.id == row.id).values(values))

    def _newest_prefix(self, row: models.KeyRotation) -> bytes:
        newest = self._newest(row.kind, row.domain)
        assert newest is not None
        return envelope.prefix(envelope.WRAPPED, newest.id)

    def _follow(self, row: models.KeyRotation) -> bool:
        """Bring the next manifests in line; tells whether there were any."""
        document_id, _, number = row.place.partition("/")
        versions = models.Version
        query = (
            select(versions.document_id, versions.number)
            .where(
                models.KEK_OF_VERSION.in_([self._newest_prefix(row)]),
                tuple_(versions.document_id, versions.number) > tuple_(document_id, int(number or 0)),
            )
            .order_by(versions.document_id, versions.number)
            .limit(_MANIFESTS_AT_ONCE)
        )
        with self._database.read() as session:
            found = session.execute(query).all()
        failed = 0
        for document, version in found:
            try:
                self._manifests.follow(document, version)
            except NotFound:
                continue  # destroyed meanwhile
            except (Damaged, PortalError) as fault:
                if isinstance(fault, Unavailable) and not isinstance(fault, models.TamperedRow):
                    raise
                failed += 1
        if found:
            with self._database.write() as session:
                session.connection().execute(
                    update(_TABLE)
                    .where(_TABLE.c.id == row.id)
                    .values(
                        place=f"{found[-1].document_id}/{found[-1].number}",
                        done=_TABLE.c.done + len(found) - failed,
                        failed=_TABLE.c.failed + failed,
                    )
                )
        return bool(found)

    def _finish(self, row: models.KeyRotation) -> None:
        with self._database.read() as session:
            failed = session.get_one(models.KeyRotation, row.id).failed
        details = {"key_kind": row.kind, "done": row.total, "failed": failed, **_domain(row.domain)}
        self._log.append(Event(action="keys.rewrapped", details=details))
        if not failed and row.kind != ROOT and row.kind not in _KEPT:
            self._retire(row)
        with self._database.write() as session:
            finished = {"state": "done", "place": "", "finished": self._clock()}
            session.connection().execute(update(_TABLE).where(_TABLE.c.id == row.id).values(finished))

    def _retire(self, row: models.KeyRotation) -> None:
        for key in self._ring.stored():
            newest = self._newest(row.kind, row.domain)
            if (key.kind, key.domain) != (row.kind, row.domain) or key == newest or key.state not in _OLDER:
                continue
            details = {"key": key.id, "key_kind": key.kind, "version": key.version, **_domain(key.domain)}
            self._log.append(Event(action="keys.retired", details=details))
            self._ring.change_state(key.id, KeyState.RETIRED)

    def _refuse_second(self, kind: str, domain: str) -> None:
        row = models.KeyRotation
        query = select(row.id).where(row.state != "done", row.kind == kind, row.domain == domain)
        with self._database.read() as session:
            if session.scalar(query) is not None:
                raise Conflict(
                    "A rotation of this key is under way.",
                    mend="Wait until it is done; its progress is shown.",
                )


def _domain(domain: str) -> dict[str, object]:
    return {"domain": domain} if domain else {}


def _view(row: models.KeyRotation) -> RotationView:
    return RotationView(
        row.id, row.kind, row.domain, row.state, row.total, row.done, row.failed, row.started, row.finished
    )
