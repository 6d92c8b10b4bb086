"""The security officer's page on what is kept back: what was found, and the acts of two people."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.web.forms import FORM_ERRORS, refused
from portal.web.words import media_words, moment_words, size_words

_STANDINGS = {
    "waiting": ("clock", "Waits for the scan", ""),
    "quarantined": ("alert-triangle", "In quarantine", "bad"),
    "refused": ("circle-x", "Stays in quarantine", "muted"),
}
_REASONS = {
    "found": "The scanner found something",
    "too-large": "Too large to be scanned",
    "refused": "The scanner takes no such file",
    "encrypted": "Encrypted: nothing can look inside",
    "macros": "Contains macros",
    "embedded": "Contains other files",
    "expands": "Unpacks to far more than its size",
    "polyglot": "Can be read as another kind of file as well",
    "damaged": "Damaged",
    "partly-examined": "Could only be examined in part",
    "extension-differs": "Its name says another kind of file than its content",
}


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("quarantine", __name__, url_prefix="/quarantine")
    blueprint.add_url_rule("", "index", index, methods=["GET"])
    blueprint.add_url_rule("", "decide", decide, methods=["POST"])
    return blueprint


@signed_in(Role.OFFICER)
def index() -> ResponseReturnValue:
    """List what is kept back."""
    return _index()


def _index(problem: str = "", status: int = 200) -> ResponseReturnValue:
    items = runtime().quarantine.kept_back(current_actor())
    rows = [
        {
            "item": item,
            "state": _STANDINGS[item.found.standing.value],
            "reasons": [_REASONS.get(reason, reason) for reason in item.found.reasons],
            "media": media_words(item.media_type),
            "size": size_words(item.size),
            "since": moment_words(item.since),
        }
        for item in items
    ]
    return render_template("officer/quarantine.html", rows=rows, problem=problem), status


@signed_in(Role.OFFICER)
def decide() -> ResponseReturnValue:
    """Propose to admit, approve, admit, or let a version stay in quarantine."""
    actor, service, form = current_actor(), runtime().quarantine, request.form
    number = form.get("number", "")
    place = form.get("document", ""), int(number) if number.isdecimal() and len(number) < 9 else 0
    try:
        match form.get("act", ""):
            case "propose":
                service.propose(actor, *place, form.get("reason", ""))
                flash("It is proposed. Another security officer must approve it.", "good")
            case "approve":
                service.approve(actor, form.get("proposal", ""), form.get("digest", ""))
                flash("You approved it. The other officer can admit it within seven days.", "good")
            case "admit":
                service.admit(actor, form.get("proposal", ""))
                flash("It is handed out from now on.", "good")
            case "refuse":
                service.refuse(actor, *place, form.get("reason", ""))
                flash("It stays in quarantine, encrypted.", "good")
            case _:
                raise Invalid("There is no such act.", mend="Use the buttons of the page.")
    except FORM_ERRORS as error:
        return _index(*refused(error))
    return redirect(url_for("quarantine.index"), 303)
