"""One's own account: sessions, password, tokens, appearance."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import Invalid, PortalError
from portal.http.content import runtime
from portal.http.csrf import token_of_page
from portal.http.identify import address, current_actor
from portal.http.limits import count_sign_in
from portal.http.routing import signed_in
from portal.web.forms import FORM_ERRORS, refused
from portal.web.words import ASSURANCE_WORDS, age_words, moment, moment_words


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("account", __name__, url_prefix="/account")
    add = blueprint.add_url_rule
    add("", "page", page, methods=["GET"])
    add("/form-token", "form_token", form_token, methods=["GET"])
    add("/tokens", "create_token", create_token, methods=["POST"])
    add("/tokens/<token_id>/revoke", "revoke_token", revoke_token, methods=["POST"])
    add("/sessions/<session_id>/end", "end_session", end_session, methods=["POST"])
    add("/sessions/end-others", "end_other_sessions", end_other_sessions, methods=["POST"])
    add("/password", "change_password", change_password, methods=["POST"])
    return blueprint


@signed_in()
def page() -> ResponseReturnValue:
    """Show sessions, password, tokens and appearance."""
    return _page()


def _page(secret: str = "", error: PortalError | None = None, concerned: str = "") -> ResponseReturnValue:
    actor, account, now = current_actor(), runtime().account, runtime().clock()
    problem, status = refused(error) if error else ("", 200)
    sessions = [
        {
            "id": item.id,
            "own": item.id == actor.session,
            "created": moment(item.created),
            "seen": age_words(item.seen, now),
            "address": item.address,
            "assurance": ASSURANCE_WORDS[item.assurance],
        }
        for item in account.sessions(actor)
    ]
    tokens = [
        {
            "id": item.id,
            "name": item.name,
            "created": moment(item.created),
            "expires": moment(item.expires),
            "state": "revoked" if item.revoked else "expired" if item.expires <= now else "in-force",
        }
        for item in account.tokens(actor)
    ]
    page = render_template(
        "account/account.html",
        sessions=sessions,
        tokens=tokens,
        secret=secret,
        problem=problem,
        concerned=concerned,
        typed=request.form,
        hours=runtime().settings.session_hours,
        idle_minutes=runtime().settings.session_idle_minutes,
        now=moment_words(now),
    )
    return page, status


@signed_in()
def form_token() -> ResponseReturnValue:
    """Hand out the session's form token: a page asks before it sends a form, so that nothing typed is lost."""
    return jsonify({"token": token_of_page()})


@signed_in()
def create_token() -> ResponseReturnValue:
    """Create a token and show it, once."""
    days = request.form.get("days", "")
    try:
        if not (days.isdecimal() and len(days) <= 3):
            raise Invalid("The number of days is not a whole number.", mend="Write 1 to 366.")
        secret = runtime().account.create_token(current_actor(), request.form.get("name", ""), int(days))
    except FORM_ERRORS as error:
        return _page(error=error, concerned="token")
    return _page(secret)


@signed_in()
def revoke_token(token_id: str) -> ResponseReturnValue:
    """Revoke one of one's own tokens."""
    runtime().account.revoke_token(current_actor(), token_id)
    flash("The token no longer holds.", "good")
    return redirect(url_for("account.page"), 303)


@signed_in()
def end_session(session_id: str) -> ResponseReturnValue:
    """End one of one's own sessions."""
    runtime().account.end_session(current_actor(), session_id)
    flash("The session has ended.", "good")
    return redirect(url_for("account.page"), 303)


@signed_in()
def end_other_sessions() -> ResponseReturnValue:
    """End all of one's own sessions but this one."""
    ended = runtime().account.end_other_sessions(current_actor())
    flash(f"{_sessions(ended)} ended. You are signed in here only.", "good")
    return redirect(url_for("account.page"), 303)


@signed_in()
def change_password() -> ResponseReturnValue:
    """Set another password."""
    actor, values = current_actor(), request.form
    count_sign_in(address(), f"password of {actor.person_id}", runtime().settings.sign_ins_per_minute)
    try:
        if values.get("new", "") != values.get("again", ""):
            raise Invalid("The two new passwords differ.", mend="Write the same one twice.")
        ended = runtime().account.change_password(actor, values.get("current", ""), values.get("new", ""))
    except FORM_ERRORS as error:
        return _page(error=error, concerned="password")
    flash(f"Your password is the new one. {_sessions(ended)} ended; your tokens hold on.", "good")
    return redirect(url_for("account.page"), 303)


def _sessions(number: int) -> str:
    return "One other session has" if number == 1 else f"{number or 'No'} other sessions have"
