"""A partner's first page: what their organisation sent last, and who has opened it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from policies.requests import Role
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.document_views import DocumentFilter, DocumentView, Overview
from portal.services.readership import ReadingOrganisation
from portal.web.frame import mark_page
from portal.web.words import chip, when_words

_LATEST = 10
_OPENINGS = 6


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("deliveries", __name__)
    blueprint.add_url_rule("/deliveries", "home", home, methods=["GET"])
    return blueprint


@signed_in(Role.PARTNER)
def home() -> ResponseReturnValue:
    """Show the latest deliveries with who has opened them."""
    actor, now = current_actor(), runtime().clock()
    found = runtime().documents.overview(actor, DocumentFilter(own=True), limit=_LATEST)
    items = found.page.items
    # Whether those read it whom it was sent to: one's own colleagues do not count.
    readers = {
        document_id: [one for one in every if not one.own]
        for document_id, every in runtime().readership.of_page(actor, found).items()
    }
    mark_page(item.label for item in items)
    openings = _openings(items, readers, now)
    return render_template(
        "documents/deliveries.html",
        organisation=current_user.identified.organisation,
        sentence=_sentence(found, openings),
        deliveries=[_delivery(item, readers.get(item.id, ()), now) for item in items],
        openings=openings[:_OPENINGS],
        programmes=[
            {
                "name": item.name,
                "count": f"{found.counts.get(item.id, 0):,}",
                "url": url_for("documents.index", programme=item.id),
            }
            for item in sorted(
                found.programmes, key=lambda one: (-found.counts.get(one.id, 0), one.name.casefold())
            )[:_LATEST]
        ],
        programme_count=len(found.programmes),
        total=found.own,
        all_url=url_for("documents.index", view="own")
        if found.own < sum(found.counts.values())
        # Most companies receive nothing here: then their list is what they sent.
        else url_for("documents.index"),
    )


def _sentence(found: Overview, openings: Sequence[Mapping[str, str]]) -> str:
    if not found.programmes:
        return "You are in no programme yet. Ask your security officer to make you a member."
    if not found.own:
        return "Nothing was sent yet."
    where = "1 programme" if len(found.programmes) == 1 else f"{len(found.programmes):,} programmes"
    sent = f"{found.own:,} {'document' if found.own == 1 else 'documents'} sent in {where}."
    if not openings:
        return f"{sent} Nobody has opened the latest yet."
    return f"{sent} Last opened by {openings[0]['organisation']}, {openings[0]['when']}."


def _delivery(item: DocumentView, readers: Sequence[ReadingOrganisation], now: datetime) -> dict[str, Any]:
    opened = f"Opened by {readers[0].organisation}" if readers else "Not opened yet"
    if len(readers) > 1:
        opened += f" and {len(readers) - 1:,} more"
    return {
        "title": item.title,
        "url": url_for("documents.show", document_id=item.id),
        "version": item.version,
        "programme": item.programme.name,
        "marking": chip(item.label),
        "sent": when_words(item.created, now),
        "changed": when_words(item.changed, now) if item.version > 1 else "",
        "steps": [
            {"words": "Received", "standing": "done"},
            {"words": opened, "standing": "done" if readers else "now"},
        ],
    }


def _openings(
    items: Sequence[DocumentView], readers: Mapping[str, Sequence[ReadingOrganisation]], now: datetime
) -> list[dict[str, str]]:
    every = [(one, item) for item in items for one in readers.get(item.id, ())]
    every.sort(key=lambda pair: pair[0].last, reverse=True)
    return [
        {
            "organisation": one.organisation,
            "people": "1 person" if one.people == 1 else f"{one.people:,} people",
            "title": item.title,
            "url": url_for("documents.show", document_id=item.id),
            "when": when_words(one.last, now),
        }
        for one, item in every
    ]
