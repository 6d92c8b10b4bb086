"""Signing in and out, and one-time links."""

from __future__ import annotations

import segno
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from portal.errors import Invalid, Unauthenticated
from portal.http.content import runtime
from portal.http.identify import SESSION_KEY, address, current_actor, request_id
from portal.http.limits import count_sign_in
from portal.http.routing import open_to_anyone, signed_in
from portal.http.security_headers import CLEAR_SITE_DATA
from portal.identity import totp
from portal.web.forms import local_path, sentence
from portal.web.words import moment_words


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("sign_in", __name__)
    blueprint.add_url_rule("/sign-in", "page", page, methods=["GET"])
    blueprint.add_url_rule("/sign-in", "enter", enter, methods=["POST"])
    blueprint.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])
    blueprint.add_url_rule("/welcome/<secret>", "welcome", welcome, methods=["GET"])
    blueprint.add_url_rule("/welcome/<secret>", "redeem", redeem, methods=["POST"])
    return blueprint


@open_to_anyone
def page() -> ResponseReturnValue:
    """Show the sign-in form with the notice of use."""
    if current_user.is_authenticated:
        return redirect(url_for("home"))
    return _form()


def _form(problem: str = "", status: int = 200) -> ResponseReturnValue:
    settings = runtime().settings
    ceiling = runtime().documents.class_words(settings.ceiling)
    known = runtime().access.policy.classification(settings.ceiling)
    return (
        render_template(
            "sign_in/sign_in.html",
            problem=problem,
            next_url=local_path(request.values.get("next", "")),
            email=request.form.get("email", ""),
            ceiling=ceiling,
            ceiling_lacv=known.lacv if known else 0,
        ),
        status,
    )


@open_to_anyone
def enter() -> ResponseReturnValue:
    """Check the credentials, open a session under a new name, and go on."""
    count_sign_in(address(), request.form.get("email", ""), runtime().settings.sign_ins_per_minute)
    try:
        secret = runtime().account.sign_in(
            request.form.get("email", ""),
            request.form.get("password", ""),
            request.form.get("code", "").replace(" ", ""),
            address(),
            request_id(),
        )
    except Unauthenticated as error:
        return _form(sentence(error), 401)
    session.clear()
    session[SESSION_KEY] = secret
    return redirect(local_path(request.form.get("next", "")) or url_for("home"))


@signed_in()
def sign_out() -> ResponseReturnValue:
    """End the session and tell the browser to forget what it kept."""
    runtime().account.sign_out(current_actor())
    session.clear()
    answer = redirect(url_for("sign_in.page"))
    answer.headers.update(CLEAR_SITE_DATA)
    return answer


@open_to_anyone
def welcome(secret: str) -> ResponseReturnValue:
    """Show the form of a one-time link: password and second factor."""
    return _welcome(secret, totp.new_secret())


def _welcome(secret: str, shared: str, problem: str = "", status: int = 200) -> ResponseReturnValue:
    link = runtime().account.look_at_link(secret)
    address_of_secret = totp.otpauth_uri(shared, account=link.email, issuer="Strongroom")
    return (
        render_template(
            "sign_in/welcome.html",
            link=link,
            until=moment_words(link.expires),
            shared=shared,
            spaced=" ".join(shared[i : i + 4] for i in range(0, len(shared), 4)),
            address=address_of_secret,
            qr=Markup(  # noqa: S704 - made of squares, by segno
                segno.make(address_of_secret, error="m").svg_inline(
                    border=2, light="white", svgclass=None, lineclass=None, omitsize=True
                )
            ),
            problem=problem,
            action=url_for("sign_in.redeem", secret=secret),
        ),
        status,
    )


@open_to_anyone
def redeem(secret: str) -> ResponseReturnValue:
    """Use a one-time link."""
    shared = request.form.get("shared", "")
    password = request.form.get("password", "")
    try:
        if password != request.form.get("again", ""):
            raise Invalid("The two passwords differ.", mend="Write the same one twice.")
        runtime().account.redeem_link(
            secret, password, shared, request.form.get("code", "").replace(" ", ""), address(), request_id()
        )
    except Invalid as error:
        return _welcome(secret, shared or totp.new_secret(), sentence(error), 400)
    flash("Your account is ready. Sign in with it.", "good")
    return redirect(url_for("sign_in.page"))
