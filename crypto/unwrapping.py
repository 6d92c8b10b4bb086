"""Opening a document's DEK: alone in this module, so that a linter can say who may read content."""

from __future__ import annotations

from crypto import envelope
from crypto.errors import Damaged
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek


def unwrap_dek(ring: KeyRing, wrapped: bytes, domain: Domain, context: DekContext) -> Dek:
    """Decrypt a version's DEK.

    Raises Damaged when the document's id, version, label, parts list or security domain is not the one it was
    wrapped for, UnknownKey when its KEK is gone, KeyUnavailable when the root key's provider is out of reach.
    """
    kek = ring.by_id(envelope.key_id_of(wrapped, envelope.WRAPPED))
    if kek.kind != "kek" or kek.domain != domain.id:
        raise Damaged("a wrapped DEK belongs to another security domain")
    return Dek(kek.wrapper.unwrap(wrapped, context.associated_data(kek)))
