"""How pages look and in which role one acts: both chosen in the account menu, and kept without script."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, Response, flash, redirect, request, url_for

from policies.requests import Role
from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.web.forms import local_path
from portal.web.words import ROLE_WORDS

THEMES: Mapping[str, str] = MappingProxyType({"": "As the system", "light": "Light", "dark": "Dark"})
"""What can be chosen, and its words."""
_YEAR = 365 * 24 * 3600


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("appearance", __name__)
    blueprint.add_url_rule("/appearance", "choose_theme", choose_theme, methods=["POST"])
    blueprint.add_url_rule("/role", "choose_role", choose_role, methods=["POST"])
    return blueprint


def chosen_theme() -> str:
    """Return the chosen theme, "" when the system decides. A cookie may say anything: only what is offered counts."""
    found = request.cookies.get(_cookie(), "")
    return found if found in THEMES else ""


@signed_in()
def choose_theme() -> Response:
    """Keep a theme in a cookie of this browser and go back to the page."""
    theme = request.form.get("theme", "")
    if theme not in THEMES:
        raise Invalid("There is no such appearance.", mend="Choose one of those in the menu.")
    answer = _back()
    answer.set_cookie(
        _cookie(),
        theme,
        max_age=_YEAR if theme else 0,
        secure=runtime().settings.secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


@signed_in()
def choose_role() -> Response:
    """Act in one of one's roles, or in all of them, and go to its first page: this one may not be open to it."""
    wanted = request.form.get("role", "")
    try:
        role = Role(wanted) if wanted else None
    except ValueError:
        raise Invalid("There is no such role.", mend="Choose one of those in the menu.") from None
    runtime().account.act_as(current_actor(), role)
    flash(
        f"You act as {ROLE_WORDS[role].lower()} now." if role else "You act in all of your roles now.", "good"
    )
    return _redirect(url_for("home"))


def _back() -> Response:
    return _redirect(local_path(request.form.get("back", "")) or url_for("home"))


def _redirect(target: str) -> Response:
    answer = redirect(target, 303)
    assert isinstance(answer, Response)
    return answer


def _cookie() -> str:
    return "__Host-strongroom-theme" if runtime().settings.secure else "strongroom-theme"
