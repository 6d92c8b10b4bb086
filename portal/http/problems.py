"""Errors, translated once: a page for browsers, RFC 9457 problem details for programs; never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Flask, Response, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.errors import RateLimitExceeded
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from crypto.errors import KeyUnavailable
from policies.errors import PolicyError
from portal.audit import Event
from portal.errors import (
    Conflict,
    Invalid,
    NotFound,
    NotPermitted,
    PortalError,
    RangeNotSatisfiable,
    Tampered,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from portal.http.content import runtime
from portal.http.identify import request_id

_log = logging.getLogger(__name__)

TITLES: Mapping[int, str] = MappingProxyType(
    {
        400: "The request cannot be carried out",
        401: "Not signed in",
        403: "Not permitted",
        404: "Not found",
        405: "This address does not take that method",
        409: "Changed meanwhile",
        410: "Over",
        412: "Another version of the protocol",
        413: "Too large",
        415: "This kind of body is not taken",
        416: "Range not satisfiable",
        423: "In use",
        429: "Too many requests",
        460: "Checksum mismatch",
        500: "The portal failed",
        503: "Not available now",
    }
)
_FOLLOWING: Mapping[int, str] = MappingProxyType(
    {
        400: "Nothing was changed. Go back in your browser, and send it anew.",
        401: "Nothing of what you sent was taken. Sign in again in another tab, reload the form and send it anew.",
        403: "Nothing was opened or changed, and you did nothing wrong. The refusal is recorded, as all are.",
        404: "Check the address, or go back. If it should be open to you, ask your security officer.",
        405: "Nothing was changed. Open the page from the navigation: this address takes only what its form sends.",
        409: "Nothing of yours was kept. Go back, reload the page and look at what is there now.",
        413: "Nothing of it was kept.",
        429: "Nothing was lost. Wait a minute, then go back in your browser and send it again.",
        500: "What was acknowledged before is safe. If it happens again, tell your administrator this number.",
        503: "Nothing was lost, and nothing was opened. If it lasts, tell your administrator this number.",
    }
)
"""What became of the request and what happens next, on the pages of errors."""

_HTTP: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        405: ("This address is not opened, or not sent to, in this way.", ""),
        415: ("This page does not take what was sent to it.", "Use the form of the page."),
    }
)
"""What Werkzeug's own errors say to people, and the mend."""

_PROBLEM = "application/problem+json"
_TYPES: Mapping[type[PortalError], str] = MappingProxyType(
    {
        Invalid: "invalid",
        Unauthenticated: "not-signed-in",
        NotFound: "not-found",
        Conflict: "conflict",
        TooLarge: "too-large",
        RangeNotSatisfiable: "range-not-satisfiable",
        TooMany: "too-many-requests",
        Tampered: "integrity",
        Unavailable: "unavailable",
    }
)


def install(app: Flask) -> None:
    """Register the translation of every error of `app`."""
    app.register_error_handler(PortalError, portal_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(PolicyError, _policy_error)
    app.register_error_handler(KeyUnavailable, _keys_away)
    app.register_error_handler(Exception, _failure)


def for_program() -> bool:
    """Say whether this request is a program's (the API), which gets problem details."""
    return request.path.startswith("/api/")


def portal_error(error: PortalError) -> ResponseReturnValue:
    """Answer an error: recorded where it is a refusal, then as a page, a part of one, or problem details."""
    if isinstance(error, Tampered):
        error = _report(error)
    elif isinstance(error, Invalid | TooLarge | Conflict | RangeNotSatisfiable | NotPermitted | NotFound):
        error = record_refusal(error)
    plain_page = request.method == "GET" and "HX-Request" not in request.headers
    if isinstance(error, Unauthenticated) and not for_program() and plain_page:
        return redirect(
            url_for("sign_in.page", next=request.full_path if request.query_string else request.path)
        )
    return _answer(error)


def _report(error: Tampered) -> PortalError:
    try:
        runtime().alarm.report(error, None)
    except PortalError as fault:
        return fault
    return error


def record_refusal(error: PortalError) -> PortalError:
    """Record a refused request of a signed-in person, once; when the log cannot be written, that is the answer."""
    try:
        if error.recorded or not current_user.is_authenticated:
            return error
        actor = current_user.actor
        runtime().log.append(
            Event(
                action="request.refused",
                actor=actor.person_id,
                session=actor.session,
                assurance=actor.assurance,
                organisation=actor.organisation_id,
                request=actor.request,
                decision="deny",
                details={"problem": _kind(error), "status": error.status, "method": request.method.lower()},
                private={"path": request.path[:500]},
            )
        )
    except PortalError as fault:
        return fault
    error.recorded = True
    return error


def _kind(error: PortalError) -> str:
    if isinstance(error, NotPermitted):
        return error.rules[0] if error.rules else "not-permitted"
    return next((name for kind, name in _TYPES.items() if isinstance(error, kind)), "failure")


def _answer(error: PortalError) -> Response:
    facts: dict[str, Any] = {}
    if isinstance(error, NotPermitted):
        facts["rules"] = list(error.rules)
    response = _response(error.status, _kind(error), error.message, error.mend, facts)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = "30"
    if isinstance(error, RangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, Unauthenticated) and for_program():
        response.headers["WWW-Authenticate"] = 'Bearer realm="strongroom"'
    if request.content_length or "chunked" in request.headers.get("Transfer-Encoding", ""):
        response.headers["Connection"] = "close"
    return response


def _response(status: int, kind: str, message: str, mend: str, facts: Mapping[str, Any]) -> Response:
    title = TITLES.get(status, TITLES[500])
    if for_program():
        problem = {
            "type": f"{runtime().settings.public_url.rstrip('/')}/problems/{kind}",
            "title": title,
            "status": status,
            "detail": message,
            **({"mend": mend} if mend else {}),
            **facts,
        }
        # Only where an administrator is to look it up: a number that differs each time would make alike answers differ.
        if status >= 500:
            problem["instance"] = f"urn:uuid:{request_id()}"
        answer = jsonify(problem)
        answer.mimetype = _PROBLEM
    else:
        answer = Response(_page(status, title, message, mend), mimetype="text/html")
    answer.status_code = status
    return answer


def _page(status: int, title: str, message: str, mend: str) -> str:
    """Return an error as a page, or as a part of one when htmx asked; nothing in it is looked up."""
    g.failed = True
    part = request.headers.get("HX-Request") == "true"
    return render_template(
        "errors/fragment.html" if part else "errors/error.html",
        status=status,
        title=title,
        message=message,
        mend=mend,
        following=_FOLLOWING.get(status, ""),
        number=request_id(),
        sign_in_url=url_for("sign_in.page") if status == Unauthenticated.status else "",
    )


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, RateLimitExceeded):
        return _answer(TooMany("Too many requests in a short time.", mend="Wait a minute, then go on."))
    status = error.code or 500
    if status < 400 and error.response is not None:
        return error.get_response()
    known: dict[int, PortalError] = {
        400: Invalid("The request cannot be read.", mend="Correct it and send it again."),
        404: NotFound("There is no such page, or it is not open to you."),
        413: TooLarge("The request is larger than this page takes.", mend="Send less at once."),
    }
    if status in known:
        return portal_error(known[status])
    response = _response(status, "http", *_HTTP.get(status, (TITLES.get(status, error.name), "")), {})
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _policy_error(error: PolicyError) -> ResponseReturnValue:
    return portal_error(Invalid(str(error), mend="Correct the label and send it again."))


def _keys_away(error: KeyUnavailable) -> ResponseReturnValue:
    _log.error("keys are out of reach: %s", error)
    return portal_error(
        Unavailable(
            "The keys are out of reach, so nothing was opened.",
            mend="Try again in a few minutes; an administrator runs `strongroom doctor` when it lasts.",
        )
    )


def _failure(error: Exception) -> ResponseReturnValue:
    _log.error("request failed: %s", type(error).__name__, exc_info=error)
    return _response(
        500, "failure", "Something in the portal failed. Nothing was handed out.", "Try again.", {}
    )
