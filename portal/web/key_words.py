"""How pages name what the log records of keys."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KEY_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "keys.created": "Keys made",
        "keys.show": "Looks at the keys",
        "keys.manage": "Refused changes of keys",
        "keys.rotate": "Keys rotated",
        "keys.rewrapped": "Rotations carried through",
        "keys.retired": "Keys retired",
        "keys.destroy": "Keys destroyed",
        "keys.reencrypt": "Documents encrypted anew",
        "keys.backup": "Key backups",
        "keys.restore": "Keys restored",
        "keys.seal": "Keys sealed",
        "keys.unseal": "Keys unsealed",
    }
)
"""Every action as a form or a chip names it."""

KEY_DEEDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "keys.created": ("made a key", "make a key"),
        "keys.show": ("looked at the keys", "look at the keys"),
        "keys.manage": ("changed keys", "change keys"),
        "keys.rotate": ("rotated a key", "rotate a key"),
        "keys.rewrapped": ("carried a key's rotation through", "carry a key's rotation through"),
        "keys.retired": ("retired an older key", "retire an older key"),
        "keys.destroy": ("destroyed an older key", "destroy an older key"),
        "keys.reencrypt": ("encrypted a document anew", "encrypt a document anew"),
        "keys.backup": ("wrote a backup of the keys", "write a backup of the keys"),
        "keys.restore": ("restored the keys from a backup", "restore the keys from a backup"),
        "keys.seal": ("sealed the keys", "seal the keys"),
        "keys.unseal": ("unsealed the keys", "unseal the keys"),
    }
)
"""Every action as what somebody did, and as what somebody meant to do."""
