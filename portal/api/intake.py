"""Documents coming in over the API: multipart forms and raw bodies, both streamed into encryption."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import cast
from urllib.parse import unquote

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.http import parse_options_header

from portal.api.shapes import receipt_shape
from portal.errors import Invalid
from portal.http.bodies import open_form
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.multipart import MultipartReader
from portal.http.problems import portal_error, record_refusal
from portal.http.request import PortalRequest
from portal.http.routing import signed_in
from portal.http.slots import in_slot
from portal.services.deposit import Declared, DepositReceipt, Repeated
from portal.services.intake import Intake

_FORM = "multipart/form-data"
_LONGEST_KEY = 100
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.register_error_handler(Repeated, _repeated)
    add = blueprint.add_url_rule
    add("/documents", "deposit", deposit, methods=["POST"])
    add("/documents/<document_id>/versions", "deposit_version", deposit_version, methods=["POST"])
    add("/documents/<document_id>/content", "put_content", put_content, methods=["PUT"])


@signed_in(own_csrf=True)
@in_slot
def deposit() -> Response:
    """Take a new document, as a form or as a raw body with its facts in query and headers."""
    service, actor = runtime().deposit, current_actor()
    if request.mimetype == _FORM:
        form, file = open_form()
        declared = Declared(
            programme_id=_needed({"programme": form.field("programme")}, "programme"),
            title=_needed({"title": form.field("title")}, "title"),
            label=_needed({"label": form.field("label")}, "label"),
            file_name=file.file_name,
            sha256=repr_digest(),
            key=_key(),
        )
        return _receive(service.begin(actor, declared), file, form)
    declared = Declared(
        programme_id=_needed(request.args, "programme"),
        title=_title(),
        label=_needed(request.args, "label"),
        file_name=_file_name(),
        length=request.content_length,
        sha256=repr_digest(),
        key=_key(),
    )
    return _receive(service.begin(actor, declared), _body())


@signed_in(own_csrf=True)
@in_slot
def deposit_version(document_id: str) -> Response:
    """Take a new version of a document, as a form or as a raw body."""
    if request.mimetype != _FORM:
        return _put(document_id)
    form, file = open_form()
    intake = runtime().deposit.begin_version(
        current_actor(), document_id, file.file_name, None, repr_digest()
    )
    return _receive(intake, file, form)


@signed_in()
@in_slot
def put_content(document_id: str) -> Response:
    """Take a new version of a document from a raw body; without a Content-Disposition it keeps its file name."""
    return _put(document_id)


def _put(document_id: str) -> Response:
    intake = runtime().deposit.begin_version(
        current_actor(),
        document_id,
        _file_name() if "Content-Disposition" in request.headers else None,
        request.content_length,
        repr_digest(),
        expected=_expected(),
    )
    return _receive(intake, _body())


def _receive(intake: Intake, chunks: Iterable[bytes], form: MultipartReader | None = None) -> Response:
    with intake:
        for chunk in chunks:
            intake.write(chunk)
        if form is not None:
            form.finish()
        receipt = intake.complete()
    return _answer(receipt, 201)


def _answer(receipt: DepositReceipt, status: int) -> Response:
    answer = jsonify(receipt_shape(receipt))
    answer.status_code = status
    answer.headers["Location"] = f"/api/v1/documents/{receipt.document_id}"
    answer.headers["Strongroom-Log-Entry"] = str(receipt.log_entry)
    return answer


def _repeated(error: Repeated) -> ResponseReturnValue:
    """Answer what was received already with its receipt; that it came again is recorded."""
    told = record_refusal(error)
    return _answer(error.receipt, 200) if told is error else portal_error(told)


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
        raise Invalid(
            f"The Idempotency-Key has 1 to {_LONGEST_KEY} characters.", mend="Use a fresh UUID for each file."
        )
    return key


def _expected() -> int | None:
    number = request.args.get("version")
    if number is None:
        return None
    if not (number.isascii() and number.isdigit() and 0 < len(number) < 10):
        raise Invalid(
            "`version` is not a number.", mend="Send the number that the version gets, or leave it out."
        )
    return int(number)


def _body() -> Iterable[bytes]:
    return cast(PortalRequest, request).body(runtime().deposit.size_limit)


def _needed(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    if not value.strip():
        raise Invalid(f"`{name}` is missing.", mend=f"Send `{name}`; in a form, before the file.")
    return value


def _title() -> str:
    value = request.headers.get("Strongroom-Title") or request.headers.get("Title", "")
    if not value.strip():
        raise Invalid(
            "The title is missing.", mend="Send it in the header Strongroom-Title, percent-encoded as UTF-8."
        )
    return _percent(value)


def _file_name() -> str:
    _, options = parse_options_header(request.headers.get("Content-Disposition", ""))
    name = options.get("filename", "")
    if not name:
        raise Invalid(
            "The file name is missing.",
            mend="Send it as `Content-Disposition: attachment; filename*=UTF-8''name.pdf`.",
        )
    if "\ufffd" in name:
        raise Invalid("The file name is not UTF-8.", mend="Percent-encode its UTF-8 bytes in `filename*`.")
    return name


def _percent(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("The title is not UTF-8.", mend="Percent-encode its UTF-8 bytes.") from None


def repr_digest() -> bytes | None:
    """Return the SHA-256 that the client sent as Repr-Digest (RFC 9530), or None; raises Invalid."""
    header = request.headers.get("Repr-Digest")
    if header is None:
        return None
    for member in header.split(","):
        found = _DIGEST.fullmatch(member.strip())
        if found is not None:
            try:
                return base64.b64decode(found[1], validate=True)
            except binascii.Error:
                break
    raise Invalid(
        "The Repr-Digest header cannot be read.", mend="Write it as `sha-256=:BASE64:`, or leave it out."
    )
