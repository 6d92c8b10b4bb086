"""Encrypting documents anew for a key that is believed exposed: a new key, new parts, then the exchange."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, select

from crypto import envelope
from crypto.errors import Damaged
from crypto.keyring import DekContext, KeyRing
from crypto.parts import Part, parts_digest
from crypto.reencryption import Reencrypted, reencrypt
from policies import Label
from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.errors import NotFound
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import unmoved
from portal.services.manifests import Manifests
from portal.services.uploads import OpenUpload, UploadRegister
from portal.storage import BlobStore


@dataclass(frozen=True, slots=True)
class _Found:
    head: models.Document
    version: models.Version
    label: Label
    parts: tuple[Part, ...]


class Reencryption:
    """Encrypts versions anew; the title, the label and the plaintext's digest stay."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        ring: KeyRing,
        blobs: BlobStore,
        manifests: Manifests,
        uploads: UploadRegister,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._ring = ring
        self._blobs = blobs
        self._manifests = manifests
        self._uploads = uploads
        self._alarm = alarm

    def under(self, actor: Actor, key_id: str) -> Sequence[tuple[str, int]]:
        """Return the versions whose keys a KEK wraps: those to encrypt anew when it is exposed."""
        self._allowed(actor)
        versions = models.Version
        query = select(versions.document_id, versions.number).where(
            models.KEK_OF_VERSION.in_([envelope.prefix(envelope.WRAPPED, key_id)])
        )
        with self._database.read() as session:
            found = session.execute(query.order_by(versions.document_id, versions.number)).all()
        return [(document_id, number) for document_id, number in found]

    def version(self, actor: Actor, document_id: str, number: int) -> None:
        """Encrypt one version anew; recorded first. Whoever reads it meanwhile reads on from the old parts.

        Raises NotPermitted, NotFound, Conflict when it changed meanwhile, Tampered when the old content does not
        verify (it stays then), Unavailable.
        """
        self._allowed(actor)
        found = self._find(document_id, number)
        details = {"key": envelope.key_id_of(found.version.wrapped_dek, envelope.WRAPPED), "key_kind": "kek"}
        event = replace(
            self._access.event(actor, Action.KEYS_MANAGE, decision="permit", details=details),
            action="keys.reencrypt",
            document=document_id,
            version=number,
            programme=found.head.programme_id,
        )
        receipt = self._log.append(event)
        upload = self._uploads.open(actor, document_id, number, found.head.programme_id)
        try:
            self._exchange(found, upload, receipt.seq)
        except BaseException:
            self._remove(upload.blob)
            self._forget(upload)
            raise
        self._remove(found.version.blob)

    def _exchange(self, found: _Found, upload: OpenUpload, log_entry: int) -> None:
        fresh = self._encrypted(found, upload)
        manifest = replace(
            self._manifests.of(found.head, found.version, found.label),
            parts=fresh.parts,
            wrapped_dek=fresh.wrapped_dek,
            kek_id=fresh.kek_id,
            kek_version=fresh.kek_version,
        )
        self._manifests.write(upload.blob, manifest)
        listed = [[part.plaintext_length, part.ciphertext_length, part.sha256.hex()] for part in fresh.parts]
        with self._database.write(log_entry) as session:
            row = unmoved(session, found.version)
            row.blob, row.wrapped_dek = upload.blob, fresh.wrapped_dek
            row.parts = json.dumps(listed, separators=(",", ":"))
            session.execute(delete(models.Upload).where(models.Upload.id == upload.id))

    def _encrypted(self, found: _Found, upload: OpenUpload) -> Reencrypted:
        version = found.version
        context = DekContext(
            version.document_id, version.number, found.head.label_digest, parts_digest(found.parts)
        )
        try:
            return reencrypt(
                self._ring,
                version.wrapped_dek,
                context,
                found.parts,
                lambda part: self._blobs.open(f"{version.blob}/part-{part}"),
                lambda part: self._blobs.create(f"{upload.blob}/part-{part}"),
            )
        except Damaged as fault:
            error = models.TamperedRow("versions", f"{version.document_id}/{version.number}")
            self._alarm.report(error, None)
            raise error from fault

    def _find(self, document_id: str, number: int) -> _Found:
        with self._database.read() as session:
            found = self._access.head(session, document_id)
            version = session.get(models.Version, (document_id, number))
            if found is None or version is None or not version.wrapped_dek:
                raise NotFound("There is no such version.")
            parts = tuple(
                Part(plain, cipher, bytes.fromhex(digest))
                for plain, cipher, digest in json.loads(version.parts)
            )
            return _Found(found[0], version, found[1].label, parts)

    def _allowed(self, actor: Actor) -> None:
        with self._database.read() as session:
            self._access.require(session, actor, Action.KEYS_MANAGE)

    def _forget(self, upload: OpenUpload) -> None:
        with self._database.write() as session:
            session.execute(delete(models.Upload).where(models.Upload.id == upload.id))

    def _remove(self, folder: str) -> None:
        for name in list(self._blobs.list(f"{folder}/")):
            self._blobs.delete(name)
