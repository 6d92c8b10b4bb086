"""Lists of people, which officers and administrators see alike: by page, by organisation, by name, by what ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_text
from portal.identity.emails import normal_email
from portal.services.actor import Actor
from portal.services.directory import MOST_FOUND, PersonView, Wanted
from portal.services.pages import Page
from portal.web.words import ROLE_WORDS, moment

SOON = timedelta(days=30)
"""What ends within this time is said to end soon."""
ROWS = "25"
"""Rows of a list where the address does not say."""
_SOON_WORDS = "within 30 days"

Look = Callable[[Actor, Wanted, str | None, int], Page[PersonView]]
"""The service that lists people for the role whose page it is."""


def _nothing(_person: PersonView) -> Mapping[str, Any]:
    return {}


def wanted_of(typed: str, organisation: str | None = None, *, ending: bool = False) -> Wanted:
    """Return what somebody looks for who types this: an e-mail address in full, else words of a name or an address."""
    until = runtime().clock() + SOON if ending else None
    if "@" in typed:
        try:
            normal_email(typed)
        except Invalid:
            pass
        else:
            return Wanted(organisation, email=typed, ending=until)
    return Wanted(organisation, name=typed or None, ending=until)


def people_page(
    look: Look, room: str, more: Callable[[PersonView], Mapping[str, Any]] = _nothing
) -> ResponseReturnValue:
    """Show a list of people in the room (blueprint) `room`, whose template is `ROOM/people.html`.

    `more` says what the room's rows show of each person besides.
    """
    actor = current_actor()
    token = request.args.get("q", "")
    typed = runtime().documents.read_query(actor, token) if token else ""
    organisation = wanted_text(request.args, "organisation")
    ending = request.args.get("ending") == "soon"
    page = look(
        actor,
        wanted_of(typed, organisation, ending=ending),
        wanted_text(request.args, "cursor"),
        wanted_limit({"limit": ROWS, **request.args}),
    )
    kept = {"organisation": organisation or "", "q": token, "ending": "soon" if ending else ""}
    kept = {name: value for name, value in kept.items() if value}
    return render_template(
        f"{room}/people.html",
        rows=[{**_row(person, room), **more(person)} for person in page.items],
        filters=_filters(room, page, kept, typed),
        typed=typed,
        most=MOST_FOUND,
        all_url=url_for(f"{room}.people"),
        soon_url=_url(room, {**kept, "ending": "soon"}) if not ending else "",
        find_url=url_for(f"{room}.find_people"),
        older_url=_url(room, kept, cursor=page.next) if page.next else "",
        newest_url=_url(room, kept) if request.args.get("cursor") else "",
    )


def find_people(room: str) -> ResponseReturnValue:
    """Turn what was typed into a sealed token, so that no address of a page carries it."""
    typed = " ".join(request.form.get("q", "").split())[:254]
    if not typed:
        return redirect(url_for(f"{room}.people"), 303)
    token = runtime().documents.write_query(current_actor(), typed)
    return redirect(url_for(f"{room}.people", q=token), 303)


def _url(room: str, kept: Mapping[str, str], **more: Any) -> str:
    return url_for(f"{room}.people", **{**kept, **more})


def _filters(room: str, page: Page[PersonView], kept: Mapping[str, str], typed: str) -> list[dict[str, str]]:
    employer = page.items[0].organisation.name if page.items else "one without people"
    shown = {
        "organisation": ("Organisation", employer),
        "q": ("Name", typed),
        "ending": ("Something ends", _SOON_WORDS),
    }
    return [
        {
            "name": shown[key][0],
            "value": shown[key][1],
            "remove_url": _url(room, {name: value for name, value in kept.items() if name != key}),
        }
        for key in kept
    ]


def _row(person: PersonView, room: str) -> dict[str, Any]:
    return {
        "person": person,
        "url": url_for(f"{room}.person", person_id=person.id),
        "organisation_url": url_for(f"{room}.people", organisation=person.organisation.id),
        "roles": role_words(person),
        "state": person_state(person),
        "created": moment(person.created),
    }


def role_words(person: PersonView) -> str:
    """Return the roles in force in words."""
    return ", ".join(ROLE_WORDS[role] for role in person.roles) or "None"


def person_state(person: PersonView) -> tuple[str, str]:
    """Return how an account stands: a kind of `parts/state.html` and its words."""
    if not person.active:
        return "locked", "Locked"
    if not person.organisation_active:
        return "locked", "Organisation inactive"
    if not person.joined:
        return "invited", "Has not joined yet"
    return "active", "Active"
