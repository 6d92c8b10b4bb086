"""Sending documents: the page with progress, the plain form, the label picker's marking, the receipt."""

from __future__ import annotations

import base64
import uuid

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from policies.requests import Role
from portal.clock import rfc3339
from portal.errors import Invalid, PortalError
from portal.http.bodies import open_form
from portal.http.content import runtime
from portal.http.csrf import token_of_page
from portal.http.identify import current_actor
from portal.http.problems import record_refusal
from portal.http.routing import signed_in
from portal.http.slots import in_slot
from portal.services.deposit import Declared, Repeated
from portal.services.receipts import VersionReceipt
from portal.web import label_choice, programmes
from portal.web.denied import explain_in
from portal.web.frame import mark_page
from portal.web.words import NOTICE_WORDS, chip, media_icon, media_words, moment_words, size_words

_LONGEST_KEY = 100


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("upload", __name__)
    explain_in(blueprint)
    add = blueprint.add_url_rule
    add("/send", "form", form, methods=["GET"])
    add("/send", "receive", receive, methods=["POST"])
    add("/send/label", "preview", preview, methods=["POST"])
    add("/send/marking", "marking", marking, methods=["POST"])
    add("/send/programme", "programme", programme, methods=["POST"])
    add("/send/arrived", "arrived", arrived, methods=["POST"])
    add("/send/token", "token", token, methods=["GET"])
    add("/documents/<document_id>/send", "version_form", version_form, methods=["GET"])
    add("/documents/<document_id>/send", "receive_version", receive_version, methods=["POST"])
    add("/documents/<document_id>/versions/<int:number>/receipt", "receipt", receipt, methods=["GET"])
    add(
        "/documents/<document_id>/versions/<int:number>/receipt.json",
        "receipt_json",
        receipt_json,
        methods=["GET"],
    )
    return blueprint


@signed_in(Role.PARTNER)
def form() -> ResponseReturnValue:
    """Show the upload page."""
    return _form(MultiDict(request.args.items()))


@signed_in(Role.PARTNER)
def preview() -> ResponseReturnValue:
    """Show the form as it was filled in, with the marking that the choices make: for browsers without script."""
    return _form(request.form)


def _form(values: MultiDict[str, str], problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    marking, problems = label_choice.chosen(values)
    limit = runtime().deposit.size_limit
    return (
        render_template(
            "upload/form.html",
            programmes=runtime().documents.programmes(actor),
            programme=values.get("programme", ""),
            programme_name=values.get("programme_name", ""),
            title=values.get("title", ""),
            key=values.get("key") or str(uuid.uuid4()),
            offer=label_choice.choices(runtime().picker.offer(actor), values),
            chosen=marking,
            problems=problems,
            problem=problem,
            size_limit=limit,
            limit_words=size_words(limit),
            room_words=_room_words(),
        ),
        status,
    )


def _room_words() -> str:
    """Return how much one may still send, in words; nothing where there is no quota."""
    left = runtime().deposit.receiving.quotas.left(current_actor())
    return "" if left is None else size_words(left)


@signed_in(Role.PARTNER)
def marking() -> ResponseReturnValue:
    """Answer the label picker: the marking of these choices."""
    found, problems = label_choice.chosen(request.form)
    if found is None:
        return jsonify({"marking": "", "lacv": 0, "problems": list(problems)})
    return jsonify({"marking": found.text, "lacv": found.lacv, "problems": []})


@signed_in(Role.PARTNER)
def token() -> ResponseReturnValue:
    """Hand out a fresh form token: a page that stood open while its session ended goes on after signing in anew."""
    return jsonify({"token": token_of_page()})


@signed_in(Role.PARTNER)
def arrived() -> ResponseReturnValue:
    """Tell whether a file of one's own arrived whole, by its key: the answer to it may have been lost on the way."""
    actor, key = current_actor(), request.form.get("key", "")
    try:
        if 0 < len(key) <= _LONGEST_KEY:
            runtime().deposit.check_new(actor, key)
    except Repeated as error:
        found = runtime().receipts.of(actor, error.receipt.document_id, error.receipt.version)
        version = found.version
        return jsonify({"id": found.document.id, "version": version.number, "log_entry": version.log_entry})
    return jsonify({})


@signed_in(Role.PARTNER)
def programme() -> ResponseReturnValue:
    """Answer the upload page: the programme of this name."""
    found = programmes.chosen(request.form, runtime().documents.programmes(current_actor()))
    return jsonify({"programme": found})


@signed_in(Role.PARTNER, own_csrf=True)
@in_slot
def receive() -> ResponseReturnValue:
    """Take one document from the plain form; sent twice, it is taken once."""
    parts, file = open_form()
    values = MultiDict((name, value) for name, found in parts.fields.items() for value in found)
    actor = current_actor()
    try:
        declared = Declared(
            programme_id=programmes.chosen(values, runtime().documents.programmes(actor)),
            title=values.get("title", ""),
            label=runtime().picker.marking(label_choice.label_of(values)),
            file_name=file.file_name,
            key=values.get("key", "")[:_LONGEST_KEY] or None,
        )
        with runtime().deposit.begin(actor, declared) as intake:
            for chunk in file:
                intake.write(chunk)
            parts.finish()
            stored = intake.complete()
    except Repeated as error:
        stored = error.receipt
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
        room_words=_room_words(),
    )


@signed_in(Role.PARTNER, own_csrf=True)
@in_slot
def receive_version(document_id: str) -> ResponseReturnValue:
    """Take a new version from the plain form; sent twice, it is taken once."""
    parts, file = open_form()
    number = parts.field("version")
    expected = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
    try:
        with runtime().deposit.begin_version(
            current_actor(), document_id, file.file_name, expected=expected
        ) as intake:
            for chunk in file:
                intake.write(chunk)
            parts.finish()
            stored = intake.complete()
    except Repeated as error:
        stored = error.receipt
    return redirect(url_for("upload.receipt", document_id=stored.document_id, number=stored.version), 303)


@signed_in(Role.PARTNER, Role.OFFICIAL)
def receipt(document_id: str, number: int) -> ResponseReturnValue:
    """Show the receipt of a version."""
    found = runtime().receipts.of(current_actor(), document_id, number)
    mark_page([found.document.label])
    return render_template(
        "upload/receipt.html",
        receipt=found,
        document=found.document,
        version=found.version,
        chip=chip(found.document.label),
        media=media_words(found.version.media_type),
        icon_of=media_icon(found.version.media_type),
        received=moment_words(found.version.created),
        notices=[NOTICE_WORDS.get(notice, notice) for notice in found.version.notices if notice != "held"],
        waits=_WAITS.get(found.version.standing, ""),
        proof=_proof_state(found),
        size_words=size_words,
    )


_WAITS = {
    "waiting": " It waits for the malware scan: nobody sees it until then, and you need not send it again.",
    "quarantined": " It is in quarantine: nobody sees it, and a security officer decides. Send it again without what "
    "was found, or without its password.",
    "refused": " A security officer decided that it stays in quarantine. Nobody sees it.",
}


def _proof_state(found: VersionReceipt) -> str:
    if found.proof is None:
        return "unproved"
    return "proved" if found.proved else "proof-fails"


@signed_in(Role.PARTNER, Role.OFFICIAL)
def receipt_json(document_id: str, number: int) -> ResponseReturnValue:
    """Hand out the receipt of a version as a file for programs, with the proof once a checkpoint covers it."""
    found = runtime().receipts.of(current_actor(), document_id, number)
    document, version, proof = found.document, found.version, found.proof
    answer = jsonify(
        {
            "document": document.id,
            "version": version.number,
            "title": document.title,
            "file_name": version.file_name,
            "marking": document.label.marking,
            "programme": document.programme.name,
            "originator": document.originator,
            "size": version.size,
            "digest": f"sha-256:{version.sha256}",
            "media_type": version.media_type,
            "notices": list(version.notices),
            "received": rfc3339(version.created),
            "log_entry": version.log_entry,
            "proof": {
                "leaf_hash": base64.b64encode(proof.leaf_hash).decode(),
                "hashes": [base64.b64encode(one).decode() for one in proof.hashes],
                "checkpoint": proof.signed.note.decode(),
            }
            if proof is not None
            else None,
        }
    )
    answer.headers["Content-Disposition"] = (
        f'attachment; filename="receipt-{document.id}-{version.number}.json"'
    )
    return answer
