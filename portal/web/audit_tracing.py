"""The auditor's pivots: finding people, documents and entries; what one person did; who has seen one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.audit import Reader
from portal.audit.tracing import Group, Refused
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_text
from portal.http.routing import signed_in
from portal.services.log_names import Names
from portal.services.tracing import DocumentTrace, Found, Head, PersonTrace
from portal.web import audit_entries
from portal.web.forms import id_in
from portal.web.words import media_words, moment, size_words

_LONGEST = 200
_STATES = {
    "received": "received",
    "quarantined": "in quarantine",
    "withdrawn": "withdrawn",
    "expired": "expired",
    "destroyed": "destroyed",
}


def add_to(blueprint: Blueprint) -> None:
    """Add the routes."""
    add = blueprint.add_url_rule
    add("/find", "find", find, methods=["GET"])
    add("/find", "search", search, methods=["POST"])
    add("/people", "people", people, methods=["GET"])
    add("/people/<person_id>", "person", person, methods=["GET"])
    add("/documents", "documents", documents, methods=["GET"])
    add("/documents/<document_id>", "document", document, methods=["GET"])


@signed_in(Role.AUDITOR)
def search() -> ResponseReturnValue:
    """Turn words into a sealed token, so that no address of a page carries them."""
    words = request.form.get("q", "").strip()[:_LONGEST]
    if not words:
        return redirect(url_for("audit.people"), 303)
    return redirect(url_for("audit.find", q=runtime().documents.write_query(current_actor(), words)), 303)


@signed_in(Role.AUDITOR)
def find() -> ResponseReturnValue:
    """Show what words lead to; one single thing is shown at once."""
    actor, token = current_actor(), request.args.get("q", "")
    if not token:
        return redirect(url_for("audit.people"))
    words = runtime().documents.read_query(actor, token)
    found = runtime().tracing.find(actor, words)
    at_once = _single(found)
    if at_once:
        return redirect(at_once)
    return render_template(
        "audit/find.html",
        words=words,
        entry=found.entry,
        people=[_person_row(one, found.names) for one in found.people],
        documents=[_document_row(one.value, found.heads, found.names) for one in found.documents],
        more=found.more,
        search_words=words,
    )


def _single(found: Found) -> str:
    things = [url_for("audit.person", person_id=one) for one in found.people]
    things += [url_for("audit.document", document_id=one.value) for one in found.documents]
    if found.entry is not None:
        things.append(url_for("audit.entry", seq=found.entry))
    return things[0] if len(things) == 1 else ""


@signed_in(Role.AUDITOR)
def people() -> ResponseReturnValue:
    """List who acts in the log, the latest first."""
    page = runtime().tracing.people(
        current_actor(), wanted_text(request.args, "cursor"), wanted_limit(request.args)
    )
    rows = [
        {**_person_row(one.value, page.names), "last": moment(one.last_time), "count": one.count}
        for one in page.items
    ]
    return render_template("audit/people.html", rows=rows, **_pages("audit.people", page.next))


@signed_in(Role.AUDITOR)
def documents() -> ResponseReturnValue:
    """List which documents the log speaks of, the latest first."""
    page = runtime().tracing.documents(
        current_actor(), wanted_text(request.args, "cursor"), wanted_limit(request.args)
    )
    rows = [
        {
            **_document_row(one.value, page.heads, page.names),
            "last": moment(one.last_time),
            "count": one.count,
        }
        for one in page.items
    ]
    return render_template("audit/documents.html", rows=rows, **_pages("audit.documents", page.next))


@signed_in(Role.AUDITOR)
def person(person_id: str) -> ResponseReturnValue:
    """Show what one person did, read and was refused."""
    trace = runtime().tracing.person(
        current_actor(), person_id, wanted_text(request.args, "cursor"), wanted_limit(request.args)
    )
    names = trace.names
    name = names.people.get(person_id)
    return render_template(
        "audit/person.html",
        trace=trace,
        name=name or f"Person {person_id[:8]}",
        gone=name is None,
        organisation=names.organisations.get(names.homes.get(person_id, ""), ""),
        tiles=_person_tiles(trace),
        readings=[
            {
                **_document_row(one.document, trace.heads, names),
                **_reading(one),
                "entries_url": _entries(person=person_id, document=one.document),
            }
            for one in trace.readings
        ],
        refused=[
            {
                **_document_row(one.document, trace.heads, names),
                **_refusal(one),
                "entries_url": _entries(person=person_id, document=one.document, decision="deny"),
            }
            for one in trace.refused
        ],
        refusals=bool(trace.refusals),
        recent=audit_entries.dated(trace.recent, names),
        all_url=_entries(person=person_id),
        refusals_url=_entries(person=person_id, decision="deny"),
        export_url=url_for("audit.export_form", person=person_id),
        **_pages("audit.person", trace.next, person_id=person_id),
    )


@signed_in(Role.AUDITOR)
def document(document_id: str) -> ResponseReturnValue:
    """Show who has seen one document."""
    trace = runtime().tracing.document(
        current_actor(), document_id, wanted_text(request.args, "cursor"), wanted_limit(request.args)
    )
    names, head = trace.names, trace.head
    return render_template(
        "audit/document.html",
        trace=trace,
        number=document_id[:8],
        marking=audit_entries.marking_chip(head.marking) if head else None,
        programme=names.programmes.get(head.programme, "") if head else "",
        originator=names.organisations.get(head.originator, "") if head else "",
        state=_STATES.get(head.state, head.state) if head else "",
        tiles=_document_tiles(trace),
        groups=[_group(one, names) for one in trace.groups],
        readers=[
            {
                **_person_row(one.person, names),
                "organisation": names.organisations.get(one.organisation or "", ""),
                **_reading(one),
                "entries_url": _entries(person=one.person, document=document_id),
            }
            for one in trace.readers
        ],
        refused=[
            {
                **_person_row(one.person, names),
                "organisation": names.organisations.get(one.organisation or "", ""),
                **_refusal(one),
                "entries_url": _entries(person=one.person, document=document_id, decision="deny"),
            }
            for one in trace.refused
        ],
        versions=[
            {
                "number": one.number,
                "size": size_words(one.size),
                "media": media_words(one.media_type),
                "time": moment(one.created),
                "by": audit_entries.person_link(one.uploaded_by, names),
                "entry": one.log_entry,
            }
            for one in trace.versions
        ],
        changes=audit_entries.dated(trace.changes, names),
        all_url=_entries(document=document_id),
        unsure_url=_entries(document=document_id, decision="unsure"),
        export_url=url_for("audit.export_form", document=document_id),
        **_pages("audit.document", trace.next, document_id=document_id),
    )


def _entries(**kept: str) -> str:
    return url_for("audit.timeline", last="all", **kept)  # type: ignore[arg-type]


def _url(endpoint: str, values: Mapping[str, Any]) -> str:
    return url_for(endpoint, **values)


def _pages(endpoint: str, following: str | None, **values: str) -> dict[str, str]:
    return {
        "older_url": _url(endpoint, {**values, "cursor": following}) if following else "",
        "newest_url": _url(endpoint, values) if request.args.get("cursor") else "",
    }


def _person_row(person_id: str, names: Names) -> dict[str, Any]:
    return {
        "name": names.people.get(person_id) or f"Name gone ({person_id[:8]})",
        "organisation": names.organisations.get(names.homes.get(person_id, ""), ""),
        "url": url_for("audit.person", person_id=person_id),
        "id": person_id,
    }


def _document_row(document_id: str, heads: Mapping[str, Head], names: Names) -> dict[str, Any]:
    head = heads.get(document_id)
    return {
        "number": document_id[:8],
        "url": url_for("audit.document", document_id=document_id),
        "marking": audit_entries.marking_chip(head.marking) if head else None,
        "programme": names.programmes.get(head.programme, "") if head else "",
        "originator": names.organisations.get(head.originator, "") if head else "",
        "known": head is not None,
        "id": document_id,
    }


def _reading(one: Reader) -> dict[str, Any]:
    return {
        "first": moment(one.first_time),
        "last": moment(one.last_time),
        "views": one.views,
        "downloads": one.downloads,
        "size": size_words(one.size),
    }


def _refusal(one: Refused) -> dict[str, Any]:
    return {
        "times": one.count,
        "last": moment(one.last_time),
        "entry": one.last,
        "entry_url": url_for("audit.entry", seq=one.last),
    }


def _group(one: Group, names: Names) -> dict[str, Any]:
    return {
        "name": names.organisations.get(one.organisation or "") or "No organisation recorded",
        "people": one.people,
        "views": one.views,
        "downloads": one.downloads,
        "size": size_words(one.size),
        "first": moment(one.first_time),
        "last": moment(one.last_time),
    }


def _tile(name: str, value: int, note: str = "", tone: str = "", url: str = "") -> dict[str, str]:
    return {"name": name, "value": f"{value:,}", "note": note, "tone": tone, "url": url}


def _document_tiles(trace: DocumentTrace) -> list[dict[str, str]]:
    totals, kinds = trace.totals, len(trace.groups)
    return [
        _tile(
            "People who read it",
            totals.others,
            f"in {kinds} organisation{'s' if kinds != 1 else ''}" if totals.others else "nobody yet",
        ),
        _tile("Views", totals.views, "in the browser"),
        _tile("Downloads", totals.downloads, f"{size_words(totals.size)} in all"),
        _tile("Refusals", totals.refused, _people(totals.refused_others) if totals.refused else ""),
        _unsure(totals.unsure),
    ]


def _person_tiles(trace: PersonTrace) -> list[dict[str, str]]:
    totals = trace.totals
    return [
        _tile("Documents read", totals.others),
        _tile("Views", totals.views, "in the browser"),
        _tile("Downloads", totals.downloads, f"{size_words(totals.size)} in all"),
        _tile(
            "Refusals of documents",
            totals.refused,
            f"{totals.refused_others} document{'s' if totals.refused_others != 1 else ''}"
            if totals.refused
            else "",
        ),
        _unsure(totals.unsure),
    ]


def _unsure(count: int) -> dict[str, str]:
    return _tile(
        "Uncertain", count, "read as disclosed" if count else "every end is recorded", "warn" if count else ""
    )


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Several things that a typed name may mean: `options` for `field`; `fields` are left out of what is kept,
    `others` kept as well.
    """

    field: str
    question: str
    options: list[dict[str, Any]]
    fields: frozenset[str]
    others: dict[str, str]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """What was typed and means nothing, in words by field, and what was typed."""

    words: dict[str, str]
    kept: dict[str, str]


def resolve(values: dict[str, Any]) -> tuple[Chosen | None, Unresolved | None]:
    """Put ids in the place of what was typed as `who` and `what`, in `values` itself.

    Returns the choice among several, or what means nothing; (None, None) when all is clear.
    """
    words: dict[str, str] = {}
    kept: dict[str, str] = {}
    for field, typed_in, shown in (("person", "who", "who_was"), ("document", "what", "what_was")):
        typed = str(values.get(typed_in, "")).strip()[:_LONGEST]
        if typed and typed == values.get(shown) and values.get(field):
            continue
        if not typed:
            if typed_in in values:
                values[field] = ""
            continue
        if id_in(typed):
            values[field] = id_in(typed)
            continue
        found = runtime().tracing.find(current_actor(), typed)
        ids = list(found.people) if field == "person" else [one.value for one in found.documents]
        if len(ids) == 1:
            values[field] = ids[0]
        elif ids:
            return _choice(field, found, values), None
        else:
            values[field] = ""
            words[field] = (
                "Nobody with an account has this name. Write another part of it."
                if field == "person"
                else "The log knows no document with this number. Its first digits are enough."
            )
            kept[field] = typed
    return None, Unresolved(words, kept) if words else None


def _choice(field: str, found: Found, values: Mapping[str, Any]) -> Chosen:
    if field == "person":
        rows = [_person_row(one, found.names) for one in found.people]
        options = [{"value": row["id"], "words": row["name"], "sub": row["organisation"]} for row in rows]
        others = {name: str(values.get(name, "")) for name in ("what", "what_was", "document")}
        return Chosen(field, "Which person?", options, frozenset({"person"}), others)
    documents = [_document_row(one.value, found.heads, found.names) for one in found.documents]
    options = [
        {
            "value": row["id"],
            "words": row["id"],
            "sub": " · ".join(part for part in (row["originator"], row["programme"]) if part),
            "marking": row["marking"],
        }
        for row in documents
    ]
    return Chosen(field, "Which document?", options, frozenset({"document"}), {})
