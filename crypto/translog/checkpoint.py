"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a signed note."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from crypto.translog import note
from crypto.translog.errors import Malformed, SignatureFailed

MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits itself to: its first `size` leaves have this root (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> bytes:
        """Write the text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()


def parse_text(text: bytes) -> Checkpoint:
    """Read a checkpoint's text; raises Malformed."""
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("the checkpoint is not UTF-8") from error
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise Malformed("a checkpoint is origin, size and root, a line each")
    origin, size, encoded, *extensions = lines[:-1]
    if (
        not (size.isascii() and size.isdigit())
        or len(size) > 19
        or size != str(int(size))
        or int(size) > MAX_SIZE
    ):
        raise Malformed("the checkpoint's size is not a number")
    try:
        root = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Malformed("the checkpoint's root is not base64") from error
    if len(root) != 32 or base64.b64encode(root).decode() != encoded:
        raise Malformed("the checkpoint's root is not a hash of 32 bytes")
    return Checkpoint(origin, int(size), root, tuple(extensions))


def sign(checkpoint: Checkpoint, *signers: note.NoteSigner) -> bytes:
    """Write a checkpoint as a note signed by all `signers`."""
    return note.sign(checkpoint.text(), *signers)


def verified(raw: bytes, verifiers: Iterable[note.Verifier]) -> Checkpoint:
    """Read a checkpoint that one of the trusted keys has signed under its own origin.

    Raises Malformed, and SignatureFailed when no trusted key named as the origin signed it: a witness alone does not
    make a checkpoint.
    """
    opened = note.verified(raw, verifiers)
    checkpoint = parse_text(opened.text)
    if all(signature.name != checkpoint.origin for signature in opened.signatures):
        raise SignatureFailed("the checkpoint is not signed by its own log")
    return checkpoint
