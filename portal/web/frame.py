"""What stands around every page: who is signed in, where they can go, the classification on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask import Flask, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from policies.requests import Role
from portal.http.routing import signed_in
from portal.services.document_views import LabelView
from portal.services.runtime import Runtime

ROLE_WORDS: Mapping[Role, str] = MappingProxyType(
    {
        Role.PARTNER: "Partner",
        Role.OFFICIAL: "Official",
        Role.OFFICER: "Security officer",
        Role.AUDITOR: "Auditor",
        Role.ADMINISTRATOR: "Administrator",
    }
)
_PLACES: Mapping[Role, tuple[tuple[str, str, str], ...]] = MappingProxyType(
    {
        Role.PARTNER: (("Documents", "documents.index", "files"), ("Send a document", "upload.form", "send")),
        Role.OFFICIAL: (("Documents", "documents.index", "inbox"),),
        Role.OFFICER: (("People", "officer.people", "users"), ("Why?", "officer.why", "help-circle")),
        Role.AUDITOR: (
            ("Access log", "audit.timeline", "timeline"),
            ("Export", "audit.export_form", "file-export"),
        ),
        Role.ADMINISTRATOR: (
            ("Accounts", "administration.people", "users"),
            ("Organisations", "administration.organisations", "building"),
            ("Programmes", "administration.programmes", "folder"),
            ("Status", "administration.status", "checkup-list"),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PageMarking:
    """The banner: words and the classification's number."""

    text: str
    lacv: int


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere that the navigation leads."""

    label: str
    url: str
    icon: str
    current: bool
    count: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in person as the page's head shows them."""

    name: str
    organisation: str
    role: str
    home_url: str
    roles: tuple[()] = ()
    role_note: str = ""


def install(app: Flask, runtime: Runtime) -> None:
    """Give every template its context, and `/` its way home."""
    app.context_processor(lambda: _context(runtime))
    app.jinja_env.filters["zip_with"] = lambda first, second: list(zip(first, second, strict=True))
    app.add_url_rule("/", "home", home, methods=["GET"])


@signed_in()
def home() -> ResponseReturnValue:
    """Lead to the first page of one's role."""
    return redirect(_home_url(current_user.roles))


def _home_url(roles: Iterable[Role]) -> str:
    held = set(roles)
    for role, places in _PLACES.items():
        if role in held:
            return url_for(places[0][1])
    return url_for("account.page")


def mark_page(labels: Iterable[LabelView]) -> None:
    """Let the page's banner show the highest of these labels."""
    highest = max(labels, key=lambda label: label.rank, default=None)
    if highest is not None:
        g.page_marking = PageMarking(highest.class_words, highest.lacv)


def _context(runtime: Runtime) -> dict[str, Any]:
    signed = current_user.is_authenticated
    roles = current_user.roles if signed else frozenset()
    finds = bool(roles & {Role.PARTNER, Role.OFFICIAL})
    return {
        "viewer": _viewer(roles) if signed else None,
        "navigation": _navigation(roles),
        "page_marking": g.get("page_marking") or _lowest(runtime),
        "csp_nonce": g.csp_nonce,
        "demonstration": runtime.settings.demonstration,
        "settings_size_limit": runtime.settings.size_limit,
        "sign_out_url": url_for("sign_in.sign_out") if signed else None,
        "account_url": url_for("account.page") if signed else None,
        "search_url": url_for("documents.search") if finds else None,
    }


def _lowest(runtime: Runtime) -> PageMarking:
    policy = runtime.access.policy
    lowest = policy.classifications[0]
    return PageMarking(runtime.documents.class_words(lowest.name), lowest.lacv)


def _viewer(roles: frozenset[Role]) -> Viewer:
    identified = current_user.identified
    words = ", ".join(word for role, word in ROLE_WORDS.items() if role in roles) or "No role"
    return Viewer(identified.name, identified.organisation, words, _home_url(roles))


def _navigation(roles: frozenset[Role]) -> list[Place]:
    seen: dict[str, Place] = {}
    for role, places in _PLACES.items():
        if role not in roles:
            continue
        for label, endpoint, icon in places:
            url = url_for(endpoint)
            seen.setdefault(url, Place(label, url, icon, request.path == url))
    return list(seen.values())
