"""Uploads in pieces over HTTP: tus 1.0 with creation, creation-with-upload, termination, checksum and expiration."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.http import http_date

from portal.api.shapes import receipt_shape
from portal.clock import rfc3339
from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.request import PortalRequest
from portal.http.routing import open_to_anyone, signed_in
from portal.http.slots import in_slot
from portal.services.deposit import Declared
from portal.services.upload_views import Announced, Checksum, UploadView

_VERSION = "1.0.0"
_EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
_ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
_CONTENT = "application/offset+octet-stream"
_LONGEST_NUMBER = 18
_LONGEST_METADATA = 16 << 10
_LONGEST_KEY = 100


class _OtherVersion(Invalid):
    """The client speaks another version of the protocol, or none."""

    status = 412


class _OtherKind(Invalid):
    """The body is not what a piece of an upload is."""

    status = 415


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    add = blueprint.add_url_rule
    add("/uploads", "upload_options", options, methods=["OPTIONS"], provide_automatic_options=False)
    add("/uploads", "uploads", under_way)
    add("/uploads", "create_upload", create, methods=["POST"])
    one = "/uploads/<upload_id>"
    add(one, "upload_options", options, methods=["OPTIONS"], provide_automatic_options=False)
    add(one, "upload_offset", offset, methods=["HEAD"])
    add(one, "upload", show)
    add(one, "upload_piece", piece, methods=["PATCH"])
    add(one, "end_upload", give_up, methods=["DELETE"])
    add(one, "override_upload", overridden, methods=["POST"])
    blueprint.after_request(_marked)


def _marked(response: Response) -> Response:
    if request.path.startswith("/api/v1/uploads"):
        response.headers["Tus-Resumable"] = _VERSION
        if response.status_code == _OtherVersion.status:
            response.headers["Tus-Version"] = _VERSION
    return response


@open_to_anyone
def options(upload_id: str = "") -> ResponseReturnValue:
    """Say which part of the protocol is spoken."""
    del upload_id
    headers = {
        "Tus-Version": _VERSION,
        "Tus-Extension": _EXTENSIONS,
        "Tus-Max-Size": str(runtime().settings.size_limit),
        "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
    }
    return "", 204, headers


@signed_in()
def under_way() -> Response:
    """List one's own uploads that are not over yet."""
    return jsonify(
        {"items": [_shape(item) for item in runtime().resumable.of(current_actor())], "next": None}
    )


@signed_in()
@in_slot
def create() -> ResponseReturnValue:
    """Begin an upload; a body of the right kind is its first piece."""
    _check_version()
    if "Upload-Defer-Length" in request.headers:
        raise Invalid("The length must be known before an upload.", mend="Send Upload-Length.")
    length = _number("Upload-Length")
    announced = _announced(_metadata(), length)
    service, actor = runtime().resumable, current_actor()
    upload = service.begin(actor, announced)
    location = url_for("api.upload", upload_id=upload.id)
    headers = {"Location": location}
    if request.mimetype == _CONTENT and upload.state == "receiving":
        upload = service.receive(
            actor, upload.id, 0, _body(), announced=request.content_length, checksum=_checksum()
        )
        headers["Upload-Offset"] = str(upload.stored)
    return "", 201, {**headers, **_outcome(upload)}


@signed_in()
def offset(upload_id: str) -> ResponseReturnValue:
    """Say how much of an upload is in store."""
    _check_version()
    upload = runtime().resumable.show(current_actor(), upload_id)
    metadata = {"filename": upload.file_name, "title": upload.title, "label": upload.marking}
    headers = {
        "Upload-Offset": str(upload.stored),
        "Upload-Length": str(upload.length),
        "Upload-Metadata": ",".join(
            f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items()
        ),
        "Cache-Control": "no-store",
    }
    return "", 200, {**headers, **_outcome(upload)}


@signed_in()
def show(upload_id: str) -> Response:
    """Tell how an upload stands: receiving, checking, filed (with its receipt) or refused (with the reason)."""
    answer = jsonify(_shape(runtime().resumable.show(current_actor(), upload_id)))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@signed_in()
@in_slot
def piece(upload_id: str) -> ResponseReturnValue:
    """Take the next bytes of an upload."""
    _check_version()
    if request.mimetype != _CONTENT:
        raise _OtherKind("The body is no piece of an upload.", mend=f"Send it as {_CONTENT}.")
    upload = runtime().resumable.receive(
        current_actor(),
        upload_id,
        _number("Upload-Offset"),
        _body(),
        announced=request.content_length,
        checksum=_checksum(),
    )
    return "", 204, {"Upload-Offset": str(upload.stored), **_outcome(upload)}


@signed_in()
def give_up(upload_id: str) -> ResponseReturnValue:
    """End an upload and remove what is stored of it."""
    _check_version()
    runtime().resumable.terminate(current_actor(), upload_id)
    return "", 204


@signed_in()
def overridden(upload_id: str) -> ResponseReturnValue:
    """Do what X-HTTP-Method-Override says, for clients that cannot send PATCH or DELETE."""
    wanted = {"PATCH": piece, "DELETE": give_up, "HEAD": offset}.get(
        request.headers.get("X-HTTP-Method-Override", "").upper()
    )
    if wanted is None:
        raise Invalid("An upload is gone on with by PATCH.", mend="Send PATCH, or X-HTTP-Method-Override.")
    answer: ResponseReturnValue = wanted(upload_id)
    return answer


def _check_version() -> None:
    if request.headers.get("Tus-Resumable") != _VERSION:
        raise _OtherVersion("This address speaks tus 1.0.0.", mend="Send the header Tus-Resumable: 1.0.0.")


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise Invalid(f"{header} is missing or no number.", mend=f"Send {header} as a number of bytes.")
    return int(text)


def _metadata() -> Mapping[str, str]:
    header = request.headers.get("Upload-Metadata", "")
    found: dict[str, str] = {}
    try:
        if len(header) > _LONGEST_METADATA:
            raise ValueError
        for pair in header.split(","):
            name, _, value = pair.strip().partition(" ")
            if name in found:
                raise ValueError
            if name:
                found[name] = base64.b64decode(value, validate=True).decode()
    except (ValueError, binascii.Error):
        raise Invalid(
            "Upload-Metadata cannot be read.", mend="Write it as `name BASE64,name BASE64`, UTF-8 within."
        ) from None
    return found


def _announced(facts: Mapping[str, str], length: int) -> Announced:
    name = facts.get("filename") or facts.get("name", "")
    key = facts.get("key")
    if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
        raise Invalid(f"`key` has 1 to {_LONGEST_KEY} characters.", mend="Use a fresh UUID for each file.")
    if facts.get("document"):
        declared = Declared("", "", "", name, sha256=_sha256(facts))
        return Announced(declared, length, facts["document"], _version(facts))
    for wanted, value in (("programme", ""), ("label", ""), ("filename", name), ("title", "")):
        if not (value or facts.get(wanted, "")).strip():
            raise Invalid(f"`{wanted}` is missing.", mend=f"Send `{wanted}` in Upload-Metadata.")
    declared = Declared(
        facts["programme"], facts["title"], facts["label"], name, sha256=_sha256(facts), key=key
    )
    return Announced(declared, length)


def _version(facts: Mapping[str, str]) -> int | None:
    number = facts.get("version")
    if number is None:
        return None
    if not (number.isascii() and number.isdigit() and 0 < len(number) < 10):
        raise Invalid("`version` is no number.", mend="Send the number that it gets, or leave it out.")
    return int(number)


def _sha256(facts: Mapping[str, str]) -> bytes | None:
    text = facts.get("sha256")
    if text is None:
        return None
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise Invalid("`sha256` is no SHA-256.", mend="Send 64 hexadecimal digits, or leave it out.")
    return digest


def _checksum() -> Checksum | None:
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    name, _, value = header.partition(" ")
    try:
        if name in _ALGORITHMS:
            return Checksum(name, base64.b64decode(value.strip(), validate=True))
    except binascii.Error:
        pass
    raise Invalid(
        "Upload-Checksum cannot be read.",
        mend=f"Write it as `ALGORITHM BASE64`, one of {', '.join(_ALGORITHMS)}.",
    )


def _body() -> Any:
    return cast(PortalRequest, request).body(runtime().deposit.size_limit)


def _outcome(upload: UploadView) -> dict[str, str]:
    headers = {"Strongroom-Upload-State": upload.state}
    if upload.state == "receiving":
        headers["Upload-Expires"] = http_date(upload.expires)
    if upload.receipt is not None:
        headers["Strongroom-Document"] = upload.receipt.document_id
        headers["Strongroom-Version"] = str(upload.receipt.version)
    return headers


def _shape(upload: UploadView) -> dict[str, Any]:
    return {
        "id": upload.id,
        "url": url_for("api.upload", upload_id=upload.id),
        "state": upload.state,
        "length": upload.length,
        "stored": upload.stored,
        "title": upload.title,
        "file_name": upload.file_name,
        "programme": upload.programme_id,
        "marking": upload.marking,
        "document": upload.document_id,
        "key": upload.key,
        "started": rfc3339(upload.started),
        "expires": rfc3339(upload.expires),
        "receipt": receipt_shape(upload.receipt) if upload.receipt else None,
        "refusal": {"detail": upload.refusal[0], "mend": upload.refusal[1]} if upload.refusal else None,
    }
