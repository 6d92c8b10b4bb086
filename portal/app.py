"""The application factory."""

from __future__ import annotations

import uuid
from pathlib import Path

from flask import Flask, Response, g, request

from portal.api import make_blueprint as make_api
from portal.http import compression, csrf, identify, limits, problems, routing, slots
from portal.http.content import runtime as runtime_of_request
from portal.http.request import PortalRequest
from portal.http.security_headers import answer_headers, new_nonce, page_headers
from portal.services.runtime import Runtime
from portal.web.site import install as install_pages

_TEMPLATES = Path(__file__).parents[1] / "templates"


def create_app(runtime: Runtime) -> Flask:
    """Return the WSGI application of an opened portal."""
    app = Flask("portal", static_folder=None, template_folder=str(_TEMPLATES))
    app.request_class = PortalRequest
    app.extensions["strongroom"] = runtime
    app.config.update(
        SECRET_KEY=runtime.cookie_key,
        SESSION_COOKIE_NAME="__Host-strongroom" if runtime.settings.secure else "strongroom",
        SESSION_COOKIE_SECURE=runtime.settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(_begin)
    compression.install(app)
    # Order matters: limits act before anything is looked up or recorded, doors before the token of the form.
    limits.install(app, runtime.settings)
    slots.install(app, runtime.settings)
    identify.install(app)
    routing.install(app)
    csrf.install(app)
    problems.install(app)
    app.register_blueprint(make_api(), url_prefix="/api/v1")
    install_pages(app, runtime)
    app.after_request(_secure)
    return app


def _begin() -> None:
    g.request_id = str(uuid.uuid4())
    g.csp_nonce = new_nonce()
    runtime_of_request().key_seal.look()


def _secure(response: Response) -> Response:
    if "Content-Security-Policy" in response.headers:
        return response
    https = runtime_of_request().settings.secure
    if response.mimetype == "text/html" and request.method != "OPTIONS":
        headers = page_headers(g.csp_nonce, https=https, wasm=g.get("wasm", False))
    else:
        headers = answer_headers(https=https)
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
