"""Giving and ending a grant, in two steps: the form, then a page that says exactly what changes and asks once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from policies.requests import Role
from portal.errors import Invalid, NotFound, PortalError
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.directory import Named
from portal.services.grant_views import GrantView
from portal.web.forms import FORM_ERRORS, refused, wanted_day
from portal.web.grant_kinds import Contents, Values, contents, kind_named
from portal.web.words import day_words

_WHO = "who"
"""What a token of a person's name is about."""
_STEPS = frozenset({"csrf_token", "find", "draft"})
"""Fields that say where in the two steps a form stands; the others are its contents."""


def _drafted(about: str) -> Values:
    """Return what a form holds: its fields, or what the question before it carries, sealed."""
    token = request.values.get("draft", "")
    if not token:
        return request.form if request.method == "POST" else request.args
    return MultiDict(runtime().grants.read_draft(current_actor(), about, token))


def _draft(about: str, values: Values) -> str:
    fields = [(name, value) for name, value in values.items(multi=True) if name not in _STEPS]
    return runtime().grants.write_draft(current_actor(), about, fields)


def _reason_given(values: Values) -> None:
    if not values.get("reason", "").strip():
        raise Invalid("The reason is missing.", mend="Say in one sentence why; nothing was changed.")


@signed_in(Role.OFFICER)
def grant_form(person_id: str, kind: str) -> ResponseReturnValue:
    """Show the form that grants something to a person, or the question whether what it says is right."""
    values = _drafted(f"{person_id} {kind}")
    if "draft" not in request.args or "again" in request.args:
        return _grant_form(person_id, kind, values)
    try:
        kind_named(kind).grant(current_actor(), person_id, values, True)
        return _confirm_grant(person_id, kind, values)
    except FORM_ERRORS as error:
        return _grant_form(person_id, kind, values, error)


@signed_in(Role.OFFICER)
def grant(person_id: str, kind: str) -> ResponseReturnValue:
    """Check the form and go to the question; once that is answered, grant it."""
    actor, found, about = current_actor(), kind_named(kind), f"{person_id} {kind}"
    values = _drafted(about)
    if "find" in request.form:
        return _grant_form(person_id, kind, values)
    confirmed = "draft" in request.form
    try:
        found.grant(actor, person_id, values, True)
        _reason_given(values)
        if not confirmed:
            # A page of its own address: one comes back to it, and reloads it, without sending anything again.
            here = url_for("officer.grant_form", person_id=person_id, kind=kind, draft=_draft(about, values))
            return redirect(here, 303)
        found.grant(actor, person_id, values, False)
    except FORM_ERRORS as error:
        return _grant_form(person_id, kind, values, error)
    flash(f"{found.done} It is recorded with your name.", "good")
    return redirect(url_for("officer.person", person_id=person_id), 303)


def _confirm_grant(person_id: str, kind: str, values: Values) -> ResponseReturnValue:
    actor, found = current_actor(), kind_named(kind)
    start, end = wanted_day(values, "from"), wanted_day(values, "until")
    if start is not None and start <= runtime().clock():
        start = None
    return _confirm(
        person_id,
        kind,
        values,
        giving=True,
        person=_named(actor, person_id, values),
        what=found.described(actor, values),
        action=url_for("officer.grant", person_id=person_id, kind=kind),
        times=[
            ("From", day_words(start) if start else "now"),
            ("Until", day_words(end) if end else "it is ended"),
        ],
    )


def _confirm(
    person_id: str,
    kind: str,
    values: Values,
    *,
    giving: bool,
    person: Named,
    what: Contents,
    action: str,
    times: Sequence[tuple[str, str]],
) -> ResponseReturnValue:
    found = kind_named(kind)
    return render_template(
        "officer/confirm.html",
        person=person,
        kind=kind,
        thing=found.thing,
        giving=giving,
        offer=found.offer if giving else f"End a {found.thing}",
        what=what,
        times=times,
        reason=values.get("reason", "").strip(),
        action=action,
        draft=request.args["draft"],
        back=url_for("officer.person", person_id=person_id),
    )


def _grant_form(
    person_id: str, kind: str, values: Values, error: PortalError | None = None
) -> ResponseReturnValue:
    actor, found = current_actor(), kind_named(kind)
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


def _named(actor: Actor, person_id: str, values: Values) -> Named:
    """Return whose form this is: from the link that led here (sealed), else from everything they were granted."""
    return sealed_name(actor, person_id, values.get("who", "")) or _looked_up(actor, person_id)


def _looked_up(actor: Actor, person_id: str) -> Named:
    found = runtime().grants.of_person(actor, person_id).person
    return Named(person_id, found.name)


def seal_name(actor: Actor, person: Named) -> str:
    """Return a token that carries a person's name to the next page, so that it need not be looked up again."""
    return runtime().grants.write_draft(actor, _WHO, [(person.id, person.name)])


def sealed_name(actor: Actor, person_id: str, token: str) -> Named | None:
    """Return the person that a token of `seal_name` carries; None when there is none, or it is another person's."""
    if not token:
        return None
    [(held, name)] = runtime().grants.read_draft(actor, _WHO, token)
    return Named(person_id, name) if held == person_id else None


@signed_in(Role.OFFICER)
def end_form(person_id: str, kind: str, grant_id: str) -> ResponseReturnValue:
    """Ask when, and why, a grant shall end, or whether what was said is right."""
    values = _drafted(grant_id)
    if "draft" not in request.args or "again" in request.args:
        return _end_form(person_id, kind, grant_id, values)
    try:
        at = _wanted_end(values)
        kind_named(kind).end()(current_actor(), grant_id, at, reason=values.get("reason", ""), dry=True)
        return _confirm_end(person_id, kind, grant_id, values, at)
    except FORM_ERRORS as error:
        return _end_form(person_id, kind, grant_id, values, error)


@signed_in(Role.OFFICER)
def end(person_id: str, kind: str, grant_id: str) -> ResponseReturnValue:
    """Check the form and go to the question; once that is answered, end the grant."""
    actor, ending, values = current_actor(), kind_named(kind).end(), _drafted(grant_id)
    try:
        at = _wanted_end(values)
        ending(actor, grant_id, at, reason=values.get("reason", ""), dry=True)
        _reason_given(values)
        if "draft" not in request.form:
            draft = _draft(grant_id, values)
            here = url_for("officer.end_form", person_id=person_id, kind=kind, grant_id=grant_id, draft=draft)
            return redirect(here, 303)
        ending(actor, grant_id, at, reason=values["reason"], dry=False)
    except FORM_ERRORS as error:
        return _end_form(person_id, kind, grant_id, values, error)
    flash("It ends on that day." if at else "It has ended.", "good")
    return redirect(url_for("officer.person", person_id=person_id), 303)


def _wanted_end(values: Values) -> datetime | None:
    at = wanted_day(values, "at")
    return None if at is not None and at.date() == runtime().clock().date() else at


def _confirm_end(
    person_id: str, kind: str, grant_id: str, values: Values, at: datetime | None
) -> ResponseReturnValue:
    person, item = _held(person_id, kind, grant_id)
    return _confirm(
        person_id,
        kind,
        values,
        giving=False,
        person=person,
        what=contents(item),
        action=url_for("officer.end", person_id=person_id, kind=kind, grant_id=grant_id),
        times=[
            ("Held since", day_words(item.valid_from)),
            ("Ends", day_words(at) if at else "now"),
        ],
    )


def _held(person_id: str, kind: str, grant_id: str) -> tuple[Named, GrantView]:
    grants = runtime().grants.of_person(current_actor(), person_id)
    item = next((each for each in kind_named(kind).of(grants) if each.id == grant_id), None)
    if item is None:
        raise NotFound("There is no such grant.")
    return Named(person_id, grants.person.name), item


def _end_form(
    person_id: str, kind: str, grant_id: str, values: Values, error: PortalError | None = None
) -> ResponseReturnValue:
    found = kind_named(kind)
    problem, status = refused(error) if error else ("", 200)
    person, item = _held(person_id, kind, grant_id)
    shown: dict[str, Any] = {
        "person": person,
        "thing": found.thing,
        "what": contents(item),
        "start": day_words(item.valid_from),
        "until": day_words(item.valid_until) if item.valid_until else "open",
        "action": url_for("officer.end", person_id=person_id, kind=kind, grant_id=grant_id),
        "values": values,
        "today": runtime().clock().date().isoformat(),
        "problem": problem,
    }
    return render_template("officer/end.html", **shown), status
