"""Erasure: what is left of a destroyed document goes (manifests, then blobs), and it is certified.

The keys went with the document's row (`portal.services.destruction`); this can be repeated until the store has let go.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from crypto.certificates import (
    DestructionCertificate,
    KeyNoteSigner,
    backups_end,
    read_certificate,
    sign_certificate,
)
from crypto.errors import CryptoError
from crypto.keyring import KeyRing
from crypto.translog.note import Verifier
from policies import Label
from policies.requests import Act
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339
from portal.models.database import Database
from portal.services.access import Access
from portal.services.changes import concerning, unmoved
from portal.services.manifests import is_manifest
from portal.services.proposals import DONE
from portal.settings import Settings
from portal.storage import BlobStore

ERASING = "erasing"
"""The outcome of a request that was carried out, while the store has not let go of everything yet."""


@dataclass(frozen=True, slots=True)
class Certified:
    """One certificate: the signed note, and what it says."""

    note: str
    says: DestructionCertificate


class Erasure:
    """Erases and certifies; each call is harmless any number of times."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        ring: KeyRing,
        blobs: BlobStore,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._ring = ring
        self._blobs = blobs
        self._settings = settings
        self._clock = clock

    def finish_all(self) -> int:
        """Finish every destruction that was carried out and is not certified; returns how many."""
        kind = models.Proposal
        with self._database.read() as session:
            waiting = session.scalars(
                select(kind.id).where(kind.act == Act.DESTROY.value, kind.outcome == ERASING)
            ).all()
        for request_id in waiting:
            self.finish(request_id)
        return len(waiting)

    def finish(self, request_id: str) -> None:
        """Remove the blobs of what was destroyed, and certify it; raises Unavailable when the store does not answer."""
        with self._database.read() as session:
            proposal = session.get_one(models.Proposal, request_id)
            content = json.loads(proposal.content)
            row = session.get_one(models.Document, content["document"])
            versions = models.Version
            folders = session.scalars(select(versions.blob).where(versions.document_id == row.id)).all()
            label = session.scalars(
                select(models.LabelRecord).where(models.LabelRecord.digest == row.label_digest)
            ).one()
        if proposal.outcome != ERASING:
            return
        removed = sum(self._remove(folder) for folder in folders)
        notes = self._certify(proposal, row, Label.from_canonical(label.canonical), content)
        event = Event(
            action="destruction.certify",
            document=row.id,
            programme=row.programme_id,
            details={
                **concerning(
                    f"document:{row.id}", proposal.__tablename__, proposal.id, proposal.row_version + 1
                ),
                "proposal": proposal.id,
                "digest": proposal.digest,
                "objects": removed,
                "until": rfc3339(max(found.says.backups_end for found in notes)),
            },
        )
        with recorded_change(self._log, self._database.write, event) as change:
            payload = json.dumps({"certificates": [found.note for found in notes]}, ensure_ascii=False)
            current = unmoved(change.session, proposal)
            current.payload, current.outcome = payload.encode(), DONE

    def _remove(self, folder: str) -> int:
        """Remove a version's blobs, manifests first: they hold the wrapped key."""
        names = sorted(
            self._blobs.list(f"{folder}/"), key=lambda name: not is_manifest(name.rpartition("/")[2])
        )
        for name in names:
            self._blobs.delete(name)
        return len(names)

    def _certify(
        self,
        proposal: models.Proposal,
        row: models.Document,
        label: Label,
        content: dict[str, object],
    ) -> Sequence[Certified]:
        destroyed = proposal.closed or self._clock()
        record = self._log.record(row.log_entry)
        approver = str((record.get("details") or {}).get("approver", ""))
        keys = json.loads(proposal.payload)
        signer = KeyNoteSigner(self._settings.name, self._ring.signer("receipt-signing"))
        found = []
        versions = content["versions"]
        assert isinstance(versions, list)
        for version in versions:
            key, due = keys[str(version["number"])], None
            try:
                kek = self._ring.by_id(key)
            except CryptoError:
                # It is destroyed already: no backup that is kept from now on holds it.
                pass
            else:
                key = f"{kek.id} v{kek.version}"
                due = kek.created + timedelta(days=self._settings.key_rotation_days)
            says = DestructionCertificate(
                installation=self._settings.name,
                subject=f"version:{row.id}/{version['number']}",
                label=self._access.marking(label),
                digest=version["sha256"],
                key=key,
                destroyed=destroyed,
                backups_end=backups_end(destroyed, timedelta(days=self._settings.key_backup_days), due),
                ordered_by=proposal.proposed_by,
                approved_by=approver,
                log_entry=row.log_entry,
            )
            found.append(Certified(sign_certificate(says, signer).decode(), says))
        return found

    def read(self, payload: bytes) -> Sequence[Certified]:
        """Return the certificates of a destruction, each checked; raises Damaged for one that does not hold."""
        verifiers = [Verifier.parse(key) for key in self.verifier_keys()]
        notes = json.loads(payload)["certificates"]
        return [Certified(note, read_certificate(note.encode(), verifiers)) for note in notes]

    def verifier_keys(self) -> Sequence[str]:
        """Return the keys that check certificates, as verifier key lines, oldest first."""
        keys = self._ring.signers("receipt-signing")
        return [KeyNoteSigner(self._settings.name, key).vkey for key in keys]
