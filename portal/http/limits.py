"""Rate limits: by token, or by address, before anything is looked up or recorded."""

from __future__ import annotations

import hashlib

from flask import Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItemPerMinute

from portal.errors import TooMany
from portal.settings import Settings


def install(app: Flask, settings: Settings) -> Limiter:
    """Limit all requests of `app`; sign-in attempts are counted more narrowly (`count_sign_in`)."""
    limiter = Limiter(
        _key,
        app=app,
        default_limits=[lambda: _rate(settings)],
        storage_uri="memory://",
        strategy="moving-window",
        headers_enabled=False,
    )
    app.extensions["strongroom-limiter"] = limiter
    return limiter


def _rate(settings: Settings) -> str:
    by_token = _authorization() is not None
    return f"{settings.token_requests_per_minute if by_token else settings.requests_per_minute} per minute"


def _key() -> str:
    header = _authorization()
    if header is not None:
        return "token:" + hashlib.sha256(header.encode()).hexdigest()
    return "address:" + get_remote_address()


def _authorization() -> str | None:
    # Pages take no tokens: there, whoever invents one for each request would have a limit of their own for each.
    return request.headers.get("Authorization") if request.path.startswith("/api/") else None


def count_refused(address: str, per_minute: int) -> None:
    """Count a token or a session that does not hold; raises TooMany before it is recorded.

    Every forged token is another one, so what is counted by token never ends.
    """
    limiter: Limiter = current_app.extensions["strongroom-limiter"]
    if not limiter.limiter.hit(RateLimitItemPerMinute(per_minute), "refused", f"address:{address}"):
        raise TooMany("Too many requests in a short time.", mend="Wait a minute, then go on.")


def count_sign_in(address: str, account: str, per_minute: int) -> None:
    """Count a sign-in attempt by address and by account; raises TooMany before anything is looked up or recorded."""
    limiter: Limiter = current_app.extensions["strongroom-limiter"]
    rate = RateLimitItemPerMinute(per_minute)
    account_key = hashlib.sha256(account.strip().casefold().encode()).hexdigest()
    for key in (f"address:{address}", f"account:{account_key}"):
        if not limiter.limiter.hit(rate, "sign-in", key):
            raise TooMany("Too many attempts to sign in.", mend="Wait a minute, then try again.")
