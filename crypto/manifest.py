"""The manifest of a version: all that is needed to rescue a document from its blobs and the key ring alone.

A manifest is JSON (UTF-8, keys sorted; bytes in base64) under AES-256-GCM, stored as
`0x05 ‖ KEK id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. Its key is HKDF-SHA256 of the KEK that wrapped the
version's DEK, so that both die together.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import canonical, envelope
from crypto.errors import Damaged
from crypto.keyring import KeyRing, RingKey
from crypto.keys import KEY_BYTES, NONCE_BYTES
from crypto.parts import Part

_FORMAT = 1
_USE = b"strongroom manifest"
_BYTES = frozenset({"label", "sha256", "wrapped_dek"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a document.

    `label` is the label's canonical form, `sha256` that of the plaintext, `kek_id` and `kek_version` name the key
    that wrapped `wrapped_dek`, `created` is aware.
    """

    document_id: str
    version: int
    programme_id: str
    originator_id: str
    addressee_id: str
    title: str
    file_name: str
    media_type: str
    label: bytes
    parts: tuple[Part, ...]
    sha256: bytes
    wrapped_dek: bytes
    kek_id: str
    kek_version: int
    created: datetime


def seal_manifest(ring: KeyRing, manifest: Manifest) -> bytes:
    """Encrypt a manifest under a key derived from its KEK.

    Raises ValueError when `kek_id` or `kek_version` is not that of the key that wrapped the DEK, UnknownKey when the
    ring has no such key.
    """
    kek = ring.by_id(manifest.kek_id)
    if (kek.kind, kek.version) != ("kek", manifest.kek_version):
        raise ValueError("a manifest must name the version of its KEK")
    if envelope.key_id_of(manifest.wrapped_dek, envelope.WRAPPED) != kek.id:
        raise ValueError("a manifest must name the KEK that wrapped its DEK")
    nonce = os.urandom(NONCE_BYTES)
    sealed = _aead(kek).encrypt(nonce, _write(manifest), _associated_data(kek))
    return envelope.prefix(envelope.MANIFEST, kek.id) + nonce + sealed


def open_manifest(ring: KeyRing, blob: bytes) -> Manifest:
    """Decrypt what `seal_manifest` made; raises Damaged when it was altered, UnknownKey when its KEK is gone."""
    kek = ring.by_id(envelope.key_id_of(blob, envelope.MANIFEST))
    start = envelope.PREFIX_BYTES
    if kek.kind != "kek":
        raise Damaged("a manifest names a key of another kind")
    try:
        plain = _aead(kek).decrypt(
            blob[start : start + NONCE_BYTES], blob[start + NONCE_BYTES :], _associated_data(kek)
        )
    except (InvalidTag, ValueError):
        raise Damaged("a manifest was altered") from None
    return _read(plain)


def _aead(kek: RingKey) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, None, _USE).derive(kek.material))


def _associated_data(kek: RingKey) -> bytes:
    return canonical.encode(_USE, kek.domain, kek.version, kek.id)


def _write(manifest: Manifest) -> bytes:
    record: dict[str, Any] = {field.name: getattr(manifest, field.name) for field in fields(manifest)}
    for name in _BYTES:
        record[name] = _base64(record[name])
    record["parts"] = [
        [part.plaintext_length, part.ciphertext_length, _base64(part.sha256)] for part in manifest.parts
    ]
    record["created"] = manifest.created.astimezone(UTC).isoformat()
    record["format"] = _FORMAT
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _read(plain: bytes) -> Manifest:
    # Only the holder of the KEK can have written this, so another shape means another version of the format.
    try:
        record = json.loads(plain)
        if record.pop("format") != _FORMAT:
            raise ValueError
        for name in _BYTES:
            record[name] = base64.b64decode(record[name], validate=True)
        record["parts"] = tuple(
            Part(plaintext, ciphertext, base64.b64decode(digest, validate=True))
            for plaintext, ciphertext, digest in record["parts"]
        )
        record["created"] = datetime.fromisoformat(record["created"])
        return Manifest(**record)
    except (ValueError, TypeError, KeyError):
        raise Damaged("a manifest is not of the expected format") from None


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
