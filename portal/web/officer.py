"""The security officer's pages: people with everything granted to them, forms to grant and to end, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from policies.requests import Role
from portal.errors import NotFound, PortalError
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_text
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.directory import Named
from portal.services.grant_views import (
    BriefingView,
    ClearanceView,
    GrantState,
    GrantView,
    MembershipView,
    PersonGrants,
    RoleView,
)
from portal.web import people_lists, why
from portal.web.clearances import covered, groups, levels
from portal.web.forms import FORM_ERRORS, refused, ticked, wanted_day
from portal.web.people_lists import person_state, role_words
from portal.web.words import ROLE_WORDS, Chip, moment

_SOON = timedelta(days=30)
_CHOICES = 200
"""Programmes in one list of choices; older ones are a page further."""

_Values = MultiDict[str, str]


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("officer", __name__, url_prefix="/officer")
    add = blueprint.add_url_rule
    add("/people", "people", people, methods=["GET"])
    add("/people/find", "find_people", find_people, methods=["POST"])
    add("/people/<person_id>", "person", person, methods=["GET"])
    add("/people/<person_id>/<kind>/new", "grant_form", grant_form, methods=["GET"])
    add("/people/<person_id>/<kind>/new", "grant", grant, methods=["POST"])
    add("/people/<person_id>/<kind>/<grant_id>/end", "end_form", end_form, methods=["GET"])
    add("/people/<person_id>/<kind>/<grant_id>/end", "end", end, methods=["POST"])
    add("/why", "why", why.show, methods=["GET"])
    add("/why", "ask_why", why.ask, methods=["POST"])
    return blueprint


@signed_in(Role.OFFICER)
def people() -> ResponseReturnValue:
    """List people, the newest first."""
    return people_lists.people_page(runtime().grants.people, "officer")


@signed_in(Role.OFFICER)
def find_people() -> ResponseReturnValue:
    """Find a person by e-mail address."""
    return people_lists.find_people(runtime().grants.people, "officer")


# Kinds of grants


def _period(values: _Values) -> tuple[datetime | None, datetime | None]:
    return wanted_day(values, "from"), wanted_day(values, "until")


def _grant_role(actor: Actor, person_id: str, values: _Values) -> str:
    return runtime().grants.grant_role(actor, person_id, values.get("role", ""), *_period(values))


def _grant_clearance(actor: Actor, person_id: str, values: _Values) -> str:
    start, end = _period(values)
    return runtime().grants.grant_clearance(
        actor,
        person_id,
        values.get("level", ""),
        ticked(values),
        authority=values.get("authority", ""),
        valid_from=start,
        valid_until=end,
    )


def _grant_membership(actor: Actor, person_id: str, values: _Values) -> str:
    return runtime().grants.grant_membership(actor, person_id, values.get("programme", ""), *_period(values))


def _record_briefing(actor: Actor, person_id: str, values: _Values) -> str:
    return runtime().grants.record_briefing(
        actor, person_id, values.getlist("level"), ticked(values), *_period(values)
    )


def _role_choices(_actor: Actor, _values: _Values) -> dict[str, Any]:
    return {"roles": [(role.value, words) for role, words in ROLE_WORDS.items()]}


def _programme_choices(actor: Actor, values: _Values) -> dict[str, Any]:
    cursor = wanted_text(values, "cursor")
    page = runtime().grants.programmes(actor, cursor, _CHOICES)
    return {
        "programmes": [
            (item.id, f"{item.name} ({item.lead.name})" if item.lead.name else item.name)
            for item in page.items
            if item.active
        ],
        "cursor": cursor or "",
        "older": page.next,
    }


def _clearance_choices(_actor: Actor, values: _Values) -> dict[str, Any]:
    policy = runtime().access.policy
    return {"levels": levels(policy, values.getlist("level")), "groups": groups(policy, values)}


def _briefing_choices(_actor: Actor, values: _Values) -> dict[str, Any]:
    policy = runtime().access.policy
    below = runtime().settings.clearance_from
    return {"levels": levels(policy, values.getlist("level"), below), "groups": groups(policy, values)}


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of grant: its words, and the service's use cases behind its forms."""

    thing: str
    offer: str
    done: str
    grant: Callable[[Actor, str, _Values], str]
    choices: Callable[[Actor, _Values], dict[str, Any]]
    of: Callable[[PersonGrants], Sequence[GrantView]]
    end: Callable[[Actor, str, datetime | None], None]


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "roles": _Kind(
            "role",
            "Give a role",
            "The role is given.",
            _grant_role,
            _role_choices,
            lambda found: found.roles,
            lambda actor, grant_id, at: runtime().grants.end_role(actor, grant_id, at),
        ),
        "clearances": _Kind(
            "clearance",
            "Grant a clearance",
            "The clearance is granted.",
            _grant_clearance,
            _clearance_choices,
            lambda found: found.clearances,
            lambda actor, grant_id, at: runtime().grants.end_clearance(actor, grant_id, at),
        ),
        "memberships": _Kind(
            "membership",
            "Add to a programme",
            "The person is a member of the programme for that time.",
            _grant_membership,
            _programme_choices,
            lambda found: found.memberships,
            lambda actor, grant_id, at: runtime().grants.end_membership(actor, grant_id, at),
        ),
        "briefings": _Kind(
            "briefing",
            "Record a briefing",
            "The briefing is recorded.",
            _record_briefing,
            _briefing_choices,
            lambda found: found.briefings,
            lambda actor, grant_id, at: runtime().grants.end_briefing(actor, grant_id, at),
        ),
    }
)


def _kind(name: str) -> _Kind:
    found = _KINDS.get(name)
    if found is None:
        raise NotFound("There is no such page, or it is not open to you.")
    return found


# A person and what they hold


@signed_in(Role.OFFICER)
def person(person_id: str) -> ResponseReturnValue:
    """Show a person with everything that they were ever granted."""
    actor = current_actor()
    found = runtime().grants.of_person(actor, person_id)
    own = person_id == actor.person_id
    who = runtime().documents.write_query(actor, f"{person_id} {found.person.name}")
    return render_template(
        "officer/person.html",
        person=found.person,
        state=person_state(found.person),
        roles=role_words(found.person),
        own=own,
        sections=[
            {
                "name": name,
                "offer": kind.offer,
                "rows": [_row(item, person_id, name, own=own) for item in kind.of(found)],
                "grant_url": ""
                if own
                else url_for("officer.grant_form", person_id=person_id, kind=name, who=who),
            }
            for name, kind in _KINDS.items()
        ],
        why_url=url_for("officer.why", who=runtime().documents.write_query(actor, found.person.email)),
    )


def _row(item: GrantView, person_id: str, kind: str, *, own: bool) -> dict[str, Any]:
    ended = item.state is GrantState.ENDED
    end_url = url_for("officer.end_form", person_id=person_id, kind=kind, grant_id=item.id)
    return {
        **_contents(item),
        "state": _state(item),
        "start": moment(item.valid_from),
        "end": moment(item.valid_until) if item.valid_until else None,
        "giver": (item.granted_by.name or item.granted_by.id[:8]) if item.granted_by else "",
        "entry": item.log_entry,
        "end_url": "" if ended or own else end_url,
    }


def _contents(item: GrantView) -> dict[str, Any]:
    """Return a grant's chip (or None), name and further words."""
    chip: Chip | None = None
    name = more = ""
    if isinstance(item, RoleView):
        name = ROLE_WORDS[item.role]
    elif isinstance(item, MembershipView):
        name = item.programme.name or item.programme.id
    elif isinstance(item, ClearanceView | BriefingView):
        found = covered(runtime().access.policy, item)
        chip, more = found.chip, found.words
        if chip is None:
            name, more = more, ""
        if isinstance(item, ClearanceView):
            more = " · ".join(filter(None, (more, f"issued by {item.authority}")))
    return {"chip": chip, "name": name, "more": more}


def _state(item: GrantView) -> str:
    if item.state is GrantState.FUTURE:
        return "not-yet"
    if item.state is GrantState.IN_FORCE and item.valid_until is not None:
        return "ends-soon" if item.valid_until - runtime().clock() < _SOON else "in-force"
    return item.state.value


# Granting and ending


@signed_in(Role.OFFICER)
def grant_form(person_id: str, kind: str) -> ResponseReturnValue:
    """Show the form that grants something to a person."""
    return _grant_form(person_id, kind, request.args)


@signed_in(Role.OFFICER)
def grant(person_id: str, kind: str) -> ResponseReturnValue:
    """Grant it."""
    found = _kind(kind)
    try:
        found.grant(current_actor(), person_id, request.form)
    except FORM_ERRORS as error:
        return _grant_form(person_id, kind, request.form, error)
    flash(f"{found.done} It is recorded with your name.", "good")
    return redirect(url_for("officer.person", person_id=person_id), 303)


def _grant_form(
    person_id: str, kind: str, values: _Values, error: PortalError | None = None
) -> ResponseReturnValue:
    actor, found = current_actor(), _kind(kind)
    problem, status = refused(error) if error else ("", 200)
    return (
        render_template(
            "officer/grant.html",
            person=_named(actor, person_id, values),
            kind=kind,
            offer=found.offer,
            values=values,
            problem=problem,
            today=runtime().clock().date().isoformat(),
            **found.choices(actor, values),
        ),
        status,
    )


def _named(actor: Actor, person_id: str, values: _Values) -> Named:
    """Return whose form this is: from the link that led here (sealed), else from everything they were granted."""
    token = values.get("who", "")
    if token:
        held, _, name = runtime().documents.read_query(actor, token).partition(" ")
        if held == person_id:
            return Named(person_id, name)
    found = runtime().grants.of_person(actor, person_id).person
    return Named(person_id, found.name)


@signed_in(Role.OFFICER)
def end_form(person_id: str, kind: str, grant_id: str) -> ResponseReturnValue:
    """Ask whether, and when, a grant shall end."""
    return _end_form(person_id, kind, grant_id)


@signed_in(Role.OFFICER)
def end(person_id: str, kind: str, grant_id: str) -> ResponseReturnValue:
    """End it."""
    try:
        at = wanted_day(request.form, "at")
        if at is not None and at.date() == runtime().clock().date():
            at = None
        _kind(kind).end(current_actor(), grant_id, at)
    except FORM_ERRORS as error:
        return _end_form(person_id, kind, grant_id, error)
    flash("It ends on that day." if at else "It has ended.", "good")
    return redirect(url_for("officer.person", person_id=person_id), 303)


def _end_form(
    person_id: str, kind: str, grant_id: str, error: PortalError | None = None
) -> ResponseReturnValue:
    found = _kind(kind)
    problem, status = refused(error) if error else ("", 200)
    grants = runtime().grants.of_person(current_actor(), person_id)
    item = next((each for each in found.of(grants) if each.id == grant_id), None)
    if item is None:
        raise NotFound("There is no such grant.")
    return (
        render_template(
            "officer/end.html",
            person=grants.person,
            thing=found.thing,
            row=_row(item, person_id, kind, own=False),
            action=url_for("officer.end", person_id=person_id, kind=kind, grant_id=grant_id),
            at=request.form.get("at", ""),
            today=runtime().clock().date().isoformat(),
            problem=problem,
        ),
        status,
    )
