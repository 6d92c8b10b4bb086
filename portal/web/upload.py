"""Sending documents: the page with progress, the plain form, the label picker's marking, the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from policies import Label
from policies.offers import LabelOffer
from policies.requests import Role
from portal.errors import Invalid, PortalError
from portal.http.bodies import open_form
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.problems import record_refusal
from portal.http.routing import signed_in
from portal.http.slots import in_slot
from portal.services.deposit import Declared
from portal.web.frame import mark_page
from portal.web.words import NOTICE_WORDS, chip, media_words, moment_words, size_words

_FIELD = "tag:"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The marking of the choices made so far."""

    text: str
    lacv: int


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("upload", __name__)
    add = blueprint.add_url_rule
    add("/send", "form", form, methods=["GET"])
    add("/send", "receive", receive, methods=["POST"])
    add("/send/marking", "marking", marking, methods=["POST"])
    add("/documents/<document_id>/send", "version_form", version_form, methods=["GET"])
    add("/documents/<document_id>/send", "receive_version", receive_version, methods=["POST"])
    add("/documents/<document_id>/versions/<int:number>/receipt", "receipt", receipt, methods=["GET"])
    return blueprint


@signed_in(Role.PARTNER)
def form() -> ResponseReturnValue:
    """Show the upload page; the choices of the label picker may be in the address, so that it works without script."""
    return _form(request.args)


def _form(values: MultiDict[str, str], problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    offer = runtime().picker.offer(actor)
    chosen, problems = _chosen(values)
    limit = runtime().deposit.size_limit
    return (
        render_template(
            "upload/form.html",
            programmes=runtime().documents.programmes(actor),
            programme=values.get("programme", ""),
            title=values.get("title", ""),
            offer=_picker(offer, values),
            chosen=chosen,
            problems=problems,
            problem=problem,
            size_limit=limit,
            limit_words=size_words(limit),
        ),
        status,
    )


def _picker(offer: LabelOffer, values: MultiDict[str, str]) -> dict[str, Any]:
    groups = [("Which context does it belong to?", "Context", [value for _, value in offer.contexts])]
    groups += [(_legend(tag.name), tag.tag_set, list(tag.values)) for tag in offer.tags]
    return {
        "hint": "Choices are those that your clearance and this system both allow.",
        "classifications": [
            {
                "value": item.name,
                "words": item.words,
                "hint": "",
                "lacv": item.lacv,
                "checked": values.get("classification") == item.name,
            }
            for item in offer.classifications
        ],
        "groups": [
            {
                "name": f"{_FIELD}{tag_set}",
                "legend": legend,
                "hint": "",
                "values": [
                    {
                        "value": value.name,
                        "words": value.words,
                        "checked": value.name in values.getlist(f"{_FIELD}{tag_set}"),
                    }
                    for value in offered
                ],
            }
            for legend, tag_set, offered in groups
            if len(offered) > 1 or tag_set != "Context"
        ],
    }


def _legend(name: str) -> str:
    return "Who outside may it go to?" if name == "Releasable To" else name


def _label(values: MultiDict[str, str]) -> Label:
    categories = {
        name.removeprefix(_FIELD): values.getlist(name) for name in values if name.startswith(_FIELD)
    }
    classification = values.get("classification", "")
    if not classification:
        raise Invalid("No classification was chosen.", mend="Choose how sensitive the content is.")
    return runtime().picker.compose(classification, categories)


def _chosen(values: MultiDict[str, str]) -> tuple[_Chosen | None, Sequence[str]]:
    if not values.get("classification"):
        return None, ()
    try:
        label = _label(values)
    except Invalid as error:
        return None, (f"{error.message} {error.mend}",)
    known = runtime().access.policy.classification(label.classification)
    return _Chosen(runtime().picker.marking(label), known.lacv if known else 0), ()


@signed_in(Role.PARTNER)
def marking() -> ResponseReturnValue:
    """Answer the label picker: the marking of these choices."""
    chosen, problems = _chosen(request.form)
    if chosen is None:
        return jsonify({"marking": "", "lacv": 0, "problems": list(problems)})
    return jsonify({"marking": chosen.text, "lacv": chosen.lacv, "problems": []})


@signed_in(Role.PARTNER, own_csrf=True)
@in_slot
def receive() -> ResponseReturnValue:
    """Take one document from the plain form."""
    parts, file = open_form()
    values = MultiDict((name, value) for name, found in parts.fields.items() for value in found)
    try:
        declared = Declared(
            programme_id=values.get("programme", ""),
            title=values.get("title", ""),
            label=runtime().picker.marking(_label(values)),
            file_name=file.file_name,
        )
        with runtime().deposit.begin(current_actor(), declared) as intake:
            for chunk in file:
                intake.write(chunk)
            parts.finish()
            stored = intake.complete()
    except Invalid as error:
        return _refused(values, error)
    return redirect(url_for("upload.receipt", document_id=stored.document_id, number=stored.version), 303)


def _refused(values: MultiDict[str, str], error: PortalError) -> ResponseReturnValue:
    """Show the form again with what was wrong; the refusal is recorded as any other."""
    return _form(values, f"{error.message} {error.mend}", record_refusal(error).status)


@signed_in(Role.PARTNER)
def version_form(document_id: str) -> ResponseReturnValue:
    """Show the form for a new version of a document."""
    page = runtime().documents.show(current_actor(), document_id)
    mark_page([page.document.label])
    if not page.may_add_version:
        return redirect(url_for("documents.show", document_id=document_id))
    limit = runtime().deposit.size_limit
    return render_template(
        "upload/version.html",
        document=page.document,
        chip=chip(page.document.label),
        size_limit=limit,
        limit_words=size_words(limit),
    )


@signed_in(Role.PARTNER, own_csrf=True)
@in_slot
def receive_version(document_id: str) -> ResponseReturnValue:
    """Take a new version from the plain form."""
    parts, file = open_form()
    with runtime().deposit.begin_version(current_actor(), document_id, file.file_name) as intake:
        for chunk in file:
            intake.write(chunk)
        parts.finish()
        stored = intake.complete()
    return redirect(url_for("upload.receipt", document_id=stored.document_id, number=stored.version), 303)


@signed_in(Role.PARTNER, Role.OFFICIAL)
def receipt(document_id: str, number: int) -> ResponseReturnValue:
    """Show the receipt of a version."""
    page = runtime().documents.show(current_actor(), document_id)
    version = next((item for item in page.versions if item.number == number), None)
    if version is None:
        return redirect(url_for("documents.show", document_id=document_id))
    mark_page([page.document.label])
    return render_template(
        "upload/receipt.html",
        document=page.document,
        version=version,
        chip=chip(page.document.label),
        media=media_words(version.media_type),
        received=moment_words(version.created),
        notices=[NOTICE_WORDS.get(notice, notice) for notice in version.notices],
        size_words=size_words,
    )
