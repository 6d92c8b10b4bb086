"""`strongroom rules`: facility clearances, instructions and settings of classifications, as a security officer."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TextIO

import click

from portal.cli.options import Moment, acting, acting_options, json_option
from portal.cli.people import day, show
from portal.services.level_settings import SettingKind

_since = click.option("--from", "since", type=Moment(), help="When it begins; now by default.")
_until = click.option("--until", type=Moment(), help="When it ends; open by default.")
_at = click.option("--at", type=Moment(), help="When it ends; now by default.")
_period = {
    "State": lambda view: view.state,
    "From (UTC)": lambda view: day(view.valid_from),
    "Until (UTC)": lambda view: day(view.valid_until),
}


@click.group()
def rules() -> None:
    """What rules ask beside people's own grants, as a security officer."""


@rules.group()
def premises() -> None:
    """Facility clearances of organisations."""


@premises.command("list")
@acting_options
@json_option
def list_premises(data: Path, token: str, as_json: bool) -> None:
    """List every facility clearance ever granted, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.circumstances.facilities(actor)
    columns = {
        "Id": lambda view: view.id,
        "Organisation": lambda view: view.organisation_id,
        "Classifications": lambda view: ", ".join(view.classifications),
        "Authority": lambda view: view.authority,
        **_period,
    }
    show(found, as_json, columns)


@premises.command("grant")
@acting_options
@click.argument("organisation")
@click.option(
    "--up-to", required=True, metavar="CLASSIFICATION", help="Highest classification, such as SECRET."
)
@click.option("--authority", required=True, help="Who issued the clearance.")
@_since
@_until
def grant_premises(
    data: Path,
    token: str,
    organisation: str,
    up_to: str,
    authority: str,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Clear the premises of ORGANISATION (id) for every level up to CLASSIFICATION, and print the id."""
    with acting(data, token) as (runtime, actor):
        click.echo(
            runtime.circumstances.grant_facility(
                actor, organisation, up_to, authority=authority, valid_from=since, valid_until=until
            )
        )


@premises.command("end")
@acting_options
@click.argument("grant")
@_at
def end_premises(data: Path, token: str, grant: str, at: datetime | None) -> None:
    """End the facility clearance with the id GRANT."""
    with acting(data, token) as (runtime, actor):
        runtime.circumstances.end_facility(actor, grant, at)


@rules.group()
def instructions() -> None:
    """Instructions that readers acknowledge."""


@instructions.command("list")
@acting_options
@json_option
def list_instructions(data: Path, token: str, as_json: bool) -> None:
    """List every instruction ever issued, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.circumstances.instructions(actor)
    columns = {
        "Id": lambda view: view.id,
        "Title": lambda view: view.title,
        "Classifications": lambda view: ", ".join(view.classifications),
        **_period,
    }
    show(found, as_json, columns)


@instructions.command("issue")
@acting_options
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--title", required=True, help="Title of the instruction.")
@click.option(
    "--level",
    "levels",
    required=True,
    multiple=True,
    metavar="CLASSIFICATION",
    help="For whom; may be repeated.",
)
@_since
@_until
def issue_instruction(
    data: Path,
    token: str,
    file: TextIO,
    title: str,
    levels: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Issue the text FILE (- for standard input) as an instruction, and print its id."""
    text = file.read()
    with acting(data, token) as (runtime, actor):
        click.echo(runtime.circumstances.issue_instruction(actor, levels, title, text, since, until))


@instructions.command("acknowledged")
@acting_options
@click.argument("instruction")
@click.argument("person")
def record_acknowledgement(data: Path, token: str, instruction: str, person: str) -> None:
    """Record that PERSON (id) has acknowledged INSTRUCTION (id), on paper say."""
    with acting(data, token) as (runtime, actor):
        runtime.circumstances.record_acknowledgement(actor, person, instruction)


@instructions.command("end")
@acting_options
@click.argument("instruction")
@_at
def end_instruction(data: Path, token: str, instruction: str, at: datetime | None) -> None:
    """End the INSTRUCTION (id)."""
    with acting(data, token) as (runtime, actor):
        runtime.circumstances.end_instruction(actor, instruction, at)


@rules.group()
def levels() -> None:
    """How documents of a classification are handled, and from where and when they are used."""


@levels.command("list")
@acting_options
@json_option
def list_levels(data: Path, token: str, as_json: bool) -> None:
    """List every setting ever made, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.circumstances.settings(actor)
    columns = {
        "Id": lambda view: view.id,
        "Classification": lambda view: view.classification,
        "Kind": lambda view: view.kind,
        "Value": lambda view: json.dumps(view.value),
        **_period,
    }
    show(found, as_json, columns)


@levels.command("set")
@acting_options
@click.argument("classification")
@click.argument("kind", type=click.Choice([kind.value for kind in SettingKind]))
@click.argument("value")
@_since
@_until
def set_level(
    data: Path,
    token: str,
    classification: str,
    kind: str,
    value: str,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Set KIND of CLASSIFICATION to VALUE, and print the setting's id.

    Handling: view-only or open. Networks: 192.0.2.0/24,2001:db8::/32. Hours: 07:00-19:00@Europe/Brussels for every
    day, or with the days before, 0 being Monday: 0,1,2,3,4:07:00-19:00@Europe/Brussels.
    """
    with acting(data, token) as (runtime, actor):
        click.echo(
            runtime.circumstances.set_level(
                actor, classification, kind, _value(SettingKind(kind), value), since, until
            )
        )


def _value(kind: SettingKind, text: str) -> object:
    if kind is SettingKind.HANDLING:
        return text
    if kind is SettingKind.NETWORKS:
        return text.replace(",", " ").split()
    span, at, zone = text.partition("@")
    days, colon, hours = span.partition(":") if span.count(":") == 3 else ("", ":", span)
    start, dash, end = hours.partition("-")
    if not (at and dash and colon):
        raise click.BadParameter(f"{text!r} is not START-END@ZONE", param_hint="VALUE")
    found: dict[str, object] = {"start": start, "end": end, "zone": zone}
    if days:
        found["days"] = days.split(",")
    return [found]


@levels.command("end")
@acting_options
@click.argument("setting")
@_at
def end_level(data: Path, token: str, setting: str, at: datetime | None) -> None:
    """End the SETTING (id)."""
    with acting(data, token) as (runtime, actor):
        runtime.circumstances.end_setting(actor, setting, at)
