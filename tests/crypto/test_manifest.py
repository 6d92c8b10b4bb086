"""A manifest is all that is needed to rescue a document, and only the key ring reads it."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest

from crypto import envelope
from crypto.errors import Damaged, UnknownKey
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek
from crypto.manifest import Manifest, open_manifest, seal_manifest
from crypto.parts import PartsReader, PartWriter, parts_digest
from crypto.unwrapping import unwrap_dek
from tests.crypto.support import NOW, MemoryStore, new_root, ring_of

DOMAIN = Domain("NATO SECRET", "programme")
LABEL = b"canonical form"
PLAIN = b"the content of the document" * 100


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ring(tmp_path: Path, store: MemoryStore) -> KeyRing:
    return ring_of(new_root(tmp_path), store)


@pytest.fixture
def written(ring: KeyRing) -> tuple[Manifest, bytes]:
    """Return a version's manifest and its only blob."""
    dek, sink = Dek.generate(), io.BytesIO()
    writer = PartWriter(sink, dek, "document", 2, 1)
    writer.write(PLAIN)
    parts = (writer.close(),)
    wrapped = ring.wrap_dek(dek, DOMAIN, DekContext("document", 2, LABEL, parts_digest(parts)))
    kek = ring.domain_key(DOMAIN.classification, DOMAIN.programme_id)
    manifest = Manifest(
        document_id="document",
        version=2,
        programme_id="programme",
        originator_id="company",
        addressee_id="agency",
        title="Prüfbericht „Nº 7“ \U0001f512",
        file_name="report.pdf",
        media_type="application/pdf",
        label=LABEL,
        parts=parts,
        sha256=b"\x44" * 32,
        wrapped_dek=wrapped,
        kek_id=kek.id,
        kek_version=kek.version,
        created=NOW,
    )
    return manifest, sink.getvalue()


def test_a_manifest_opens_as_it_was_sealed(ring: KeyRing, written: tuple[Manifest, bytes]) -> None:
    blob = seal_manifest(ring, written[0])
    assert open_manifest(ring, blob) == written[0]
    assert b"report" not in blob


def test_a_document_is_rescued_from_manifest_blob_and_key_ring(
    ring: KeyRing, written: tuple[Manifest, bytes]
) -> None:
    manifest = open_manifest(ring, seal_manifest(ring, written[0]))
    context = DekContext(manifest.document_id, manifest.version, manifest.label, parts_digest(manifest.parts))
    dek = unwrap_dek(ring, manifest.wrapped_dek, DOMAIN, context)
    with PartsReader(
        lambda _: io.BytesIO(written[1]), manifest.parts, dek, manifest.document_id, manifest.version
    ) as reader:
        assert reader.read() == PLAIN


def test_a_manifest_altered_at_any_byte_is_refused(ring: KeyRing, written: tuple[Manifest, bytes]) -> None:
    blob = seal_manifest(ring, written[0])
    for index in range(len(blob)):
        altered = bytearray(blob)
        altered[index] ^= 1
        for forged in (bytes(altered), blob[:index]):
            with pytest.raises(Damaged):
                open_manifest(ring, forged)


def test_a_manifest_dies_with_its_key(
    ring: KeyRing, store: MemoryStore, written: tuple[Manifest, bytes]
) -> None:
    blob = seal_manifest(ring, written[0])
    del store.keys[written[0].kek_id]
    ring.reload()
    with pytest.raises(UnknownKey):
        open_manifest(ring, blob)


@pytest.mark.parametrize("change", [{"kek_version": 2}, {"wrapped_dek": b"\x01" + bytes(68)}])
def test_a_manifest_that_names_another_key_is_not_sealed(
    ring: KeyRing, written: tuple[Manifest, bytes], change: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        seal_manifest(ring, dataclasses.replace(written[0], **change))


def test_a_manifest_under_a_key_of_another_kind_is_refused(
    ring: KeyRing, written: tuple[Manifest, bytes]
) -> None:
    column = ring.sealing("column").id
    with pytest.raises(ValueError):
        seal_manifest(ring, dataclasses.replace(written[0], kek_id=column))
    blob = seal_manifest(ring, written[0])
    with pytest.raises(Damaged, match="another kind"):
        open_manifest(ring, envelope.prefix(envelope.MANIFEST, column) + blob[9:])
