"""An act that takes two, as a page shows it: who began it, who has approved it, and what the reader is to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.services.directory import Named
from portal.services.policy_views import ApprovalView
from portal.web.words import moment_words


def two_people(reader: str, by: Named, begun: str, approvals: Sequence[ApprovalView]) -> dict[str, Any]:
    """Return what templates/parts/confirm.html needs (`first`, `second`), and whether the reader is one of the two.

    `reader` is a person's id; `begun` says what the first person did, and when.
    """
    counting = next((approval for approval in approvals if approval.in_force), None)
    return {
        "own": by.id == reader,
        "mine": any(approval.approver.id == reader for approval in approvals),
        "first": {"name": by.name or "Somebody", "words": begun, "standing": "done"},
        "second": {
            "name": counting.approver.name if counting else "Another security officer",
            "words": f"Approved it until {moment_words(counting.until)}"
            if counting
            else "Has not approved it",
            "standing": "open" if counting is None else "done",
        },
    }
