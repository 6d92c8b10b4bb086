"""What can be wrong with a log, its proofs and its signatures."""

from __future__ import annotations


class TranslogError(ValueError):
    """Anything that does not hold about a transparency log."""


class Malformed(TranslogError):
    """Bytes that are not of the format that they should be."""


class ProofFailed(TranslogError):
    """A proof that does not lead from what it claims to the root that is signed."""


class SignatureFailed(TranslogError):
    """A note without a valid signature by a key that is trusted."""
