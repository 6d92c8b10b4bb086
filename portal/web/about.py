"""What stands in the foot of every page: help, what is recorded, how accessible the pages are. Open to anyone."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.http.content import runtime
from portal.http.routing import open_to_anyone


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("about", __name__)
    for view in (help_page, privacy, accessibility):
        name = view.__name__.removesuffix("_page")
        blueprint.add_url_rule(f"/{name}", name, view, methods=["GET"])
    return blueprint


@open_to_anyone
def help_page() -> ResponseReturnValue:
    """Say how the portal works for those who use it, and whom to ask."""
    settings = runtime().settings
    return render_template(
        "about/help.html",
        roles=current_user.roles,
        idle_minutes=settings.session_idle_minutes,
        hours=settings.session_hours,
    )


@open_to_anyone
def privacy() -> ResponseReturnValue:
    """Say what is recorded of people, who sees it, and what the portal keeps in the browser."""
    return render_template("about/privacy.html")


@open_to_anyone
def accessibility() -> ResponseReturnValue:
    """Say what the pages hold to, and what to do where they do not."""
    return render_template("about/accessibility.html")
