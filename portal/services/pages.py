"""Keyset pagination: opaque cursors that nobody can write themselves."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crypto.errors import CryptoError
from crypto.sealed import ValueSealer
from portal.errors import Invalid

LIMIT = 200
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """Some items of a longer list, and the cursor of the next page, if there is one."""

    items: Sequence[_T]
    next: str | None


class Cursors:
    """Seals positions in a list into tokens that are bound to their list and their reader."""

    def __init__(self, sealer: ValueSealer) -> None:
        self._sealer = sealer

    def write(self, purpose: str, person_id: str, position: Any) -> str:
        """Return a token for a JSON-able `position`."""
        blob = self._sealer.seal(("cursor", purpose, person_id), json.dumps(position).encode())
        return base64.urlsafe_b64encode(blob).decode().rstrip("=")

    def read(self, purpose: str, person_id: str, token: str) -> Any:
        """Return the position; raises Invalid for anything that this portal did not write for this list and person."""
        try:
            blob = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            return json.loads(self._sealer.open(("cursor", purpose, person_id), blob))
        except (CryptoError, binascii.Error, ValueError):
            raise Invalid(
                "This page reference does not hold.", mend="Start again from the first page."
            ) from None


def check_limit(limit: int) -> int:
    """Return `limit` when it is between 1 and 200; raises Invalid."""
    if not 1 <= limit <= LIMIT:
        raise Invalid(f"A page holds 1 to {LIMIT} items, not {limit}.", mend="Correct `limit`.")
    return limit
