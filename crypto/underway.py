"""The key of an upload that is not whole yet, wrapped so that any node can go on with it.

Its associated data differ from those of a filed version's key, so that nothing here opens a document that was
received: that is `crypto.unwrapping` alone.
"""

from __future__ import annotations

from crypto import canonical, envelope
from crypto.errors import Damaged
from crypto.keyring import Domain, KeyRing, RingKey
from crypto.keys import Dek


def wrap_underway(ring: KeyRing, dek: Dek, domain: Domain, upload_id: str) -> bytes:
    """Encrypt the key of an upload under its domain's current KEK, bound to the upload; raises KeyUnavailable."""
    kek = ring.domain_key(domain.classification, domain.programme_id)
    return kek.wrapper.wrap(dek.material, _context(kek, upload_id))


def unwrap_underway(ring: KeyRing, wrapped: bytes, domain: Domain, upload_id: str) -> Dek:
    """Decrypt the key of an upload; raises Damaged when it is another's, UnknownKey when its KEK is gone."""
    kek = ring.by_id(envelope.key_id_of(wrapped, envelope.WRAPPED))
    if kek.kind != "kek" or kek.domain != domain.id:
        raise Damaged("the key of an upload belongs to another security domain")
    return Dek(kek.wrapper.unwrap(wrapped, _context(kek, upload_id)))


def _context(kek: RingKey, upload_id: str) -> bytes:
    return canonical.encode("strongroom upload", upload_id, kek.domain, kek.version, kek.id)
