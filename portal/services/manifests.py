"""Manifests: the sealed object beside each version's parts by which it can be rescued without the database.

A version's manifest is the blob `manifest` in its folder, or `manifest-N` after the Nth relabelling: a new label gets
a new name, so that the old one stands until the database has changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from crypto import envelope
from crypto.errors import CryptoError
from crypto.keyring import KeyRing
from crypto.manifest import Manifest, open_manifest, seal_manifest
from crypto.parts import Part
from policies import Label
from portal import models
from portal.errors import NotFound, Unavailable
from portal.models.database import Database
from portal.services.access import Access
from portal.storage import BlobStore

_NAME = re.compile(r"manifest(?:-([1-9][0-9]{0,8}))?")


def is_manifest(name: str) -> bool:
    """Tell whether a blob of a version's folder (its name without the folder) is a manifest."""
    return _NAME.fullmatch(name) is not None


def newest_manifest(names: Iterable[str]) -> str | None:
    """Return the manifest that stands: the one with the highest number among a version's blobs, if there is any."""
    found = [
        (int(match[1] or 0), name) for name in names if (match := _NAME.fullmatch(name.rpartition("/")[2]))
    ]
    return max(found)[1] if found else None


class Manifests:
    """Writes manifests anew when keys or labels change."""

    def __init__(self, database: Database, access: Access, ring: KeyRing, blobs: BlobStore) -> None:
        self._database = database
        self._access = access
        self._ring = ring
        self._blobs = blobs

    def write(self, folder: str, manifest: Manifest, *, renamed: bool = False) -> str:
        """Store a version's manifest and return its blob's name; `renamed` leaves the one that stands in place.

        Raises Unavailable when the store fails.
        """
        standing = newest_manifest(self._blobs.list(f"{folder}/"))
        name = standing or f"{folder}/manifest"
        if renamed and standing is not None:
            match = _NAME.fullmatch(standing.rpartition("/")[2])
            name = f"{folder}/manifest-{int((match and match[1]) or 0) + 1}"
        self._blobs.put(name, seal_manifest(self._ring, manifest))
        return name

    def keep_only(self, folder: str, name: str) -> None:
        """Remove a version's manifests but the one with this name."""
        for found in list(self._blobs.list(f"{folder}/")):
            if found != name and is_manifest(found.rpartition("/")[2]):
                self._blobs.delete(found)

    def follow(self, document_id: str, version: int) -> bool:
        """Bring a version's manifest in line with the database, after a rewrap say; tells whether it had to be written.

        Any number of calls is harmless. Raises NotFound for a version that is not there or was destroyed, Tampered,
        Unavailable.
        """
        with self._database.read() as session:
            found = self._access.head(session, document_id)
            row = session.get(models.Version, (document_id, version))
            if found is None or row is None or not row.wrapped_dek:
                raise NotFound("There is no such version.")
            manifest = self.of(found[0], row, found[1].label)
            folder = row.blob
        standing = newest_manifest(self._blobs.list(f"{folder}/"))
        if standing is not None:
            try:
                current = open_manifest(self._ring, self._blobs.get(standing))
            except (CryptoError, Unavailable):
                current = None
            if current == manifest:
                self.keep_only(folder, standing)
                return False
        # Under the same name the store exchanges it in one step: there is one whole manifest at any moment.
        self.keep_only(folder, self.write(folder, manifest))
        return True

    def of(self, head: models.Document, row: models.Version, label: Label) -> Manifest:
        """Return the manifest that a version must have."""
        kek = self._ring.by_id(envelope.key_id_of(row.wrapped_dek, envelope.WRAPPED))
        return Manifest(
            document_id=row.document_id,
            version=row.number,
            programme_id=head.programme_id,
            originator_id=head.originator_id,
            addressee_id=head.addressee_id,
            title=head.title,
            file_name=row.file_name,
            media_type=row.media_type,
            label=label.canonical(),
            parts=tuple(
                Part(plain, cipher, bytes.fromhex(digest)) for plain, cipher, digest in json.loads(row.parts)
            ),
            sha256=row.sha256,
            wrapped_dek=row.wrapped_dek,
            kek_id=kek.id,
            kek_version=kek.version,
            created=row.created,
        )
