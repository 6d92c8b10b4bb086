"""Secrets that open something for whoever shows them: session cookies, API tokens, one-time links."""

from __future__ import annotations

import hashlib
import secrets

SECRET_BYTES = 32
"""Random bytes in a secret: 256 bits, so a plain hash of it can be stored and looked up."""


def new_secret(prefix: str = "") -> str:
    """Return a new secret as URL-safe text, after `prefix`."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def fingerprint(secret: str) -> bytes:
    """Return the SHA-256 of a secret, which is all that the portal keeps of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
