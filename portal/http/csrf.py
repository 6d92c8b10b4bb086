"""Cross-site request forgery: every state change that rests on a browser's cookie shows the session's token."""

from __future__ import annotations

import base64
import binascii
import secrets

from flask import Flask, current_app, g, request
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect, generate_csrf, validate_csrf
from wtforms import ValidationError

from portal.errors import Invalid
from portal.http.routing import door_of

FIELD = "csrf_token"
HEADER = "X-CSRFToken"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask) -> None:
    """Check every unsafe request of `app` but those with a token of their own, whose header no browser sends by itself.

    Flask-WTF's own check would parse the body of an upload (and spool it to disk in the clear), so it is off.
    """
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    CSRFProtect(app)
    # Flask-WTF puts its own there, for templates and for macros without context.
    app.context_processor(lambda: {"csrf_token": token_of_page})
    app.jinja_env.globals["csrf_token"] = token_of_page
    app.before_request(_guard)


def token_of_page() -> str:
    """Return the token that forms of this answer carry: the session's, under a mask of this one answer.

    A secret that stood in every page alike could be guessed by the lengths of compressed pages.
    """
    if "csrf_masked" not in g:
        token = generate_csrf().encode()
        mask = secrets.token_bytes(len(token))
        g.csrf_masked = base64.urlsafe_b64encode(mask + _xor(token, mask)).decode().rstrip("=")
    masked: str = g.csrf_masked
    return masked


def _xor(text: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(text, mask, strict=True))


def _unmasked(token: str) -> str:
    """Return the token under a mask; "" for what is none."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        half = len(raw) // 2
        return _xor(raw[half:], raw[:half]).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _guard() -> None:
    if request.method in _SAFE or request.endpoint is None:
        return
    if current_user.is_authenticated and current_user.by_token:
        return
    header = request.headers.get(HEADER)
    if header is not None:
        check_token(header)
        return
    door = door_of(current_app.view_functions[request.endpoint])
    if door is not None and door.own_csrf and request.mimetype == "multipart/form-data":
        return
    if request.mimetype == "application/x-www-form-urlencoded":
        check_token(request.form.get(FIELD, ""))
        return
    check_token("")


def check_token(token: str) -> None:
    """Raise Invalid unless `token` is this browser session's, under whichever mask."""
    try:
        validate_csrf(_unmasked(token))
    except ValidationError:
        raise Invalid(
            "This request did not come from a page of the portal, or the page is too old.",
            mend="Open the page again, then repeat what you did.",
        ) from None
