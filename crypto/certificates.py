"""Certificates of destruction: signed statements of what was destroyed, when, and until when copies can exist.

A certificate is a signed note (C2SP signed-note, Ed25519): a line that names the format, then `name: value` lines. It
says two dates: when the portal's own copy became unreadable, and when the last copy in a backup does, because the key
that wrapped it is destroyed and the key-ring backups that hold that key have ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from crypto.errors import Damaged
from crypto.keyring import SigningKey
from crypto.translog import note
from crypto.translog.errors import TranslogError
from crypto.translog.note import NoteSigner, Signature, Verifier

_FIRST = "strongroom certificate of destruction v1"


@dataclass(frozen=True, slots=True)
class DestructionCertificate:
    """What is certified; texts are single lines without control characters, times are aware.

    `subject` is what was destroyed (`document:ID`, `version:ID/N`, `key:ID`), `digest` the SHA-256 of a document's
    plaintext in hexadecimal or empty, `label` its marking or empty, `key` the KEK (`ID vN`) whose destruction ends
    copies in backups. `destroyed` is the first date and `backups_end` the second. `ordered_by` and `approved_by` are
    persons' ids, `log_entry` is the number of the log's record.
    """

    installation: str
    subject: str
    label: str
    digest: str
    key: str
    destroyed: datetime
    backups_end: datetime
    ordered_by: str
    approved_by: str
    log_entry: int


class KeyNoteSigner:
    """Signs notes with a signing key of the ring, under the installation's name."""

    def __init__(self, name: str, key: SigningKey) -> None:
        self.name = name
        self._key = key
        self._verifier = Verifier(name, key.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key line."""
        return self._verifier.vkey

    def sign(self, text: bytes) -> Signature:
        """Sign the note's text."""
        return Signature(self.name, self._verifier.key_id, self._key.sign(text))


def sign_certificate(certificate: DestructionCertificate, signer: NoteSigner) -> bytes:
    """Return the certificate as a signed note; raises ValueError for a text that is no single printable line."""
    lines = [_FIRST]
    for field in fields(certificate):
        text = _text(getattr(certificate, field.name))
        if text and not text.isprintable():
            raise ValueError(f"{field.name} is no single line of printable text")
        lines.append(f"{field.name}: {text}")
    return note.sign(("\n".join(lines) + "\n").encode(), signer)


def read_certificate(raw: bytes, verifiers: Iterable[Verifier]) -> DestructionCertificate:
    """Return a certificate whose signature holds; raises Damaged when it does not, or it is no certificate."""
    try:
        lines = note.verified(raw, verifiers).text.decode().splitlines()
    except TranslogError as fault:
        raise Damaged(f"the certificate does not hold: {fault}") from None
    names = [field.name for field in fields(DestructionCertificate)]
    pairs = [line.split(": ", 1) for line in lines[1:]]
    if lines[0] != _FIRST or [pair[0] for pair in pairs] != names or any(len(pair) != 2 for pair in pairs):
        raise Damaged("this is no certificate of destruction of a format that is known here")
    values: dict[str, Any] = dict(pairs)
    try:
        values["destroyed"] = datetime.fromisoformat(values["destroyed"])
        values["backups_end"] = datetime.fromisoformat(values["backups_end"])
        values["log_entry"] = int(values["log_entry"])
    except ValueError:
        raise Damaged("a date or a number of the certificate cannot be read") from None
    return DestructionCertificate(**values)


def _text(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def backups_end(unreadable: datetime, kept: timedelta, rotation_due: datetime | None = None) -> datetime:
    """Return the second date of a certificate.

    Copies in backups end `kept` (how long any backup of keys or database is kept) after the key that wrapped them is
    destroyed: that is when it was made unreadable itself, or for a document when its KEK's rotation is due.
    """
    return max(unreadable, rotation_due or unreadable) + kept
