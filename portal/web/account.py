"""One's own account: sessions and tokens."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.web.words import moment_words


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("account", __name__, url_prefix="/account")
    blueprint.add_url_rule("", "page", page, methods=["GET"])
    blueprint.add_url_rule("/tokens", "create_token", create_token, methods=["POST"])
    blueprint.add_url_rule("/tokens/<token_id>/revoke", "revoke_token", revoke_token, methods=["POST"])
    blueprint.add_url_rule("/sessions/<session_id>/end", "end_session", end_session, methods=["POST"])
    return blueprint


@signed_in()
def page() -> ResponseReturnValue:
    """Show sessions and tokens."""
    return _page()


def _page(secret: str = "") -> str:
    actor = current_actor()
    account = runtime().account
    return render_template(
        "account/account.html",
        sessions=account.sessions(actor),
        own_session=actor.session,
        tokens=account.tokens(actor),
        secret=secret,
        words=moment_words,
        now=runtime().clock(),
    )


@signed_in()
def create_token() -> ResponseReturnValue:
    """Create a token and show it, once."""
    days = request.form.get("days", "")
    if not (days.isdecimal() and len(days) <= 3):
        raise Invalid("The number of days is not a whole number.", mend="Write 1 to 366.")
    return _page(runtime().account.create_token(current_actor(), request.form.get("name", ""), int(days)))


@signed_in()
def revoke_token(token_id: str) -> ResponseReturnValue:
    """Revoke one of one's own tokens."""
    runtime().account.revoke_token(current_actor(), token_id)
    flash("The token no longer holds.", "good")
    return redirect(url_for("account.page"))


@signed_in()
def end_session(session_id: str) -> ResponseReturnValue:
    """End one of one's own sessions."""
    runtime().account.end_session(current_actor(), session_id)
    flash("The session has ended.", "good")
    return redirect(url_for("account.page"))
