"""Documents over the API: lists, search, one document, content, ZIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from policies.requests import Action
from portal.api.shapes import document_shape, version_shape
from portal.errors import Invalid
from portal.http.bindings import binding_answer, certificate_answer
from portal.http.content import archive_answer, content_answer, runtime
from portal.http.identify import current_actor
from portal.http.queries import json_body, wanted_flag, wanted_limit, wanted_text
from portal.http.routing import open_to_anyone, signed_in
from portal.services.document_views import DocumentFilter


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    add = blueprint.add_url_rule
    add("/documents", "documents", documents, methods=["GET"])
    add("/documents/search", "search", search, methods=["POST"])
    add("/documents/<document_id>", "document", document, methods=["GET"])
    add("/documents/<document_id>/content", "content", content, methods=["GET"])
    add("/documents/<document_id>/versions/<int:number>/content", "version_content", content, methods=["GET"])
    add("/documents/<document_id>/binding", "binding", binding, methods=["GET"])
    add("/documents/<document_id>/versions/<int:number>/binding", "version_binding", binding, methods=["GET"])
    add("/binding-certificate", "binding_certificate", binding_certificate, methods=["GET"])
    add("/documents.zip", "archive", archive, methods=["GET"])
    add("/programmes", "programmes", programmes, methods=["GET"])


@signed_in()
def documents() -> Response:
    """List documents."""
    if "q" in request.args:
        raise Invalid("A search does not go into an address.", mend="POST the words to /documents/search.")
    return _page(request.args, None)


@signed_in()
def search() -> Response:
    """Search titles; the words are in the body, so that no log of addresses has them."""
    body = json_body()
    text = wanted_text(body, "q")
    if text is None:
        raise Invalid("`q` is missing.", mend="Send the words to look for.")
    return _page(body, text)


def _page(values: Mapping[str, Any], text: str | None) -> Response:
    wanted = DocumentFilter(
        programme=wanted_text(values, "programme"),
        label=wanted_text(values, "label"),
        text=text,
        sort=wanted_text(values, "sort") or "-created",
    )
    page = runtime().documents.find(
        current_actor(), wanted, wanted_text(values, "cursor"), wanted_limit(values)
    )
    return jsonify({"items": [document_shape(item) for item in page.items], "next": page.next})


@signed_in()
def document(document_id: str) -> Response:
    """Show one document."""
    page = runtime().documents.show(current_actor(), document_id)
    return jsonify(
        {**document_shape(page.document), "versions": [version_shape(version) for version in page.versions]}
    )


@signed_in()
def content(document_id: str, number: int | None = None) -> Response:
    """Hand out a version's bytes, or a range of them."""
    return content_answer(runtime(), current_actor(), document_id, number, action=Action.DOCUMENT_READ)


@signed_in()
def binding(document_id: str, number: int | None = None) -> Response:
    """Hand out a version's label in a signed file."""
    return binding_answer(runtime(), current_actor(), document_id, number)


@open_to_anyone
def binding_certificate() -> Response:
    """Hand out the certificate against which bindings are checked."""
    return certificate_answer(runtime())


@signed_in()
def archive() -> Response:
    """Stream a ZIP of several documents, all of them or, with `leave_out`, those that may be read."""
    leave_out = wanted_flag(request.args, "leave_out")
    return archive_answer(runtime(), current_actor(), request.args.getlist("id"), leave_out=leave_out)


@signed_in()
def programmes() -> Response:
    """List the programmes that are open to the caller."""
    found = runtime().documents.programmes(current_actor())
    return jsonify({"items": [{"id": item.id, "name": item.name} for item in found], "next": None})
