"""Sealing the keys: a leaf of the log by which every node drops its keys, and one by which it may open them again.

Each node looks at the log's head, at most every half second while it is asked for something. What ends a seal carries a
proof that only a holder of the ring can make, so that a forged leaf unseals nothing.
"""

from __future__ import annotations

import logging
import threading
import time

from cryptography.hazmat.primitives.constant_time import bytes_eq

from crypto.errors import CryptoError, KeyUnavailable
from crypto.keyring import KeyRing
from portal.audit import AuditLog, Event, Receipt
from portal.audit.reading import Record
from portal.errors import Conflict, Invalid

_log = logging.getLogger(__name__)
_EVERY = 0.5
SEALED, UNSEALED = "keys.seal", "keys.unseal"


class KeySeal:
    """What this node knows of the seal, and how it is made and ended."""

    def __init__(self, log: AuditLog, ring: KeyRing) -> None:
        self._log = log
        self._ring = ring
        self._lock = threading.Lock()
        self._next = 0.0
        self._seen = 0
        self._sealed_by: int | None = None

    @property
    def sealed(self) -> bool:
        """Whether the keys are sealed, as far as this node has looked."""
        return self._sealed_by is not None

    def look(self, *, now: bool = False) -> None:
        """Read what came into the log since the last look, and drop or free the keys; raises what the log raises."""
        if not now and time.monotonic() < self._next:
            return
        with self._lock:
            self._next = time.monotonic() + _EVERY
            size = self._log.size()
            if size == self._seen:
                return
            for record in self._log.latest((SEALED, UNSEALED), self._seen, size):
                self._take(record)
            self._seen = size

    def seal(self, event: Event) -> Receipt:
        """Record `event` (action `keys.seal`) and drop the keys here; the other nodes follow.

        Raises Conflict when they are sealed already, or when the provider has no secret that would be needed to unseal.
        """
        self.look(now=True)
        if self.sealed:
            raise Conflict("The keys are sealed already.", mend="Unseal them with `strongroom keys unseal`.")
        if not self._ring.root.protected:
            raise Conflict(
                "The root key is in a file under no secret: a seal would stop nobody who can read the file.",
                mend="Use a PKCS#11 token or a Transit engine, or move the key file away and stop the portal.",
            )
        receipt = self._log.append(event)
        self.look(now=True)
        return receipt

    def unseal(self, secret: str) -> None:
        """End the seal with the provider's secret; raises Conflict when there is none, Invalid for a wrong secret."""
        self.look(now=True)
        sealed_by = self._sealed_by
        if sealed_by is None:
            raise Conflict("The keys are not sealed.", mend="There is nothing to do.")
        try:
            self._ring.root.unlock(secret)
        except KeyUnavailable as fault:
            raise Invalid(
                f"The provider does not take this secret: {fault}.",
                mend="Give the token's PIN, or the AppRole's secret id.",
            ) from None
        self._ring.unseal()
        try:
            proof = self._proofs(sealed_by)[0].hex()
            self._log.append(Event(action=UNSEALED, details={"record": sealed_by, "proof": proof}))
        except BaseException:
            self._ring.seal()
            raise
        self.look(now=True)

    def _take(self, record: Record) -> None:
        if record.action == SEALED and record.get("decision") != "deny":
            self._sealed_by = record.seq
            if not self._ring.sealed:
                self._ring.seal()
        elif record.action == UNSEALED and self._sealed_by is not None:
            self._end(record, self._sealed_by)

    def _end(self, record: Record, sealed_by: int) -> None:
        details = record.get("details") or {}
        self._ring.unseal()
        try:
            proof = bytes.fromhex(str(details.get("proof", "")))
            holds = any(bytes_eq(proof, known) for known in self._proofs(sealed_by))
        except (CryptoError, ValueError) as fault:
            _log.error("the keys stay sealed: %s", fault)
            holds = False
        if holds and details.get("record") == sealed_by:
            self._sealed_by = None
        else:
            _log.critical("record %s unseals the keys without a proof that holds", record.seq)
            self._ring.seal()

    def _proofs(self, sealed_by: int) -> list[bytes]:
        found = []
        for key in self._ring.versions("row"):
            mac = key.mac.copy()
            mac.update(b"strongroom unseal\0" + str(sealed_by).encode())
            found.append(mac.finalize())
        return found
