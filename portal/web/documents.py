"""Finding, showing and reading documents in the browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Action, Role
from portal.errors import Invalid
from portal.http.content import archive_answer, can_be_viewed, content_answer, runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit
from portal.http.routing import signed_in
from portal.services.document_views import DocumentFilter, DocumentView
from portal.services.documents import SORTS
from portal.web.frame import mark_page
from portal.web.words import NOTICE_WORDS, chip, media_words, moment, moment_words, size_words

_READERS = (Role.PARTNER, Role.OFFICIAL)
_SORTED = {"label": "label", "programme": "programme", "size": "size", "due": "due", "received": "created"}
_VIEWERS = {"application/pdf": "pdf", "text/plain": "text", "text/csv": "text"}


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("documents", __name__, url_prefix="/documents")
    add = blueprint.add_url_rule
    add("", "index", index, methods=["GET"])
    add("/search", "search", search, methods=["POST"])
    add("/download", "archive", archive, methods=["POST"])
    add("/<document_id>", "show", show, methods=["GET"])
    add("/<document_id>/versions/<int:number>", "show_version", show, methods=["GET"])
    add("/<document_id>/versions/<int:number>/content", "content", content, methods=["GET"])
    add("/<document_id>/versions/<int:number>/view", "view", view, methods=["GET"])
    return blueprint


@signed_in(*_READERS)
def index() -> ResponseReturnValue:
    """List documents with filters, sorting and search."""
    actor, service = current_actor(), runtime().documents
    token = request.args.get("q", "")
    wanted = DocumentFilter(
        programme=request.args.get("programme") or None,
        label=request.args.get("label") or None,
        text=service.read_query(actor, token) if token else None,
        sort=request.args.get("sort") or "-created",
    )
    overview = service.overview(actor, wanted, request.args.get("cursor") or None, wanted_limit(request.args))
    page, programmes = overview.page, overview.programmes
    mark_page(item.label for item in page.items)
    kept = {
        name: request.args[name] for name in ("programme", "label", "q", "sort") if request.args.get(name)
    }
    return render_template(
        "documents/index.html",
        rows=[_row(item) for item in page.items],
        wanted=wanted,
        programmes=programmes,
        counts=overview.counts,
        total=sum(overview.counts.values()),
        labels=overview.labels,
        filters=_filters(wanted, kept, {item.id: item.name for item in programmes}),
        sorts={column: _sort(kept, wanted.sort, key) for column, key in _SORTED.items()},
        older_url=_url(kept, cursor=page.next) if page.next else "",
        newest_url=_url(kept) if request.args.get("cursor") else "",
        search_words=wanted.text or "",
        kept=kept,
    )


def _url(kept: dict[str, str], **changed: str | None) -> str:
    values: dict[str, Any] = {name: value for name, value in {**kept, **changed}.items() if value}
    return url_for("documents.index", **values)


def _sort(kept: dict[str, str], current: str, key: str) -> dict[str, str]:
    direction = {key: "ascending", f"-{key}": "descending"}.get(current, "")
    following = f"-{key}" if current == key and f"-{key}" in SORTS else key
    return {"url": _url(kept, sort=following), "direction": direction}


def _filters(wanted: DocumentFilter, kept: dict[str, str], names: dict[str, str]) -> list[dict[str, str]]:
    chosen = (
        ("q", "Title", wanted.text),
        ("programme", "Programme", names.get(wanted.programme or "")),
        ("label", "Label", wanted.label),
    )
    return [
        {"name": name, "value": value, "remove_url": _url(kept, **{key: None})}
        for key, name, value in chosen
        if value
    ]


def _row(item: DocumentView) -> dict[str, Any]:
    return {
        "id": item.id,
        "url": url_for("documents.show", document_id=item.id),
        "title": item.title,
        "marking": chip(item.label),
        "reference": item.current.file_name if item.current else "",
        "version": item.version,
        "originator": item.originator,
        "programme": item.programme.name,
        "size": size_words(item.size),
        "received": moment(item.created),
        "is_new": False,
    }


@signed_in(*_READERS)
def search() -> ResponseReturnValue:
    """Turn words into a sealed token, so that no address carries them."""
    words = request.form.get("q", "").strip()
    if not words:
        return redirect(url_for("documents.index"))
    return redirect(url_for("documents.index", q=runtime().documents.write_query(current_actor(), words)))


@signed_in(*_READERS)
def show(document_id: str, number: int | None = None) -> ResponseReturnValue:
    """Show a document's page with its viewer."""
    page = runtime().documents.show(current_actor(), document_id)
    document = page.document
    version = next((item for item in page.versions if item.number == (number or document.version)), None)
    if version is None:
        return redirect(url_for("documents.show", document_id=document_id))
    mark_page([document.label])
    kind = _viewer(version.media_type) if page.may_preview else "none"
    g.wasm = kind == "pdf"
    here: dict[str, Any] = {"document_id": document_id, "number": version.number}
    return render_template(
        "documents/show.html",
        page=page,
        document=document,
        version=version,
        chip=chip(document.label),
        kind=kind,
        media=media_words(version.media_type),
        notices=[NOTICE_WORDS.get(notice, notice) for notice in version.notices],
        content_url=url_for("documents.view", **here),
        download_url=url_for("documents.content", **here) if page.may_read else "",
        reasons=[{"outcome": "permits", "sentence": reason, "rules": ()} for reason in page.reasons],
        readers=runtime().readership.of(current_actor(), document_id) if page.may_add_version else (),
        size_words=size_words,
        moment_words=moment_words,
    )


def _viewer(media_type: str) -> str:
    if media_type.startswith("image/") and can_be_viewed(media_type):
        return "image"
    return _VIEWERS.get(media_type, "none")


@signed_in(*_READERS)
def content(document_id: str, number: int) -> Response:
    """Download a version."""
    return content_answer(runtime(), current_actor(), document_id, number, action=Action.DOCUMENT_READ)


@signed_in(*_READERS)
def view(document_id: str, number: int) -> Response:
    """Hand a version to the viewer in the page."""
    return content_answer(
        runtime(), current_actor(), document_id, number, action=Action.DOCUMENT_PREVIEW, inline=True
    )


@signed_in(*_READERS)
def archive() -> ResponseReturnValue:
    """Download a selection as one ZIP."""
    chosen = request.form.getlist("id")
    if not chosen:
        raise Invalid("No document was chosen.", mend="Tick at least one, then download.")
    return archive_answer(runtime(), current_actor(), chosen)
