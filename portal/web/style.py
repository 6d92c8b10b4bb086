"""The style page for developers: every macro of templates/parts in all its states. In a demonstration only."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from portal.errors import NotFound
from portal.http.content import runtime
from portal.http.routing import signed_in
from portal.web import style_data

SHEETS = {"": ("",), "light": ("light",), "dark": ("dark",), "both": ("light", "dark")}
"""What can be looked at, and the themes of the sheets that it shows beside one another."""


class SampleForm(FlaskForm):  # type: ignore[misc]
    """One field of each kind."""

    email = StringField("E-mail address")
    password = PasswordField("Password")
    role = SelectField(
        "Role", choices=[SelectChoice("partner", "Partner"), SelectChoice("official", "Official")]
    )
    theme = RadioField(
        "Appearance",
        choices=[SelectChoice("system", "As the system"), SelectChoice("dark", "Dark")],
        default="system",
    )
    keep = BooleanField("I have read the notice")


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("style", __name__)
    blueprint.add_url_rule("/_style", "page", page, methods=["GET"])
    return blueprint


@signed_in()
def page() -> ResponseReturnValue:
    """Show every part; raises NotFound outside a demonstration."""
    if not runtime().settings.demonstration:
        raise NotFound("There is no such page, or it is not open to you.")
    return render_style("style/style.html")


def render_style(template: str) -> str:
    """Return the style page, in the themes that the request asks for."""
    chosen = request.args.get("sheets", "")
    themes = SHEETS.get(chosen, ("",))
    return render_template(
        template,
        d=style_data,
        chosen=chosen if chosen in SHEETS else "",
        # Names within a form must be told apart when two sheets stand on one page.
        sheets=[
            (theme, _form(f"{theme}-" if len(themes) > 1 else ""), f"-{theme}" if index else "")
            for index, theme in enumerate(themes)
        ],
    )


def _form(prefix: str) -> SampleForm:
    form = SampleForm(prefix=prefix, meta={"csrf": False})
    form.email.errors = ["There is no such address."]
    return form
