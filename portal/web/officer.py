"""The security officer's pages: people with what they hold, and everything that a person was ever granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.directory import Named
from portal.services.grant_views import GrantState, GrantView, Holding
from portal.web import finders, granting, people_lists, why
from portal.web.frame import count_beside
from portal.web.grant_kinds import KINDS, PROGRAMME_FINDER, contents
from portal.web.people_lists import SOON, person_state, role_words
from portal.web.words import ends_words, moment


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("officer", __name__, url_prefix="/officer")
    add = blueprint.add_url_rule
    add("/people", "people", people, methods=["GET"])
    add("/people/find", "find_people", find_people, methods=["POST"])
    add("/people/organisation", "choose_organisation", choose_organisation, methods=["GET"])
    add("/people/organisation", "chosen_organisation", chosen_organisation, methods=["POST"])
    add("/find/<field>", "find", find, methods=["POST"])
    add("/people/<person_id>", "person", person, methods=["GET"])
    add("/people/<person_id>/<kind>/new", "grant_form", granting.grant_form, methods=["GET"])
    add("/people/<person_id>/<kind>/new", "grant", granting.grant, methods=["POST"])
    add("/people/<person_id>/<kind>/<grant_id>/end", "end_form", granting.end_form, methods=["GET"])
    add("/people/<person_id>/<kind>/<grant_id>/end", "end", granting.end, methods=["POST"])
    add("/why", "why", why.show, methods=["GET"])
    add("/why", "ask_why", why.ask, methods=["POST"])
    blueprint.record(_count)
    return blueprint


def _count(state: BlueprintSetupState) -> None:
    assert isinstance(state.app, Flask)
    count_beside(state.app, "officer.people", _end_soon)


def _end_soon(actor: Actor) -> str:
    number = runtime().grants.ending(actor, runtime().clock() + SOON)
    return f"{number:,} end soon" if number else ""


# People


@signed_in(Role.OFFICER)
def people() -> ResponseReturnValue:
    """List people with what they hold, the newest first."""
    held: dict[str, Holding] = {}

    def look(actor: Actor, *asked: Any) -> Any:
        page, holdings = runtime().grants.people_and_holdings(actor, *asked)
        held.update(holdings)
        return page

    return people_lists.people_page(look, "officer", more=lambda person: _holding(held.get(person.id)))


@signed_in(Role.OFFICER)
def find_people() -> ResponseReturnValue:
    """Find people by name or e-mail address."""
    return people_lists.find_people("officer")


def _holding(held: Holding | None) -> Mapping[str, Any]:
    if held is None:
        return {"chip": None, "programmes": 0, "ends": None, "lapsed": None}
    # Clearances are sealed one by one and stand alone: the list shows the one that reaches highest.
    chips = [found.chip for item in held.clearances if (found := contents(item)).chip]
    soon = held.ends is not None and held.ends - runtime().clock() < SOON
    return {
        "chip": max(chips, key=lambda chip: chip.lacv, default=None),
        "programmes": held.programmes,
        "ends": ends_words(held.ends, runtime().clock()) if held.ends and soon else None,
        "lapsed": moment(held.lapsed).day if held.lapsed else None,
    }


# Choosing by typing


def _find_organisations(actor: Actor, typed: str) -> Sequence[finders.Option]:
    return [finders.organisation_option(item) for item in runtime().grants.organisations(actor, typed).items]


FINDERS: Mapping[str, finders.Finder] = MappingProxyType(
    {
        **why.FINDERS,
        "organisation": finders.Finder("No organisation is called so.", _find_organisations),
        "programme": PROGRAMME_FINDER,
    }
)


@signed_in(Role.OFFICER)
def find(field: str) -> ResponseReturnValue:
    """Answer somebody who types into a field with what that finds."""
    return finders.answer(FINDERS, field, current_actor())


@signed_in(Role.OFFICER)
def choose_organisation() -> ResponseReturnValue:
    """Ask whose people the list shall show."""
    return _choose_organisation()


@signed_in(Role.OFFICER)
def chosen_organisation() -> ResponseReturnValue:
    """Show the people of an organisation that was chosen, or what was found."""
    chosen = request.form.get("organisation", "")
    if chosen and "find" not in request.form:
        return redirect(url_for("officer.people", organisation=chosen), 303)
    return _choose_organisation()


def _choose_organisation() -> ResponseReturnValue:
    values = request.form.copy()
    if values.get("organisation_q") and "find" not in values:
        values["find"] = "organisation"
    field = finders.field(FINDERS, "organisation", current_actor(), values)
    none_words = FINDERS["organisation"].none_words
    return render_template("officer/organisation.html", field=field, none_words=none_words)


# A person and what they hold


@signed_in(Role.OFFICER)
def person(person_id: str) -> ResponseReturnValue:
    """Show a person with everything that they were ever granted."""
    actor = current_actor()
    found = runtime().grants.of_person(actor, person_id)
    reasons = runtime().grants.reasons(actor, found)
    own = person_id == actor.person_id
    who = granting.seal_name(actor, Named(person_id, found.person.name))
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
                "rows": [_row(item, person_id, name, reasons, own=own) for item in kind.of(found)],
                "grant_url": ""
                if own
                else url_for("officer.grant_form", person_id=person_id, kind=name, who=who),
            }
            for name, kind in KINDS.items()
        ],
        why_url=url_for("officer.why", person=person_id, who=who),
    )


def _row(
    item: GrantView, person_id: str, kind: str, reasons: Mapping[int, str], *, own: bool
) -> dict[str, Any]:
    ended = item.state is GrantState.ENDED
    end_url = url_for("officer.end_form", person_id=person_id, kind=kind, grant_id=item.id)
    return {
        "what": contents(item),
        "state": _state(item),
        "start": moment(item.valid_from),
        "end": moment(item.valid_until) if item.valid_until else None,
        "giver": (item.granted_by.name or item.granted_by.id[:8]) if item.granted_by else "",
        "entry": item.log_entry,
        "reason": reasons.get(item.log_entry, ""),
        "over": ended,
        "end_url": "" if ended or own else end_url,
    }


def _state(item: GrantView) -> str:
    if item.state is GrantState.FUTURE:
        return "not-yet"
    if item.state is GrantState.IN_FORCE and item.ends_for_good and item.valid_until is not None:
        return "ends-soon" if item.valid_until - runtime().clock() < SOON else "in-force"
    return item.state.value
