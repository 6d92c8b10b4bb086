"""The administrator's pages: accounts with one-time links and locks, organisations, programmes, the system's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from policies.requests import Role
from portal.errors import Invalid, PortalError
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_text
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.web import finders, health, key_pages, people_lists
from portal.web.forms import FORM_ERRORS, refused
from portal.web.people_lists import ROWS, person_state, role_words
from portal.web.words import ASSURANCE_WORDS, ROLE_WORDS, age_words, moment, moment_words

_SESSIONS = 100
"""Sessions in the list at most."""
_Values = MultiDict[str, str]


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("administration", __name__, url_prefix="/administration")
    add = blueprint.add_url_rule
    add("/people", "people", people, methods=["GET"])
    add("/people/find", "find_people", find_people, methods=["POST"])
    add("/people/new", "person_form", person_form, methods=["GET"])
    add("/people/new", "create_person", create_person, methods=["POST"])
    add("/find/<field>", "find", find, methods=["POST"])
    add("/people/<person_id>", "person", person, methods=["GET"])
    add("/people/<person_id>/invite", "invite", invite, methods=["POST"])
    add("/people/<person_id>/lock", "lock_form", lock_form, methods=["GET"])
    add("/people/<person_id>/lock", "lock", lock, methods=["POST"])
    add("/people/<person_id>/unlock", "unlock", unlock, methods=["POST"])
    add("/organisations", "organisations", organisations, methods=["GET"])
    add("/organisations/find", "find_organisations", find_organisations, methods=["POST"])
    add("/organisations/new", "organisation_form", organisation_form, methods=["GET"])
    add("/organisations/new", "create_organisation", create_organisation, methods=["POST"])
    add("/organisations/<organisation_id>/rename", "rename", rename, methods=["POST"])
    add("/organisations/<organisation_id>/deactivate", "deactivate", deactivate, methods=["POST"])
    add("/organisations/<organisation_id>/reactivate", "reactivate", reactivate, methods=["POST"])
    add("/programmes", "programmes", programmes, methods=["GET"])
    add("/programmes/find", "find_programmes", find_programmes, methods=["POST"])
    add("/programmes/new", "programme_form", programme_form, methods=["GET"])
    add("/programmes/new", "create_programme", create_programme, methods=["POST"])
    add("/sessions", "sessions", sessions, methods=["GET"])
    add("/sessions/<session_id>/end", "end_session", end_session, methods=["POST"])
    add("/status", "status", status, methods=["GET"])
    key_pages.add_routes(blueprint)
    return blueprint


# People


@signed_in(Role.ADMINISTRATOR)
def people() -> ResponseReturnValue:
    """List people, the newest first."""
    return people_lists.people_page(runtime().people.people, "administration")


@signed_in(Role.ADMINISTRATOR)
def find_people() -> ResponseReturnValue:
    """Find people by name or e-mail address."""
    return people_lists.find_people("administration")


@signed_in(Role.ADMINISTRATOR)
def person_form() -> ResponseReturnValue:
    """Show the form of a new account."""
    return _form("person", request.args)


@signed_in(Role.ADMINISTRATOR)
def create_person() -> ResponseReturnValue:
    """Create an account."""
    values = request.form
    if "find" in values:
        return _form("person", values)
    try:
        _organisation_chosen(values)
        person_id = runtime().people.create_person(
            current_actor(),
            values.get("organisation", ""),
            values.get("name", ""),
            values.get("email", ""),
            values.get("nation", ""),
        )
    except FORM_ERRORS as error:
        return _form("person", values, error)
    flash("The account is there, without any role. Invite them; a security officer gives the roles.", "good")
    return redirect(url_for("administration.person", person_id=person_id), 303)


@signed_in(Role.ADMINISTRATOR)
def person(person_id: str) -> ResponseReturnValue:
    """Show an account."""
    return _person(person_id)


@signed_in(Role.ADMINISTRATOR)
def invite(person_id: str) -> ResponseReturnValue:
    """Make a one-time link and show it in this answer only: nothing keeps it, so that a reload makes another."""
    try:
        secret = runtime().people.invite(current_actor(), person_id)
    except FORM_ERRORS as error:
        return _person(person_id, error)
    # The address that people use, never the one that this request claims to have come to.
    base = runtime().settings.public_url.rstrip("/")
    return _person(person_id, link=base + url_for("sign_in.welcome", secret=secret))


@signed_in(Role.ADMINISTRATOR)
def lock_form(person_id: str) -> ResponseReturnValue:
    """Ask whether an account shall be locked."""
    found = runtime().people.person(current_actor(), person_id)
    return render_template("administration/lock.html", person=found)


@signed_in(Role.ADMINISTRATOR)
def lock(person_id: str) -> ResponseReturnValue:
    """Lock an account."""
    try:
        runtime().people.lock(current_actor(), person_id)
    except FORM_ERRORS as error:
        return _person(person_id, error)
    flash("The account is locked; their sessions, links and tokens have ended.", "good")
    return redirect(url_for("administration.person", person_id=person_id), 303)


@signed_in(Role.ADMINISTRATOR)
def unlock(person_id: str) -> ResponseReturnValue:
    """Unlock an account."""
    try:
        runtime().people.unlock(current_actor(), person_id)
    except FORM_ERRORS as error:
        return _person(person_id, error)
    flash("The account is open again; they sign in as before.", "good")
    return redirect(url_for("administration.person", person_id=person_id), 303)


def _person(person_id: str, error: PortalError | None = None, link: str = "") -> ResponseReturnValue:
    problem, code = refused(error) if error else ("", 200)
    actor = current_actor()
    found = runtime().people.person(actor, person_id)
    return (
        render_template(
            "administration/person.html",
            person=found,
            state=person_state(found),
            roles=role_words(found),
            created=moment_words(found.created),
            own=person_id == actor.person_id,
            link=link,
            hours=runtime().settings.link_hours,
            problem=problem,
        ),
        code,
    )


# Organisations


@signed_in(Role.ADMINISTRATOR)
def organisations() -> ResponseReturnValue:
    """List organisations, the newest first."""
    return _organisations(request.args)


@signed_in(Role.ADMINISTRATOR)
def find_organisations() -> ResponseReturnValue:
    """Find organisations by name."""
    return _found("administration.organisations")


def _found(endpoint: str) -> ResponseReturnValue:
    """Turn what was typed into a sealed token, so that no address of a page carries it."""
    typed = " ".join(request.form.get("q", "").split())[:200]
    token = runtime().documents.write_query(current_actor(), typed) if typed else None
    return redirect(url_for(endpoint, q=token), 303)


def _typed() -> tuple[str | None, str | None]:
    """Return the token of what a list is narrowed to, and what it says."""
    token = wanted_text(request.args, "q")
    return token, runtime().documents.read_query(current_actor(), token) if token else None


def _organisations(
    values: _Values, error: PortalError | None = None, concerned: str = ""
) -> ResponseReturnValue:
    problem, code = refused(error) if error else ("", 200)
    cursor = wanted_text(values, "cursor")
    token, typed = _typed()
    page = runtime().people.organisations(
        current_actor(), cursor, wanted_limit({"limit": ROWS, **request.args}), typed
    )
    return (
        render_template(
            "administration/organisations.html",
            rows=[{"organisation": item, "created": moment(item.created)} for item in page.items],
            cursor=cursor or "",
            own=current_actor().organisation_id,
            problem=problem,
            concerned=concerned,
            typed=values.get("name", ""),
            searched=typed or "",
            older_url=url_for("administration.organisations", cursor=page.next, q=token) if page.next else "",
            newest_url=url_for("administration.organisations", q=token) if cursor else "",
        ),
        code,
    )


@signed_in(Role.ADMINISTRATOR)
def organisation_form() -> ResponseReturnValue:
    """Show the form of a new organisation."""
    return _form("organisation", request.args)


@signed_in(Role.ADMINISTRATOR)
def create_organisation() -> ResponseReturnValue:
    """Create an organisation."""
    values = request.form
    try:
        runtime().people.create_organisation(
            current_actor(), values.get("name", ""), values.get("nation", "")
        )
    except FORM_ERRORS as error:
        return _form("organisation", values, error)
    flash("The organisation is there. Add its people next.", "good")
    return redirect(url_for("administration.organisations"), 303)


@signed_in(Role.ADMINISTRATOR)
def rename(organisation_id: str) -> ResponseReturnValue:
    """Give an organisation another name."""
    try:
        runtime().people.rename_organisation(current_actor(), organisation_id, request.form.get("name", ""))
    except FORM_ERRORS as error:
        return _organisations(request.form, error, organisation_id)
    return _back_to_organisations("The organisation has its new name.")


@signed_in(Role.ADMINISTRATOR)
def deactivate(organisation_id: str) -> ResponseReturnValue:
    """Close the portal to everybody of an organisation."""
    try:
        runtime().people.deactivate_organisation(current_actor(), organisation_id)
    except FORM_ERRORS as error:
        return _organisations(request.form, error, organisation_id)
    return _back_to_organisations("The organisation is inactive: nobody of it gets in any more.")


@signed_in(Role.ADMINISTRATOR)
def reactivate(organisation_id: str) -> ResponseReturnValue:
    """Open the portal to an organisation again."""
    try:
        runtime().people.reactivate_organisation(current_actor(), organisation_id)
    except FORM_ERRORS as error:
        return _organisations(request.form, error, organisation_id)
    return _back_to_organisations("The organisation is active again.")


def _back_to_organisations(said: str) -> ResponseReturnValue:
    flash(said, "good")
    kept: dict[str, Any] = {"cursor": request.form["cursor"]} if request.form.get("cursor") else {}
    return redirect(url_for("administration.organisations", **kept), 303)


# Programmes


@signed_in(Role.ADMINISTRATOR)
def programmes() -> ResponseReturnValue:
    """List programmes, the newest first."""
    cursor = wanted_text(request.args, "cursor")
    token, typed = _typed()
    page = runtime().people.programmes(
        current_actor(), cursor, wanted_limit({"limit": ROWS, **request.args}), typed
    )
    return render_template(
        "administration/programmes.html",
        rows=[{"programme": item, "created": moment(item.created)} for item in page.items],
        searched=typed or "",
        older_url=url_for("administration.programmes", cursor=page.next, q=token) if page.next else "",
        newest_url=url_for("administration.programmes", q=token) if cursor else "",
    )


@signed_in(Role.ADMINISTRATOR)
def find_programmes() -> ResponseReturnValue:
    """Find programmes by name."""
    return _found("administration.programmes")


@signed_in(Role.ADMINISTRATOR)
def programme_form() -> ResponseReturnValue:
    """Show the form of a new programme."""
    return _form("programme", request.args)


@signed_in(Role.ADMINISTRATOR)
def create_programme() -> ResponseReturnValue:
    """Create a programme."""
    values = request.form
    if "find" in values:
        return _form("programme", values)
    try:
        _organisation_chosen(values)
        runtime().people.create_programme(
            current_actor(), values.get("name", ""), values.get("organisation", "")
        )
    except FORM_ERRORS as error:
        return _form("programme", values, error)
    flash("The programme is there. A security officer makes people members of it.", "good")
    return redirect(url_for("administration.programmes"), 303)


# The forms of what is new


def _find_organisations(actor: Actor, typed: str) -> Sequence[finders.Option]:
    page = runtime().people.organisations(actor, None, finders.MOST, typed)
    return [finders.organisation_option(item) for item in page.items if item.active]


FINDERS: Mapping[str, finders.Finder] = MappingProxyType(
    {"organisation": finders.Finder("No active organisation is called so.", _find_organisations)}
)


@signed_in(Role.ADMINISTRATOR)
def find(field: str) -> ResponseReturnValue:
    """Answer somebody who types into a field with what that finds."""
    return finders.answer(FINDERS, field, current_actor())


def _organisation_chosen(values: _Values) -> None:
    if not values.get("organisation"):
        raise Invalid("No organisation is chosen.", mend="Type some of its name, then choose it.")


def _form(thing: str, values: _Values, error: PortalError | None = None) -> ResponseReturnValue:
    problem, code = refused(error) if error else ("", 200)
    choices: dict[str, Any] = {}
    if thing != "organisation":
        actor = current_actor()
        choices["organisation"] = finders.field(FINDERS, "organisation", actor, values)
        choices["none_words"] = FINDERS["organisation"].none_words
    return (
        render_template(f"administration/new_{thing}.html", values=values, problem=problem, **choices),
        code,
    )


# Sessions


@signed_in(Role.ADMINISTRATOR)
def sessions() -> ResponseReturnValue:
    """List the sessions that hold, of everybody or of one person."""
    actor, person_id = current_actor(), wanted_text(request.args, "person")
    now = runtime().clock()
    found = runtime().people.sessions(actor, person_id, _SESSIONS)
    rows = [
        {
            "id": item.session.id,
            "name": item.name,
            "organisation": item.organisation,
            "person_url": url_for("administration.person", person_id=item.session.person_id),
            "role": ROLE_WORDS[Role(item.session.role)] if item.session.role else "all roles held",
            "assurance": ASSURANCE_WORDS[item.session.assurance],
            "address": item.session.address,
            "created": moment(item.session.created),
            "seen": age_words(item.session.seen, now),
            "own": item.session.id == actor.session,
        }
        for item in found
    ]
    return render_template(
        "administration/sessions.html",
        rows=rows,
        most=_SESSIONS,
        person=person_id or "",
        name=found[0].name if person_id and found else "",
    )


@signed_in(Role.ADMINISTRATOR)
def end_session(session_id: str) -> ResponseReturnValue:
    """End somebody's session."""
    runtime().people.end_session(current_actor(), session_id)
    flash("The session has ended.", "good")
    kept: dict[str, Any] = {"person": request.form["person"]} if request.form.get("person") else {}
    return redirect(url_for("administration.sessions", **kept), 303)


# The system


@signed_in(Role.ADMINISTRATOR)
def status() -> ResponseReturnValue:
    """Show storage, keys, log, queue and policy, each with what to do."""
    found = runtime().status.show(current_actor())
    return render_template(
        "administration/status.html", status=found, tiles=health.tiles(found), advice=health.advice(found)
    )
