"""What stands around every page: who is signed in, where they can go, the classification on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask import Flask, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from policies.requests import Role
from portal.errors import PortalError
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.document_views import LabelView
from portal.services.runtime import Runtime
from portal.web import appearance
from portal.web.options import options
from portal.web.words import ROLE_WORDS

Count = Callable[[Actor], str]
"""Says what stands beside a place in the navigation, such as "3" or "7 new"; "" for nothing. It records nothing."""

_COUNTS = "strongroom-counts"
_FOOT = (
    ("Help", "about.help"),
    ("Privacy and recording", "about.privacy"),
    ("Accessibility", "about.accessibility"),
)
_LANGUAGES: tuple[tuple[str, str], ...] = (("en", "English"),)
"""The languages that pages can be had in; the layout offers a switch as soon as there are two."""

_PLACES: Mapping[Role, tuple[tuple[str, str, str], ...]] = MappingProxyType(
    {
        Role.PARTNER: (
            ("Deliveries", "deliveries.home", "home"),
            ("Documents", "documents.index", "files"),
            ("Send documents", "upload.form", "send"),
            ("Instructions", "rules.own_instructions", "book"),
        ),
        Role.OFFICIAL: (
            ("Documents", "documents.index", "inbox"),
            ("Instructions", "rules.own_instructions", "book"),
        ),
        Role.OFFICER: (
            ("People", "officer.people", "users"),
            ("Why?", "officer.why", "help-circle"),
            ("Rules", "policy.index", "scale"),
            ("Custody", "custody.index", "trash"),
            ("Quarantine", "quarantine.index", "alert-triangle"),
        ),
        Role.AUDITOR: (
            ("Timeline", "audit.timeline", "timeline"),
            ("People", "audit.people", "users"),
            ("Documents", "audit.documents", "files"),
            ("Export", "audit.export_form", "file-export"),
            ("Log health", "audit.health", "shield-check"),
        ),
        Role.ADMINISTRATOR: (
            ("Accounts", "administration.people", "users"),
            ("Organisations", "administration.organisations", "building"),
            ("Programmes", "administration.programmes", "folder"),
            ("Sessions", "administration.sessions", "devices"),
            ("Keys", "administration.keys", "key"),
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
class Choice:
    """Something to choose in the account menu."""

    value: str
    label: str
    current: bool


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in person as the page's head shows them; `roles` is empty when there is nothing to choose."""

    name: str
    organisation: str
    role: str
    home_url: str
    roles: tuple[Choice, ...] = ()
    role_note: str = ""


def install(app: Flask, runtime: Runtime) -> None:
    """Give every template its context, and `/` its way home."""
    app.extensions[_COUNTS] = {}
    app.context_processor(lambda: _context(runtime))
    install_filters(app)
    app.add_url_rule("/", "home", home, methods=["GET"])


def count_beside(app: Flask, endpoint: str, count: Count) -> None:
    """Let `count` say what stands beside the place of `endpoint` in the navigation, on every page of its role.

    It is asked anew for each page, so it must be one quick query; when it raises a PortalError nothing stands there.
    """
    app.extensions[_COUNTS][endpoint] = count


def install_filters(app: Flask) -> None:
    """Give templates the filters that the parts use."""
    app.jinja_env.filters["zip_with"] = lambda first, second: list(zip(first, second, strict=True))
    app.jinja_env.filters["options"] = options


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
    theme = appearance.chosen_theme()
    return {
        "viewer": _viewer(roles) if signed else None,
        "navigation": _navigation(roles),
        "page_marking": g.get("page_marking") or _lowest(runtime),
        "csp_nonce": g.csp_nonce,
        "demonstration": runtime.settings.demonstration,
        "settings_size_limit": runtime.settings.size_limit,
        "sign_out_url": url_for("sign_in.sign_out") if signed else None,
        "account_url": url_for("account.page") if signed else None,
        **_search(roles),
        "role_url": url_for("appearance.choose_role"),
        "theme": theme,
        "themes": [Choice(value, words, value == theme) for value, words in appearance.THEMES.items()],
        "theme_url": url_for("appearance.choose_theme"),
        "here": _here(),
        "languages": [Choice(code, name, code == "en") for code, name in _LANGUAGES],
        "foot_links": [Place(label, url_for(endpoint), "", False) for label, endpoint in _FOOT],
    }


def _search(roles: frozenset[Role]) -> dict[str, str | None]:
    """Return where the top bar's search goes, and what it asks for."""
    if roles & {Role.PARTNER, Role.OFFICIAL}:
        return {"search_url": url_for("documents.search")}
    if Role.AUDITOR in roles:
        return {"search_url": url_for("audit.search"), "search_prompt": "Person, document or entry number"}
    return {"search_url": None}


def _here() -> str:
    """Return the path that a choice in the account menu leads back to: "" on a page that one cannot come back to."""
    return "" if request.method != "GET" or g.get("failed") else request.full_path.removesuffix("?")


def _lowest(runtime: Runtime) -> PageMarking:
    policy = runtime.access.policy
    lowest = policy.classifications[0]
    return PageMarking(runtime.documents.class_words(lowest.name), lowest.lacv)


def _viewer(roles: frozenset[Role]) -> Viewer:
    identified = current_user.identified
    words = ", ".join(word for role, word in ROLE_WORDS.items() if role in roles) or "No role"
    choices: tuple[Choice, ...] = ()
    note = "Roles are given and ended by security officers, never by oneself."
    if len(identified.held) > 1:
        held = [
            Choice(r.value, w, r is identified.role) for r, w in ROLE_WORDS.items() if r in identified.held
        ]
        choices = (*held, Choice("", "All of my roles", identified.role is None))
        note = "The log names the role that you act in."
    return Viewer(identified.name, identified.organisation, words, _home_url(roles), choices, note)


def _navigation(roles: frozenset[Role]) -> list[Place]:
    seen: dict[str, tuple[str, str, str]] = {}
    for role, places in _PLACES.items():
        if role in roles:
            for label, endpoint, icon in places:
                seen.setdefault(url_for(endpoint), (label, endpoint, icon))
    # A place may lie below another one: only the nearest is where one is.
    above = [url for url in seen if request.path == url or request.path.startswith(f"{url}/")]
    here = max(above, key=len, default="")
    return [
        Place(label, url, icon, url == here, _count(endpoint))
        for url, (label, endpoint, icon) in seen.items()
    ]


def _count(endpoint: str) -> str:
    count: Count | None = current_app.extensions[_COUNTS].get(endpoint)
    if count is None or g.get("failed"):
        return ""
    try:
        return count(current_user.actor)
    except PortalError:
        return ""
