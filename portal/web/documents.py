"""Finding, showing and reading documents in the browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from policies.requests import Action, Role
from portal.errors import Invalid
from portal.http.bindings import binding_answer
from portal.http.content import archive_answer, can_be_viewed, content_answer, runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.archive import DeniedMembers, HiddenMembers
from portal.web import listing, programmes
from portal.web.denied import explain_in
from portal.web.forms import refused
from portal.web.frame import count_beside, mark_page
from portal.web.words import NOTICE_WORDS, chip, media_icon, media_words, moment_words, size_words, when_words

_READERS = (Role.PARTNER, Role.OFFICIAL)
_VIEWERS = {"application/pdf": "pdf", "text/plain": "text", "text/csv": "text"}


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("documents", __name__, url_prefix="/documents")
    explain_in(blueprint)
    add = blueprint.add_url_rule
    add("", "index", index, methods=["GET"])
    add("/search", "search", search, methods=["POST"])
    add("/filter", "narrow", narrow, methods=["POST"])
    add("/programmes", "programmes", programmes.find, methods=["POST"])
    add("/download", "archive", archive, methods=["POST"])
    add("/<document_id>", "show", show, methods=["GET"])
    add("/<document_id>/versions/<int:number>", "show_version", show, methods=["GET"])
    add("/<document_id>/versions/<int:number>/content", "content", content, methods=["GET"])
    add("/<document_id>/versions/<int:number>/binding", "binding", binding, methods=["GET"])
    add("/<document_id>/versions/<int:number>/view", "view", view, methods=["GET"])
    blueprint.record(_count)
    return blueprint


def _count(state: BlueprintSetupState) -> None:
    assert isinstance(state.app, Flask)
    count_beside(state.app, "documents.index", _new)


def _new(actor: Actor) -> str:
    """Say beside Documents how much is new; the list itself has counted it already."""
    number = g.get("fresh")
    if number is None:
        last_visit = runtime().account.last_visit(actor)
        number = 0 if last_visit is None else runtime().documents.number_fresh(actor, last_visit)
    return f"{listing.many(number)} new" if number else ""


@signed_in(*_READERS)
def index() -> ResponseReturnValue:
    """List documents with filters, sorting and search."""
    actor, service = current_actor(), runtime().documents
    token = request.args.get("q", "")
    wanted = listing.asked(
        request.args,
        service.read_query(actor, token) if token else None,
        runtime().account.last_visit(actor),
    )
    found = service.overview(
        actor,
        wanted.wanted,
        request.args.get("cursor") or None,
        wanted_limit(request.args, listing.PAGE),
        last_visit=wanted.last_visit,
    )
    mark_page(item.label for item in found.page.items)
    # The navigation says both too, and need not ask anew.
    g.fresh = sum(found.fresh.values())
    g.to_read = runtime().circumstances.number_to_acknowledge(actor)
    return render_template(
        "documents/index.html",
        live_search=True,
        to_read=g.to_read,
        **listing.shown(found, wanted, runtime().clock()),
    )


@signed_in(*_READERS)
def search() -> ResponseReturnValue:
    """Turn words into a sealed token, so that no address carries them; the list's filters stay."""
    words = request.form.get("q", "").strip()
    kept: dict[str, Any] = {
        name: request.form[name] for name in listing.KEPT if name != "q" and request.form.get(name)
    }
    if words:
        kept["q"] = runtime().documents.write_query(current_actor(), words)
    return redirect(url_for("documents.index", **kept), 303)


@signed_in(*_READERS)
def narrow() -> ResponseReturnValue:
    """Turn the choices of the filter menu into an address of the list; a programme may come by its name."""
    values = request.form
    kept: dict[str, Any] = {name: values[name] for name in listing.KEPT if values.get(name)}
    if values.get("programme_name"):
        kept["programme"] = programmes.chosen(values, runtime().documents.programmes(current_actor()))
    return redirect(url_for("documents.index", **kept), 303)


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
        icon_of=media_icon(version.media_type),
        notices=[NOTICE_WORDS.get(notice, notice) for notice in version.notices if notice != "held"],
        handling=_handling(may_read=page.may_read, may_preview=page.may_preview),
        content_url=url_for("documents.view", **here),
        download_url=url_for("documents.content", **here) if page.may_read else "",
        receipt_url=url_for("upload.receipt", **here),
        list_url=_list_url(document_id),
        reasons=[{"outcome": "permits", "sentence": reason, "rules": ()} for reason in page.reasons],
        readers=runtime().readership.of_document(current_actor(), page),
        when=lambda time: when_words(time, page.checked),
        size_words=size_words,
        moment_words=moment_words,
    )


def _handling(*, may_read: bool, may_preview: bool) -> str:
    if may_read:
        return "View and download allowed" if may_preview else "Download allowed, view refused"
    return "View allowed, download refused" if may_preview else "View and download refused"


def _list_url(document_id: str) -> str:
    """Return the list that one came from, at this document's row; else the whole list."""
    came_from = urlsplit(request.referrer or "")
    whole = url_for("documents.index")
    if came_from.netloc != request.host or came_from.path != whole:
        return whole
    return f"{whole}{'?' if came_from.query else ''}{came_from.query}#d-{document_id}"


def _viewer(media_type: str) -> str:
    if media_type.startswith("image/") and can_be_viewed(media_type):
        return "image"
    return _VIEWERS.get(media_type, "none")


@signed_in(*_READERS)
def content(document_id: str, number: int) -> Response:
    """Download a version."""
    return content_answer(runtime(), current_actor(), document_id, number, action=Action.DOCUMENT_READ)


@signed_in(*_READERS)
def binding(document_id: str, number: int) -> Response:
    """Download the label of a version in a signed file."""
    return binding_answer(runtime(), current_actor(), document_id, number)


@signed_in(*_READERS)
def view(document_id: str, number: int) -> Response:
    """Hand a version to the viewer in the page."""
    return content_answer(
        runtime(), current_actor(), document_id, number, action=Action.DOCUMENT_PREVIEW, inline=True
    )


@signed_in(*_READERS)
def archive() -> ResponseReturnValue:
    """Download a selection as one ZIP: all of it, or what is handed out once that was asked for."""
    chosen = request.form.getlist("id")
    if not chosen:
        raise Invalid("No document was chosen.", mend="Tick at least one, then download.")
    try:
        return archive_answer(runtime(), current_actor(), chosen, leave_out="leave_out" in request.form)
    except (HiddenMembers, DeniedMembers) as error:
        words, status = refused(error)
        return render_template("documents/archive.html", problem=words, readable=error.readable), status
