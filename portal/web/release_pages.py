"""Releases of a document, its originator's control and consents, in the browser: kept by security officers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Act, ReleasedTo, Role
from portal.errors import Invalid, NotFound, NotPermitted
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.grant_views import GrantState
from portal.services.release_views import ConsentView, ControlView, ReleaseView
from portal.web import finders
from portal.web.forms import FORM_ERRORS, refused, wanted_day
from portal.web.officer import FINDERS
from portal.web.rule_pages import STATES
from portal.web.why import label_chip
from portal.web.words import moment_words

_TO = (ReleasedTo.ORGANISATION, ReleasedTo.PERSON, ReleasedTo.PROGRAMME)
_ACTS: Mapping[Act, str] = MappingProxyType(
    {
        Act.RELEASE: "Release it to others",
        Act.RELABEL: "Give it a lower label",
    }
)
_ERRORS = (*FORM_ERRORS, NotPermitted)


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("releases", __name__, url_prefix="/policy/documents")
    add = blueprint.add_url_rule
    add("", "index", index, methods=["GET"])
    add("", "choose", choose, methods=["POST"])
    add("/<document_id>", "show", show, methods=["GET"])
    add("/<document_id>", "change", change, methods=["POST"])
    add("/<document_id>/<section>/<row_id>/end", "end", end, methods=["POST"])
    return blueprint


@signed_in(Role.OFFICER)
def index() -> ResponseReturnValue:
    """Ask whose releases shall be shown."""
    return _index()


@signed_in(Role.OFFICER)
def choose() -> ResponseReturnValue:
    """Go to the document that was chosen, or show what was found."""
    chosen = request.form.get("document", "")
    if chosen and "find" not in request.form:
        return redirect(url_for("releases.show", document_id=chosen), 303)
    return _index()


def _index() -> ResponseReturnValue:
    values = request.form.copy()
    if values.get("document_q") and "find" not in values:
        values["find"] = "document"
    field = finders.field(FINDERS, "document", current_actor(), values)
    none_words = FINDERS["document"].none_words
    return render_template("policy/documents.html", field=field, none_words=none_words)


@signed_in(Role.OFFICER)
def show(document_id: str) -> ResponseReturnValue:
    """Show a document's releases, control and consents."""
    return _page(document_id)


@signed_in(Role.OFFICER)
def change(document_id: str) -> ResponseReturnValue:
    """Release the document, put it under its originator's control, or record a consent."""
    form, service, actor = request.form, runtime().releases, current_actor()
    if "find" in form:
        return _page(document_id)
    acts = {
        "release": "It is released. It is recorded with your name.",
        "control": "It is passed on with the consent of its originator only, from now on.",
        "consent": "The consent is recorded with your name.",
    }
    act = form.get("act", "")
    if act not in acts:
        raise NotFound("There is no such page, or it is not open to you.")
    try:
        period = {"valid_from": wanted_day(form, "from"), "valid_until": wanted_day(form, "until")}
        if act == "release":
            kind, chosen = _to()
            service.release(actor, document_id, kind, chosen, reason=form.get("reason", ""), **period)
        elif act == "control":
            service.control(actor, document_id, reason=form.get("control_reason", ""), **period)
        else:
            service.consent(
                actor, document_id, form.get("to_act", ""), reference=form.get("reference", ""), **period
            )
    except _ERRORS as error:
        return _page(document_id, *refused(error))
    flash(acts[act], "good")
    return redirect(url_for("releases.show", document_id=document_id), 303)


def _to() -> tuple[ReleasedTo, str]:
    chosen = [(kind, request.form[kind.value]) for kind in _TO if request.form.get(kind.value)]
    if len(chosen) != 1:
        raise Invalid(
            "This names nobody, or several." if chosen else "This names nobody.",
            mend="Choose one person, one organisation or one programme.",
        )
    return chosen[0]


@signed_in(Role.OFFICER)
def end(document_id: str, section: str, row_id: str) -> ResponseReturnValue:
    """End a release, the originator's control or a consent now."""
    try:
        runtime().releases.end(current_actor(), section, row_id)
    except _ERRORS as error:
        return _page(document_id, *refused(error))
    flash("It has ended.", "good")
    return redirect(url_for("releases.show", document_id=document_id), 303)


def _page(document_id: str, problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    found = runtime().releases.of_document(actor, document_id)
    values = request.form
    return (
        render_template(
            "policy/releases.html",
            found=found,
            chip=label_chip(found.marking),
            releases=[
                {**_row(item, document_id, "releases"), "kind": item.to_kind.value, "to": item.to.name}
                | {"reason": item.reason, "consented": item.consented}
                for item in found.releases
            ],
            controls=[
                {**_row(item, document_id, "controls"), "reason": item.reason} for item in found.controls
            ],
            consents=[
                {**_row(item, document_id, "consents"), "reference": item.reference}
                | {"act": _ACTS.get(item.act, item.act.value)}
                for item in found.consents
            ],
            fields={kind.value: finders.field(FINDERS, kind.value, actor, values) for kind in _TO},
            none_words={kind.value: FINDERS[kind.value].none_words for kind in _TO},
            acts=[(act.value, words) for act, words in _ACTS.items()],
            values=values,
            today=runtime().clock().date().isoformat(),
            problem=problem,
        ),
        status,
    )


def _row(item: ReleaseView | ControlView | ConsentView, document_id: str, section: str) -> dict[str, Any]:
    ended = item.state is GrantState.ENDED
    return {
        "state": STATES[item.state],
        "start": moment_words(item.valid_from),
        "end": moment_words(item.valid_until) if item.valid_until else "",
        "entry": item.log_entry,
        "end_url": ""
        if ended
        else url_for("releases.end", document_id=document_id, section=section, row_id=item.id),
    }
