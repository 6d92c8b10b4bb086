"""Time-based one-time passwords (RFC 6238): HMAC-SHA-1, six digits, steps of thirty seconds, as all apps make them."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from portal.errors import Invalid

STEP = 30
"""Length of a time step in seconds (RFC 6238, section 4.1: X)."""

DIGITS = 6
WINDOW = 1
"""How many steps a clock may be off, to either side (RFC 6238, section 5.2)."""

SECRET_BYTES = 20
"""Length of a shared secret: that of the HMAC's output (RFC 4226, section 4, R6)."""

NEVER = -1
"""The last step used of a secret that was never used."""


def new_secret() -> str:
    """Return a new shared secret in base32 (RFC 4648, section 6), 32 characters without padding."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def otpauth_uri(secret: str, *, account: str, issuer: str) -> str:
    """Return the `otpauth://` URI that an app reads from a QR code; raises Invalid for what is no secret."""
    return _totp(secret).get_provisioning_uri(account, issuer)


def step_at(moment: datetime) -> int:
    """Return the number of the time step at `moment` (aware), counted from 1970 UTC."""
    return int(moment.timestamp()) // STEP


def code_at(secret: str, moment: datetime) -> str:
    """Return the code of a secret at `moment` (aware), as the person's app shows it; raises Invalid."""
    return _totp(secret).generate(step_at(moment) * STEP).decode()


def matching_step(secret: str, code: str, moment: datetime, *, after: int = NEVER) -> int | None:
    """Return the time step that `code` belongs to, or None when it belongs to none that may be used.

    A step is in question when it is at most one away from that of `moment` and later than `after`, the last one used,
    so that a code is accepted once (RFC 6238, section 5.2). The work is the same whatever the code. Raises Invalid
    for what is no secret.
    """
    totp = _totp(secret)
    given = "".join(code.split()).encode("utf-8", "replace")
    now = step_at(moment)
    found: int | None = None
    for step in range(now - WINDOW, now + WINDOW + 1):
        matches = hmac.compare_digest(totp.generate(step * STEP), given)
        if matches and step > after:
            found = step
    return found


def _totp(secret: str) -> TOTP:
    letters = "".join(secret.split()).upper().rstrip("=")
    try:
        key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError):
        raise Invalid("This is not a second factor's secret.", mend="Begin again with a new one.") from None
    if len(key) < SECRET_BYTES:
        raise Invalid("The second factor's secret is too short.", mend="Begin again with a new one.")
    return TOTP(key, DIGITS, SHA1(), STEP)  # noqa: S303 - RFC 6238's default, and the only one that all apps know
