"""How pages name what the log records of storage, destruction and contained documents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CUSTODY_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "document.destroy": "Documents destroyed",
        "destruction.propose": "Destructions requested",
        "destruction.approve": "Destructions approved",
        "destruction.certify": "Destructions certified",
        "destruction.show": "Looks at destructions",
        "spill.contain": "Documents contained",
        "spill.show": "Looks at contained documents",
    }
)
"""Every action as a form or a chip names it."""

CUSTODY_DEEDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "document.destroy": ("destroyed {document}", "destroy {document}", "trash"),
        "destruction.propose": (
            "requested that {document} be destroyed",
            "request that {document} be destroyed",
            "trash",
        ),
        "destruction.approve": (
            "approved that {document} be destroyed",
            "approve that {document} be destroyed",
            "trash",
        ),
        "destruction.certify": (
            "certified the destruction of {document}",
            "certify the destruction of {document}",
            "certificate",
        ),
        "destruction.show": ("looked at destructions", "look at destructions", "list"),
        "spill.contain": ("contained {document}", "contain {document}", "alert-triangle"),
        "spill.show": ("looked at contained documents", "look at contained documents", "list"),
    }
)
"""Actions as what somebody did, as what somebody meant to do, and their icon."""
