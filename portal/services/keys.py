"""Keys as administrators see and order them: inventory, rotation, destruction of older versions, backup.

Nothing here hands out key material: it names keys by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from crypto import envelope
from crypto.certificates import DestructionCertificate, KeyNoteSigner, backups_end, sign_certificate
from crypto.keyring import KeyRing, KeyState, WrappedKey
from policies.requests import Action
from portal import models
from portal.audit import AuditLog, Event
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, Invalid, NotFound
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.changes import shown
from portal.services.key_seal import KeySeal
from portal.services.rotations import ROOT, Rotations, RotationView
from portal.settings import Settings

_RETIRED_FOR = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key of the inventory; `documents` counts the versions under it (a KEK), `due` is its next rotation."""

    id: str
    kind: str
    domain: str
    programme: str
    classification: str
    version: int
    state: str
    created: datetime
    documents: int
    due: datetime | None
    newest: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """All keys (the newest of each first), the root key's provider and id, and rotations under way and done."""

    keys: Sequence[KeyView]
    provider: str
    root_id: str
    protected: bool
    rotations: Sequence[RotationView]


class Keys:
    """Shows keys to administrators and takes their orders; each is recorded before it takes effect."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        ring: KeyRing,
        rotations: Rotations,
        key_seal: KeySeal,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._ring = ring
        self._rotations = rotations
        self._key_seal = key_seal
        self._settings = settings
        self._clock = clock

    def inventory(self, actor: Actor) -> Inventory:
        """Return every key, without its material; recorded."""
        with self._database.read() as session:
            self._access.require(session, actor, Action.KEYS_SHOW)
            names = {row.id: row.name for row in session.scalars(select(models.Programme))}
            counted = session.execute(
                select(models.KEK_OF_VERSION, func.count()).group_by(models.KEK_OF_VERSION)
            )
            documents = {bytes(prefix): number for prefix, number in counted}
        stored = self._ring.stored()
        newest = {(key.kind, key.domain): key.version for key in sorted(stored, key=lambda key: key.version)}
        keys = sorted(stored, key=lambda key: (key.kind != "kek", key.kind, key.domain, -key.version))
        details = shown([key.id for key in keys])
        self._log.append(self._access.event(actor, Action.KEYS_SHOW, decision="permit", details=details))
        return Inventory(
            [self._view(key, names, documents, key.version == newest[key.kind, key.domain]) for key in keys],
            self._ring.root.kind,
            self._ring.root.id,
            self._ring.root.protected,
            self._rotations.all(),
        )

    def rotate(self, actor: Actor, kind: str, domain: str = "") -> str:
        """Order the rotation of a key, or of the root key (`root`); returns the rotation's id.

        Raises NotPermitted, Invalid, NotFound, Conflict.
        """
        self._allowed(actor)
        details = {"key_kind": kind, **({"domain": domain} if domain else {})}
        return self._rotations.order(kind, domain, self._event(actor, "keys.rotate", details))

    def domains(self) -> Sequence[str]:
        """Return the security domains that have keys."""
        return sorted({key.domain for key in self._ring.stored() if key.kind == "kek"})

    def destroy(self, actor: Actor, key_id: str) -> bytes:
        """Destroy a retired version of a key, and return the signed certificate.

        Raises NotPermitted, NotFound, and Conflict for a key that is in use or holds something yet.
        """
        self._allowed(actor)
        key = next((key for key in self._ring.stored() if key.id == key_id), None)
        if key is None:
            raise NotFound("There is no such key.")
        if key.state != KeyState.RETIRED or self._documents(key):
            raise Conflict(
                f"This key is {key.state}, so it is not destroyed.",
                mend="A key is destroyed when a rotation has retired it: nothing is under it then.",
            )
        now = self._clock()
        until = backups_end(now, timedelta(days=self._settings.key_backup_days))
        details = {"key": key.id, "key_kind": key.kind, "version": key.version, "until": rfc3339(until)}
        receipt = self._log.append(
            self._event(actor, "keys.destroy", {**details, **({"domain": key.domain} if key.domain else {})})
        )
        self._ring.change_state(key.id, KeyState.DESTROYED)
        certificate = DestructionCertificate(
            installation=self._settings.name,
            subject=f"key:{key.id}",
            label="",
            digest="",
            key=f"{key.id} v{key.version}",
            destroyed=now,
            backups_end=until,
            ordered_by=actor.person_id,
            approved_by="",
            log_entry=receipt.seq,
        )
        signer = KeyNoteSigner(self._settings.name, self._ring.signer("receipt-signing"))
        return sign_certificate(certificate, signer)

    def retire_root(self, actor: Actor) -> int:
        """Make the provider forget every older version of the root key; returns how many.

        Raises Conflict while a key of the ring is under one: rotate `root` first.
        """
        self._allowed(actor)
        root = self._ring.root
        if any(key.wrapped and not root.is_current(key.wrapped) for key in self._ring.stored()):
            raise Conflict(
                "Keys are still under an older version of the root key.",
                mend="Rotate the root key, and wait until that is done.",
            )
        self._log.append(self._event(actor, "keys.destroy", {"key": root.id, "key_kind": ROOT}))
        return root.retire()

    def backup(self, actor: Actor, *, recipients: Sequence[str] = (), passphrase: str = "") -> bytes:
        """Return a backup of the whole ring for age recipients or under a passphrase; recorded.

        Raises NotPermitted, Invalid when recipients or passphrase do not fit, Unavailable.
        """
        # Loaded when it is wanted: a portal that serves has no need of age.
        from crypto.backup import BackupError, write_backup

        self._allowed(actor)
        try:
            blob = write_backup(
                self._ring.root,
                self._ring.stored(),
                installation=self._settings.name,
                created=self._clock(),
                recipients=recipients,
                passphrase=passphrase,
            )
        except BackupError as fault:
            raise Invalid(f"{fault}.", mend="Name age recipients, or a file with a passphrase.") from None
        self._log.append(self._event(actor, "keys.backup", {"provider": self._ring.root.kind}))
        return blob

    def seal(self, actor: Actor) -> None:
        """Seal the keys on every node: nobody gets in until somebody unseals them on the machine.

        Raises NotPermitted, and Conflict when the provider has no secret, or they are sealed already.
        """
        self._allowed(actor)
        self._key_seal.seal(self._event(actor, "keys.seal", {"provider": self._ring.root.kind}))

    def sweep(self) -> None:
        """The background's round: follow the seal, then carry rotations on."""
        self._key_seal.look(now=True)
        if not self._key_seal.sealed:
            self._rotations.sweep()
            self._destroy_retired()

    def _destroy_retired(self) -> None:
        """Destroy KEKs that were retired half a day ago: copies of destroyed documents in backups end with them."""
        row = models.Key
        query = select(row.id).where(
            row.kind == "kek", row.state == "retired", row.changed < self._clock() - _RETIRED_FOR
        )
        with self._database.read() as session:
            due = session.scalars(query).all()
        for key in self._ring.stored() if due else ():
            if key.id in due and not self._documents(key):
                details = {"key": key.id, "key_kind": key.kind, "version": key.version, "domain": key.domain}
                self._log.append(Event(action="keys.destroy", details=details))
                self._ring.change_state(key.id, KeyState.DESTROYED)

    def _allowed(self, actor: Actor) -> None:
        with self._database.read() as session:
            self._access.require(session, actor, Action.KEYS_MANAGE)

    def _event(self, actor: Actor, action: str, details: Mapping[str, object]) -> Event:
        return Event(
            action=action,
            actor=actor.person_id,
            session=actor.session,
            role=actor.role.value if actor.role else None,
            assurance=actor.assurance,
            organisation=actor.organisation_id,
            request=actor.request,
            decision="permit",
            details=details,
        )

    def _documents(self, key: WrappedKey) -> int:
        if key.kind != "kek":
            return 0
        prefix = _prefix(key)
        filed = select(func.count()).where(models.KEK_OF_VERSION.in_([prefix]))
        underway = select(models.ResumableUpload.wrapped_dek)
        with self._database.read() as session:
            waiting = sum(wrapped.startswith(prefix) for wrapped in session.scalars(underway))
            return (session.scalar(filed) or 0) + waiting

    def _view(
        self, key: WrappedKey, names: dict[str, str], documents: dict[bytes, int], newest: bool
    ) -> KeyView:
        programme_id, _, classification = key.domain.partition("/")
        due = key.created + timedelta(days=self._settings.key_rotation_days) if newest else None
        return KeyView(
            key.id,
            key.kind,
            key.domain,
            names.get(programme_id, programme_id),
            classification,
            key.version,
            str(key.state),
            key.created,
            documents.get(_prefix(key), 0),
            due,
            newest,
        )


def _prefix(key: WrappedKey) -> bytes:
    return envelope.prefix(envelope.WRAPPED, key.id)
