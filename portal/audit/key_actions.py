"""What the log records of keys' life, by action: its meaning in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KEY_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "keys.created": "A key was created.",
        "keys.show": "The inventory of keys was shown.",
        "keys.manage": "Somebody who may not asked for a change of keys.",
        "keys.rotate": "A new version of a key was made; everything under the older ones is wrapped or sealed anew.",
        "keys.rewrapped": "A rotation has wrapped or sealed everything anew that was under older versions of its key.",
        "keys.retired": "An older version of a key has nothing under it any more.",
        "keys.destroy": "A version of a key that had nothing under it was destroyed, with a certificate.",
        "keys.reencrypt": "A version's content was encrypted anew under a new key, and its old ciphertext removed.",
        "keys.backup": "A backup of the key ring was written.",
        "keys.restore": "The key ring was restored from a backup.",
        "keys.seal": "The keys were sealed: every node drops them and refuses access.",
        "keys.unseal": "The keys were unsealed with the provider's secret.",
    }
)
