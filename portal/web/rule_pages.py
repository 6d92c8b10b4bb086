"""What rules ask beside people's own grants, in the browser: settings of classifications, premises, instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.errors import NotFound
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.actor import Actor
from portal.services.circumstance_views import FacilityView, InstructionView, SettingView
from portal.services.grant_views import GrantState
from portal.services.level_settings import SettingKind
from portal.web.clearances import class_words, levels
from portal.web.forms import FORM_ERRORS, refused, wanted_day
from portal.web.frame import count_beside
from portal.web.words import Chip, moment_words

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
STATES: Mapping[GrantState, str] = MappingProxyType(
    {GrantState.FUTURE: "not-yet", GrantState.IN_FORCE: "in-force", GrantState.ENDED: "ended"}
)
_ORGANISATIONS = 200


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("rules", __name__)
    add = blueprint.add_url_rule
    for name, show, make in (
        ("levels", show_levels, set_level),
        ("premises", premises, grant_facility),
        ("instructions", instructions, issue_instruction),
    ):
        add(f"/policy/{name}", name, show, methods=["GET"])
        add(f"/policy/{name}", f"add_{name}", make, methods=["POST"])
    add("/policy/<section>/<row_id>/end", "end", end, methods=["POST"])
    add("/instructions", "own_instructions", own_instructions, methods=["GET"])
    add("/instructions/<instruction_id>", "acknowledge", acknowledge, methods=["POST"])
    blueprint.record(_count)
    return blueprint


def _count(state: BlueprintSetupState) -> None:
    assert isinstance(state.app, Flask)
    count_beside(state.app, "rules.own_instructions", _to_read)


def _to_read(actor: Actor) -> str:
    number = g.get("to_read")
    if number is None:
        number = runtime().circumstances.number_to_acknowledge(actor)
    return f"{number:,} to read" if number else ""


# Settings of classifications


@signed_in(Role.OFFICER)
def show_levels() -> ResponseReturnValue:
    """List how classifications are handled, and from where and when they are used."""
    return _levels()


def _levels(problem: str = "", status: int = 200) -> ResponseReturnValue:
    found = runtime().circumstances.settings(current_actor())
    return (
        render_template(
            "policy/levels.html",
            rows=[_setting_row(item) for item in found],
            levels=levels(runtime().access.policy, request.form.getlist("level")),
            days=list(enumerate(_DAYS)),
            **_form(problem),
        ),
        status,
    )


def _setting_row(item: SettingView) -> dict[str, Any]:
    return {**_row(item, "levels"), "chip": _chip((item.classification,)), "what": _setting_words(item)}


def _setting_words(item: SettingView) -> str:
    if item.kind is SettingKind.HANDLING:
        return "Viewed only: no download, no print" if item.value == "view-only" else "Handed out"
    if item.kind is SettingKind.NETWORKS:
        return "From " + ", ".join(item.value)
    return "; ".join(
        f"{span['start']} to {span['end']} ({span['zone']}), {_days_words(span['days'])}"
        for span in item.value
    )


def _days_words(days: Sequence[int]) -> str:
    return "every day" if len(days) == len(_DAYS) else ", ".join(_DAYS[day] for day in days)


@signed_in(Role.OFFICER)
def set_level() -> ResponseReturnValue:
    """Set how a classification is handled, or from where or when it is used."""
    form = request.form
    try:
        kind = form.get("kind", "")
        runtime().circumstances.set_level(
            current_actor(), form.get("level", ""), kind, _setting_value(kind), *_period()
        )
    except FORM_ERRORS as error:
        return _levels(*refused(error))
    return _done("It is set. It is recorded with your name.", "levels")


def _setting_value(kind: str) -> Any:
    form = request.form
    if kind == SettingKind.HANDLING:
        return form.get("handling", "")
    if kind == SettingKind.NETWORKS:
        return form.get("networks", "").replace(",", " ").split()
    days = [int(day) for day in form.getlist("day") if day.isdecimal()]
    return [
        {
            "start": form.get("start", ""),
            "end": form.get("end", ""),
            "zone": form.get("zone", ""),
            "days": days or list(range(len(_DAYS))),
        }
    ]


# Premises


@signed_in(Role.OFFICER)
def premises() -> ResponseReturnValue:
    """List what organisations' premises are cleared for."""
    return _premises()


def _premises(problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    named = {
        item.id: f"{item.name} ({item.nation})"
        for item in runtime().grants.all_organisations(actor, None, _ORGANISATIONS).items
    }
    return (
        render_template(
            "policy/premises.html",
            rows=[
                {
                    **_row(item, "premises"),
                    "chip": _chip(item.classifications),
                    "organisation": named.get(item.organisation_id, item.organisation_id[:8]),
                    "authority": item.authority,
                }
                for item in runtime().circumstances.facilities(actor)
            ],
            organisations=list(named.items()),
            levels=levels(runtime().access.policy, request.form.getlist("level")),
            needed_from=_needed_from(),
            **_form(problem),
        ),
        status,
    )


def _needed_from() -> str:
    level = runtime().settings.facility_from
    return class_words(runtime().access.policy, level) if level else ""


@signed_in(Role.OFFICER)
def grant_facility() -> ResponseReturnValue:
    """Clear an organisation's premises."""
    form = request.form
    try:
        start, until = _period()
        runtime().circumstances.grant_facility(
            current_actor(),
            form.get("organisation", ""),
            form.get("level", ""),
            authority=form.get("authority", ""),
            valid_from=start,
            valid_until=until,
        )
    except (*FORM_ERRORS, NotFound) as error:
        return _premises(*refused(error))
    return _done("The premises are cleared. It is recorded with your name.", "premises")


# Instructions


@signed_in(Role.OFFICER)
def instructions() -> ResponseReturnValue:
    """List the instructions that readers acknowledge."""
    return _instructions()


def _instructions(problem: str = "", status: int = 200) -> ResponseReturnValue:
    return (
        render_template(
            "policy/instructions.html",
            rows=[
                {**_instruction(item), **_row(item, "instructions")}
                for item in runtime().circumstances.instructions(current_actor())
            ],
            levels=levels(runtime().access.policy, request.form.getlist("level")),
            **_form(problem),
        ),
        status,
    )


@signed_in(Role.OFFICER)
def issue_instruction() -> ResponseReturnValue:
    """Put an instruction into force."""
    form = request.form
    try:
        runtime().circumstances.issue_instruction(
            current_actor(),
            form.getlist("level"),
            form.get("title", ""),
            form.get("text", ""),
            *_period(),
        )
    except FORM_ERRORS as error:
        return _instructions(*refused(error))
    return _done("The instruction is issued. Readers are asked to acknowledge it.", "instructions")


@signed_in(Role.PARTNER, Role.OFFICIAL)
def own_instructions() -> ResponseReturnValue:
    """Show a reader the instructions in force, and which they have acknowledged."""
    found = runtime().circumstances.own_instructions(current_actor())
    return render_template("policy/own_instructions.html", rows=[_instruction(item) for item in found])


@signed_in(Role.PARTNER, Role.OFFICIAL)
def acknowledge(instruction_id: str) -> ResponseReturnValue:
    """Acknowledge an instruction."""
    runtime().circumstances.acknowledge(current_actor(), instruction_id)
    flash("You have acknowledged it. It is recorded with your name.", "good")
    return redirect(url_for("rules.own_instructions"), 303)


# What they have in common


@signed_in(Role.OFFICER)
def end(section: str, row_id: str) -> ResponseReturnValue:
    """End what a section keeps, now or at a day."""
    service = runtime().circumstances
    sections: Mapping[
        str, tuple[Callable[[Actor, str, datetime | None], None], Callable[..., ResponseReturnValue]]
    ] = {
        "levels": (service.end_setting, _levels),
        "premises": (service.end_facility, _premises),
        "instructions": (service.end_instruction, _instructions),
    }
    if section not in sections:
        raise NotFound("There is no such page, or it is not open to you.")
    finish, page = sections[section]
    try:
        at = wanted_day(request.form, "at")
        if at is not None and at.date() == runtime().clock().date():
            at = None
        finish(current_actor(), row_id, at)
    except FORM_ERRORS as error:
        return page(*refused(error))
    return _done("It ends on that day." if at else "It has ended.", section)


def _period() -> tuple[datetime | None, datetime | None]:
    return wanted_day(request.form, "from"), wanted_day(request.form, "until")


def _form(problem: str) -> dict[str, Any]:
    today = runtime().clock().date().isoformat()
    return {"problem": problem, "values": request.form, "today": today}


def _done(words: str, section: str) -> ResponseReturnValue:
    flash(words, "good")
    return redirect(url_for(f"rules.{section}"), 303)


def _row(item: FacilityView | InstructionView | SettingView, section: str) -> dict[str, Any]:
    ended = item.state is GrantState.ENDED
    return {
        "state": STATES[item.state],
        "start": moment_words(item.valid_from),
        "end": moment_words(item.valid_until) if item.valid_until else "",
        "entry": item.log_entry,
        "end_url": "" if ended else url_for("rules.end", section=section, row_id=item.id),
    }


def _instruction(item: InstructionView) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "paragraphs": [part for part in item.text.split("\n") if part.strip()],
        "chips": [_chip((name,)) for name in item.classifications],
        "acknowledged": moment_words(item.acknowledged) if item.acknowledged else "",
    }


def _chip(names: Sequence[str]) -> Chip:
    policy = runtime().access.policy
    ranked = [item for item in policy.classifications if item.name in names]
    if not ranked:
        return Chip(", ".join(names), "", 0)
    return Chip(class_words(policy, ranked[-1].name), "", ranked[-1].lacv)
