"""The officer's pages on what must go: a document is contained at once, or destroyed by two; reports, certificates."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.clock import rfc3339
from portal.errors import Invalid, NotFound
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.destruction import DestructionView
from portal.services.spills import SpillView
from portal.web.forms import FORM_ERRORS, refused
from portal.web.two_people import two_people
from portal.web.words import moment_words, size_words

_OUTCOMES = {
    "": ("clock", "Open", ""),
    "erasing": ("clock", "Keys erased; blobs are going", "warn"),
    "done": ("circle-check", "Destroyed", "good"),
    "withdrawn": ("arrow-back-up", "Withdrawn", "muted"),
    "expired": ("clock", "Expired", "muted"),
}
_SPILL_OUTCOMES = {
    "": ("alert-triangle", "Contained", "warn"),
    "freed": ("arrow-back-up", "Set free", "muted"),
    "destroyed": ("circle-check", "Destroyed", "good"),
}
_SEEN = {
    "document.show": "Saw its page",
    "document.read": "Downloaded it",
    "document.preview": "Viewed it",
    "document.archive": "Downloaded it in a ZIP",
}
_ENDS = {
    "complete": "to the end",
    "aborted": "broke off",
    "failed": "failed",
    "unknown": "end unknown: perhaps all",
}


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("custody", __name__, url_prefix="/custody")
    add = blueprint.add_url_rule
    add("", "index", index, methods=["GET"])
    add("", "begin", begin, methods=["POST"])
    add("/destructions/<request_id>", "destruction", destruction, methods=["GET"])
    add("/destructions/<request_id>", "decide", decide, methods=["POST"])
    add("/destructions/<request_id>/carry-out", "carry_out_form", carry_out_form, methods=["GET"])
    add("/destructions/<request_id>/carry-out", "carry_out", carry_out, methods=["POST"])
    add("/destructions/<request_id>/certificate", "certificate", certificate, methods=["GET"])
    add("/destructions/<request_id>/certificate.json", "certificate_file", certificate_file, methods=["GET"])
    add("/containments/<spill_id>", "spill", spill, methods=["GET"])
    add("/containments/<spill_id>", "free", free, methods=["POST"])
    add("/containments/<spill_id>/report.json", "report_file", report_file, methods=["GET"])
    return blueprint


@signed_in(Role.OFFICER)
def index() -> ResponseReturnValue:
    """List what is contained and what is to be destroyed."""
    return _index()


def _index(problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    return (
        render_template(
            "custody/index.html",
            spills=[_spill_row(item) for item in runtime().spills.spills(actor)],
            requests=[_request_row(item) for item in runtime().destruction.requests(actor)],
            problem=problem,
            document=request.values.get("document", ""),
            reason=request.form.get("reason", ""),
        ),
        status,
    )


def _request_row(item: DestructionView) -> dict[str, Any]:
    return {
        "url": url_for("custody.destruction", request_id=item.id),
        "words": item.title or f"Document {item.document[:8]}",
        "by": item.requested_by.name or "Somebody",
        "when": moment_words(item.created),
        "state": _OUTCOMES[item.outcome],
    }


def _spill_row(item: SpillView) -> dict[str, Any]:
    return {
        "url": url_for("custody.spill", spill_id=item.id),
        "words": f"Document {item.document[:8]}",
        "by": item.contained_by.name or "Somebody",
        "when": moment_words(item.created),
        "state": _SPILL_OUTCOMES[item.outcome],
    }


@signed_in(Role.OFFICER)
def begin() -> ResponseReturnValue:
    """Contain a document, or request its destruction."""
    actor, act = current_actor(), request.form.get("act", "")
    document, reason = request.form.get("document", "").strip(), request.form.get("reason", "")
    try:
        if act == "contain":
            spill_id = runtime().spills.contain(actor, document, reason)
            flash("It is contained: nobody opens or finds it any more.", "good")
            return redirect(url_for("custody.spill", spill_id=spill_id), 303)
        if act == "destroy":
            request_id = runtime().destruction.propose(actor, document, reason)
            flash("You requested it. Another security officer approves it.", "good")
            return redirect(url_for("custody.destruction", request_id=request_id), 303)
        raise Invalid("There is no such act.", mend="Use the buttons of the page.")
    except FORM_ERRORS as error:
        return _index(*refused(error))
    except NotFound as error:
        return _index(error.message, error.status)


# Destruction


@signed_in(Role.OFFICER)
def destruction(request_id: str) -> ResponseReturnValue:
    """Show a request: what would go, who has agreed."""
    return _destruction(request_id)


def _destruction(request_id: str, problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    item = runtime().destruction.request(actor, request_id)
    return (
        render_template(
            "custody/destruction.html",
            item=item,
            state=_OUTCOMES[item.outcome],
            **two_people(
                actor.person_id,
                item.requested_by,
                f"Requested it on {moment_words(item.created)}",
                item.approvals,
            ),
            problem=problem,
            moment_words=moment_words,
        ),
        status,
    )


@signed_in(Role.OFFICER)
def decide(request_id: str) -> ResponseReturnValue:
    """Approve or withdraw a request."""
    actor, act = current_actor(), request.form.get("act", "")

    def do() -> None:
        if act == "approve":
            runtime().destruction.approve(actor, request_id, request.form.get("digest", ""))
            flash("You approved it. It can be carried out within seven days.", "good")
        elif act == "withdraw":
            runtime().destruction.withdraw(actor, request_id)
            flash("The request is withdrawn.", "good")
        else:
            raise Invalid("There is no such act.", mend="Use the buttons of the page.")

    return _done(request_id, do)


def _done(request_id: str, do: Callable[[], None]) -> ResponseReturnValue:
    try:
        do()
    except FORM_ERRORS as error:
        return _destruction(request_id, *refused(error))
    return redirect(url_for("custody.destruction", request_id=request_id), 303)


@signed_in(Role.OFFICER)
def carry_out_form(request_id: str) -> ResponseReturnValue:
    """Ask once more before what cannot be taken back."""
    item = runtime().destruction.request(current_actor(), request_id)
    return render_template("custody/carry_out.html", item=item)


@signed_in(Role.OFFICER)
def carry_out(request_id: str) -> ResponseReturnValue:
    """Destroy what was approved."""
    actor = current_actor()

    def do() -> None:
        runtime().destruction.destroy(actor, request_id)
        flash("It is destroyed.", "good")

    return _done(request_id, do)


@signed_in(Role.OFFICER)
def certificate(request_id: str) -> ResponseReturnValue:
    """Show the certificates, to be printed."""
    found = runtime().destruction.certificates(current_actor(), request_id)
    return render_template(
        "custody/certificate.html",
        found=found,
        keys=runtime().destruction.erasure.verifier_keys(),
        request_id=request_id,
        moment_words=moment_words,
    )


@signed_in(Role.OFFICER)
def certificate_file(request_id: str) -> ResponseReturnValue:
    """Send the certificates as a file that `strongroom destruction verify` reads."""
    found = runtime().destruction.certificates(current_actor(), request_id)
    keys = list(runtime().destruction.erasure.verifier_keys())
    content = {"certificates": [item.note for item in found], "keys": keys}
    return _file(content, f"certificate-{request_id[:8]}.json")


# Containment


@signed_in(Role.OFFICER)
def spill(spill_id: str) -> ResponseReturnValue:
    """Show a containment and who saw the document."""
    return _spill(spill_id)


def _spill(spill_id: str, problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    found = runtime().spills.report(actor, spill_id)
    sightings = [
        {
            "who": item.person.name or item.person.id,
            "organisation": item.organisation,
            "what": _SEEN.get(item.action, item.action),
            "how": ""
            if item.action == "document.show"
            else f"{_ENDS[item.outcome]}, {size_words(item.size)}",
            "when": moment_words(item.time),
            "entry": item.log_entry,
        }
        for item in found.sightings
    ]
    return (
        render_template(
            "custody/spill.html",
            item=found.spill,
            report=found,
            sightings=sightings,
            state=_SPILL_OUTCOMES[found.spill.outcome],
            own=found.spill.contained_by.id == actor.person_id,
            since=moment_words(found.spill.created),
            problem=problem,
        ),
        status,
    )


@signed_in(Role.OFFICER)
def free(spill_id: str) -> ResponseReturnValue:
    """Set a document free that was contained for nothing."""
    try:
        runtime().spills.free(current_actor(), spill_id)
    except FORM_ERRORS as error:
        return _spill(spill_id, *refused(error))
    flash("It is open again to those who may read it.", "good")
    return redirect(url_for("custody.spill", spill_id=spill_id), 303)


@signed_in(Role.OFFICER)
def report_file(spill_id: str) -> ResponseReturnValue:
    """Send the report as a file."""
    found = runtime().spills.report(current_actor(), spill_id)
    return _file(asdict(found), f"report-{spill_id[:8]}.json")


def _file(content: object, name: str) -> Response:
    text = json.dumps(content, default=rfc3339, ensure_ascii=False, indent=1)
    answer = Response(text + "\n", content_type="application/json; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
