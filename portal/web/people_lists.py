"""Lists of people, which officers and administrators see alike: by page, by organisation, by e-mail address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_text
from portal.identity.emails import normal_email
from portal.services.actor import Actor
from portal.services.directory import PersonView, Wanted
from portal.services.pages import Page
from portal.web.forms import refused
from portal.web.words import ROLE_WORDS, moment

Find = Callable[[Actor, Wanted, str | None, int], Page[PersonView]]
"""The service that lists people for the role whose page it is."""


def people_page(find: Find, room: str, problem: str = "", status: int = 200) -> ResponseReturnValue:
    """Show a list of people in the room (blueprint) `room`, whose template is `ROOM/people.html`."""
    actor = current_actor()
    token = "" if problem else request.args.get("q", "")
    email = runtime().documents.read_query(actor, token) if token else None
    organisation = wanted_text(request.args, "organisation")
    page = find(
        actor,
        Wanted(organisation, email),
        wanted_text(request.args, "cursor"),
        wanted_limit(request.args),
    )
    kept = {name: value for name, value in (("organisation", organisation), ("q", token)) if value}
    return (
        render_template(
            f"{room}/people.html",
            rows=[_row(person, room) for person in page.items],
            filters=_filters(room, page, kept, email),
            email=request.form.get("email", "") if problem else email or "",
            problem=problem,
            all_url=url_for(f"{room}.people"),
            find_url=url_for(f"{room}.find_people"),
            older_url=_url(room, kept, cursor=page.next) if page.next else "",
            newest_url=_url(room, kept) if request.args.get("cursor") else "",
        ),
        status,
    )


def find_people(find: Find, room: str) -> ResponseReturnValue:
    """Turn an e-mail address into a sealed token, so that no address of a page carries it."""
    email = request.form.get("email", "")
    if not email.strip():
        return redirect(url_for(f"{room}.people"))
    try:
        normal_email(email)
    except Invalid as error:
        return people_page(find, room, *refused(error))
    return redirect(url_for(f"{room}.people", q=runtime().documents.write_query(current_actor(), email)))


def _url(room: str, kept: dict[str, str], **more: Any) -> str:
    return url_for(f"{room}.people", **{**kept, **more})


def _filters(
    room: str, page: Page[PersonView], kept: dict[str, str], email: str | None
) -> list[dict[str, str]]:
    employer = page.items[0].organisation.name if page.items else "one without people"
    shown = {"organisation": ("Organisation", employer), "q": ("E-mail address", email or "")}
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
