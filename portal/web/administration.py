"""The administrator's pages: accounts with one-time links and locks, organisations, programmes, the system's state."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from policies.requests import Role
from portal.errors import PortalError
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_text
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.status import SystemStatus
from portal.web import people_lists
from portal.web.forms import FORM_ERRORS, refused
from portal.web.people_lists import person_state, role_words
from portal.web.words import moment, moment_words, size_words

_CHOICES = 200
"""Organisations in one list of choices; older ones are a page further."""
_LITTLE = 0.1
"""The share of free storage below which the administrator is warned."""

_Values = MultiDict[str, str]


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("administration", __name__, url_prefix="/administration")
    add = blueprint.add_url_rule
    add("/people", "people", people, methods=["GET"])
    add("/people/find", "find_people", find_people, methods=["POST"])
    add("/people/new", "person_form", person_form, methods=["GET"])
    add("/people/new", "create_person", create_person, methods=["POST"])
    add("/people/<person_id>", "person", person, methods=["GET"])
    add("/people/<person_id>/invite", "invite", invite, methods=["POST"])
    add("/people/<person_id>/lock", "lock_form", lock_form, methods=["GET"])
    add("/people/<person_id>/lock", "lock", lock, methods=["POST"])
    add("/people/<person_id>/unlock", "unlock", unlock, methods=["POST"])
    add("/organisations", "organisations", organisations, methods=["GET"])
    add("/organisations/new", "organisation_form", organisation_form, methods=["GET"])
    add("/organisations/new", "create_organisation", create_organisation, methods=["POST"])
    add("/organisations/<organisation_id>/rename", "rename", rename, methods=["POST"])
    add("/organisations/<organisation_id>/deactivate", "deactivate", deactivate, methods=["POST"])
    add("/organisations/<organisation_id>/reactivate", "reactivate", reactivate, methods=["POST"])
    add("/programmes", "programmes", programmes, methods=["GET"])
    add("/programmes/new", "programme_form", programme_form, methods=["GET"])
    add("/programmes/new", "create_programme", create_programme, methods=["POST"])
    add("/status", "status", status, methods=["GET"])
    return blueprint


# People


@signed_in(Role.ADMINISTRATOR)
def people() -> ResponseReturnValue:
    """List people, the newest first."""
    return people_lists.people_page(runtime().people.people, "administration")


@signed_in(Role.ADMINISTRATOR)
def find_people() -> ResponseReturnValue:
    """Find a person by e-mail address."""
    return people_lists.find_people(runtime().people.people, "administration")


@signed_in(Role.ADMINISTRATOR)
def person_form() -> ResponseReturnValue:
    """Show the form of a new account."""
    return _form("person", request.args)


@signed_in(Role.ADMINISTRATOR)
def create_person() -> ResponseReturnValue:
    """Create an account."""
    values = request.form
    try:
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


def _organisations(
    values: _Values, error: PortalError | None = None, concerned: str = ""
) -> ResponseReturnValue:
    problem, code = refused(error) if error else ("", 200)
    cursor = wanted_text(values, "cursor")
    page = runtime().people.organisations(current_actor(), cursor, wanted_limit(request.args))
    return (
        render_template(
            "administration/organisations.html",
            rows=[{"organisation": item, "created": moment(item.created)} for item in page.items],
            cursor=cursor or "",
            own=current_actor().organisation_id,
            problem=problem,
            concerned=concerned,
            typed=values.get("name", ""),
            older_url=url_for("administration.organisations", cursor=page.next) if page.next else "",
            newest_url=url_for("administration.organisations") if cursor else "",
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
    page = runtime().people.programmes(current_actor(), cursor, wanted_limit(request.args))
    return render_template(
        "administration/programmes.html",
        rows=[{"programme": item, "created": moment(item.created)} for item in page.items],
        older_url=url_for("administration.programmes", cursor=page.next) if page.next else "",
        newest_url=url_for("administration.programmes") if cursor else "",
    )


@signed_in(Role.ADMINISTRATOR)
def programme_form() -> ResponseReturnValue:
    """Show the form of a new programme."""
    return _form("programme", request.args)


@signed_in(Role.ADMINISTRATOR)
def create_programme() -> ResponseReturnValue:
    """Create a programme."""
    values = request.form
    try:
        runtime().people.create_programme(
            current_actor(), values.get("name", ""), values.get("organisation", "")
        )
    except FORM_ERRORS as error:
        return _form("programme", values, error)
    flash("The programme is there. A security officer makes people members of it.", "good")
    return redirect(url_for("administration.programmes"), 303)


# The forms of what is new


def _form(thing: str, values: _Values, error: PortalError | None = None) -> ResponseReturnValue:
    problem, code = refused(error) if error else ("", 200)
    choices = _organisation_choices(current_actor(), values) if thing != "organisation" else {}
    return (
        render_template(
            f"administration/new_{thing}.html",
            values=values,
            problem=problem,
            here=f"administration.{thing}_form",
            **choices,
        ),
        code,
    )


def _organisation_choices(actor: Actor, values: _Values) -> dict[str, Any]:
    cursor = wanted_text(values, "cursor")
    page = runtime().people.organisations(actor, cursor, _CHOICES)
    return {
        "organisations": [(item.id, f"{item.name} ({item.nation})") for item in page.items if item.active],
        "cursor": cursor or "",
        "older": page.next,
    }


# The system


@signed_in(Role.ADMINISTRATOR)
def status() -> ResponseReturnValue:
    """Show storage, keys, log and policy."""
    found = runtime().status.show(current_actor())
    return render_template("administration/status.html", status=found, tiles=_tiles(found))


def _tiles(found: SystemStatus) -> list[dict[str, str]]:
    little = found.disk_free < found.disk_total * _LITTLE
    signed = "No signed checkpoint yet" if found.checkpoint is None else f"Signed up to {found.checkpoint:,}"
    return [
        {
            "name": "Storage free",
            "value": size_words(found.disk_free),
            "note": f"of {size_words(found.disk_total)}" + (": make room soon" if little else ""),
            "tone": "warn" if little else "",
            "url": "",
        },
        {"name": "Documents", "value": f"{found.documents:,}", "note": "encrypted", "tone": "", "url": ""},
        {
            "name": "Keys",
            "value": f"{found.keys:,}",
            "note": "wrapped by the root key",
            "tone": "",
            "url": "",
        },
        {
            "name": "Log records",
            "value": f"{found.log_size:,}",
            "note": signed,
            "tone": "warn" if found.checkpoint is None else "",
            "url": "",
        },
        {
            "name": "Security policy",
            "value": found.policy_name,
            "note": f"Digest {found.policy_digest[:8]}…",
            "tone": "",
            "url": "",
        },
    ]
