"""Choosing a programme: a list while there are few, a field that finds names while one types when there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.document_views import ProgrammeName

FEW = 50
_MOST_FOUND = 20


@signed_in(Role.PARTNER, Role.OFFICIAL)
def find() -> ResponseReturnValue:
    """Return names of one's own programmes that hold the words typed so far; posted, so that no address has them."""
    words = request.form.get("words", "").casefold().split()
    found = [
        item.name
        for item in runtime().documents.programmes(current_actor())
        if all(word in item.name.casefold() for word in words)
    ]
    return jsonify({"names": found[:_MOST_FOUND]})


def chosen(values: Mapping[str, str], programmes: Sequence[ProgrammeName]) -> str:
    """Return the id of the programme that a form names, by its id or by its name; "" for none.

    Raises Invalid for a name that is none of theirs, or that several share.
    """
    if values.get("programme"):
        return values["programme"]
    name = values.get("programme_name", "").strip()
    if not name:
        return ""
    found = [item.id for item in programmes if item.name.casefold() == name.casefold()]
    found = found or [item.id for item in programmes if name.casefold() in item.name.casefold()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Invalid("No programme of yours has this name.", mend="Type a part of its name, then choose it.")
    raise Invalid(f"{len(found):,} programmes have this in their name.", mend="Type more of the name.")
