"""Frozen bytes: what earlier versions and other programs wrote is still read, and what was refused still is."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import Damaged
from crypto.keyring import DekContext, Domain, KeyRing, WrappedKey
from crypto.manifest import open_manifest
from crypto.parts import Part, parts_digest
from crypto.providers.file import FileRootKey
from crypto.sealed import RowSealer, RowValue, ValueSealer
from crypto.streams import DecryptingReader, EncryptingWriter
from crypto.titlepack import PackEntry, open_piece
from crypto.unwrapping import unwrap_dek
from tests.crypto.support import MemoryStore, Unseekable, content, reference, ring_of, vectors

STREAMS = vectors("streams.json")
STORED = vectors("stored.json")


@pytest.mark.parametrize(
    "vector", STREAMS["good"], ids=lambda vector: f"{len(vector['plaintext']) // 2} bytes"
)
def test_a_frozen_stream_is_read(vector: dict[str, str]) -> None:
    stream, key, context, plain = (
        bytes.fromhex(vector[name]) for name in ("stream", "key", "context", "plaintext")
    )
    assert DecryptingReader(io.BytesIO(stream), key, context).read() == plain
    assert DecryptingReader(Unseekable(stream), key, context).read() == plain


@pytest.mark.parametrize("vector", STREAMS["bad"], ids=lambda vector: vector["name"])
def test_a_frozen_bad_stream_is_refused(vector: dict[str, str]) -> None:
    stream, key, context = (bytes.fromhex(vector[name]) for name in ("stream", "key", "context"))
    for source in (io.BytesIO(stream), Unseekable(stream)):
        with pytest.raises(Damaged):
            DecryptingReader(source, key, context).read()


@pytest.mark.parametrize("vector", STREAMS["multi"], ids=lambda vector: f"{vector['length']} bytes")
def test_streams_of_several_segments_have_the_frozen_bytes(
    vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, context, salt, prefix = (
        bytes.fromhex(vector[name]) for name in ("key", "context", "salt", "nonce_prefix")
    )
    plain = content(vector["length"])
    stream = reference(key, context, salt, prefix, plain)
    assert hashlib.sha256(stream).hexdigest() == vector["sha256"]
    assert DecryptingReader(io.BytesIO(stream), key, context).read() == plain
    monkeypatch.setattr(os, "urandom", {32: salt, 7: prefix}.__getitem__)
    sink = io.BytesIO()
    with EncryptingWriter(sink, key, context) as writer:
        for start in range(0, len(plain), 99_991):
            writer.write(plain[start : start + 99_991])
    assert sink.getvalue() == stream


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    path = tmp_path / "root.key"
    path.write_text(STORED["root"] + "\n")
    path.chmod(0o600)
    keys = [
        WrappedKey(
            key_id, kind, domain, version, state, datetime.fromisoformat(created), bytes.fromhex(wrapped)
        )
        for key_id, kind, domain, version, state, created, wrapped in STORED["keys"]
    ]
    return ring_of(FileRootKey(path), MemoryStore(keys))


def typed(value: Any) -> RowValue:
    """Return a column's value as the vector writes it: bytes and times are text with a mark."""
    if isinstance(value, str) and value.startswith("bytes:"):
        return bytes.fromhex(value.removeprefix("bytes:"))
    if isinstance(value, str) and value.startswith("time:"):
        return datetime.fromisoformat(value.removeprefix("time:"))
    result: RowValue = value
    return result


def test_a_frozen_row_seal_is_made_and_holds(ring: KeyRing) -> None:
    vector = STORED["row"]
    values = [(name, typed(value)) for name, value in vector["values"]]
    place = (vector["table"], vector["primary_key"], vector["version"])
    rows = RowSealer(ring)
    rows.verify(*place, values, bytes.fromhex(vector["seal"]))
    assert rows.seal(*place, values).hex() == vector["seal"]


def test_a_frozen_sealed_value_opens(ring: KeyRing) -> None:
    vector = STORED["value"]
    opened = ValueSealer(ring).open(tuple(vector["context"]), bytes.fromhex(vector["sealed"]))
    assert opened.decode() == vector["plaintext"]


def test_a_frozen_blind_index_is_made(ring: KeyRing) -> None:
    vector = STORED["index"]
    assert RowSealer(ring).blind_index(vector["purpose"], vector["text"]).hex() == vector["indexed"]


def test_a_frozen_wrapped_dek_opens(ring: KeyRing) -> None:
    vector = STORED["dek"]
    parts = [Part(plaintext, sealed, bytes.fromhex(digest)) for plaintext, sealed, digest in vector["parts"]]
    assert parts_digest(parts).hex() == vector["parts_digest"]
    label = bytes.fromhex(vector["label_digest"])
    context = DekContext(vector["document"], vector["version"], label, parts_digest(parts))
    domain = Domain(vector["classification"], vector["programme"])
    assert unwrap_dek(ring, bytes.fromhex(vector["wrapped"]), domain, context).material.hex() == vector["dek"]


def test_a_frozen_manifest_opens(ring: KeyRing) -> None:
    vector = STORED["manifest"]
    manifest = open_manifest(ring, bytes.fromhex(vector["blob"]))
    assert (manifest.title, manifest.file_name) == (vector["title"], vector["file_name"])
    assert manifest.created.isoformat() == vector["created"]
    assert manifest.wrapped_dek.hex() == STORED["dek"]["wrapped"]


def test_a_frozen_piece_of_a_title_pack_opens(ring: KeyRing) -> None:
    vector = STORED["pack"]
    expected = tuple(PackEntry(name, bytes.fromhex(label), title) for name, label, title in vector["entries"])
    assert open_piece(ring, vector["programme"], vector["number"], bytes.fromhex(vector["piece"])) == expected


def test_a_frozen_signature_is_made(ring: KeyRing) -> None:
    vector = STORED["signature"]
    signer = ring.signer(vector["kind"])
    message = vector["message"].encode()
    assert signer.public_key.hex() == vector["public_key"]
    assert signer.sign(message).hex() == vector["signature"]
    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(bytes.fromhex(vector["signature"]), message)
