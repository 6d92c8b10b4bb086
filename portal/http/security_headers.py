"""Security headers of every kind of answer: pages, the bundle's files, documents' content.

Functions take values and return headers; who calls them sets them on the response. The Content Security
Policy of pages allows nothing but what it names: scripts by a nonce of this one response, DOM sinks by two Trusted
Types policies (`htmx`, `workers`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType

CLEAR_SITE_DATA: Mapping[str, str] = MappingProxyType({"Clear-Site-Data": '"cache", "storage"'})
"""Sent with the answer that ends a session and removes its cookie; the chosen appearance is no secret and stays."""

_NOWHERE = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)
_OURSELVES = ("clipboard-write", "fullscreen", "publickey-credentials-create", "publickey-credentials-get")
_PERMISSIONS = ", ".join([*(f"{name}=()" for name in _NOWHERE), *(f"{name}=(self)" for name in _OURSELVES)])

_IMMUTABLE = "public, max-age=31536000, immutable"
_TWO_YEARS = "max-age=63072000; includeSubDomains"


def new_nonce() -> str:
    """Return a fresh nonce (144 random bits, base64url) for the scripts of one response."""
    return secrets.token_urlsafe(18)


def content_security_policy(nonce: str, *, wasm: bool = False) -> str:
    """Return the policy of a page whose scripts carry `nonce`; `wasm` is for the document viewer alone."""
    script = f"'nonce-{nonce}' 'wasm-unsafe-eval'" if wasm else f"'nonce-{nonce}'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {script}",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
            "trusted-types htmx workers",
        )
    )


def page_headers(nonce: str, *, https: bool, wasm: bool = False) -> dict[str, str]:
    """Return the headers of an HTML page: never stored by any cache, because it carries a nonce and names."""
    return {
        "Content-Security-Policy": content_security_policy(nonce, wasm=wasm),
        "Cache-Control": "no-store",
        **_common(https=https),
    }


def answer_headers(*, https: bool) -> dict[str, str]:
    """Return the headers of an answer that is data for a program (JSON): nothing in it may run."""
    return {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cache-Control": "no-store",
        **_common(https=https),
    }


def content_headers(*, https: bool) -> dict[str, str]:
    """Return the headers of a document's own bytes: sandboxed, not sniffed, not stored, for us alone."""
    return {
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store, no-transform",
        **_common(https=https),
    }


def asset_headers(*, https: bool) -> dict[str, str]:
    """Return the headers of a file of the bundle: kept for a year, since its name carries its content's hash.

    The viewer's worker runs under this policy: a worker has the policy of its own script's answer.
    """
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
        "connect-src 'self'; style-src 'self'; font-src 'self'; frame-ancestors 'none'",
        "Cache-Control": _IMMUTABLE,
        **_common(https=https),
    }


def _common(*, https: bool) -> dict[str, str]:
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Not no-referrer: over https the CSRF check compares the referrer with the host.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": _PERMISSIONS,
    }
    if https:
        headers["Strict-Transport-Security"] = _TWO_YEARS
    return headers
