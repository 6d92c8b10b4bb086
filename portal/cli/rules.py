"""`strongroom rules`: what rules ask beside people's own grants, kept as a security officer and never overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from policies.requests import Act, ReleasedTo
from portal.cli.options import Moment, acting, acting_options, json_option
from portal.cli.people import day, show, told
from portal.services.level_settings import SettingKind
from portal.services.releases import SECTIONS

if TYPE_CHECKING:
    from portal.services.actor import Actor
    from portal.services.runtime import Runtime

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PERIOD = {
    "State": lambda view: view.state,
    "From (UTC)": lambda view: day(view.valid_from),
    "Until (UTC)": lambda view: day(view.valid_until),
}


def _period_options(command: _Command) -> _Command:
    """Add `--from` and `--until` to a command that grants something, with what every such command has."""
    since = click.option("--from", "valid_from", type=Moment(), help="When it begins; now by default.")
    until = click.option("--until", "valid_until", type=Moment(), help="When it ends; open by default.")
    return acting_options(since(until(json_option(command))))


def _lists(
    group: click.Group, words: str, found: Callable[[Runtime, Actor], Any], columns: dict[str, Any]
) -> None:
    """Give a group its command `list`."""

    @group.command("list", help=words)
    @acting_options
    @json_option
    def list_all(data: Path, token: str, as_json: bool) -> None:
        with acting(data, token) as (runtime, actor):
            show(found(runtime, actor), as_json, {"Id": lambda view: view.id, **columns, **_PERIOD})


def _ends(
    group: click.Group, words: str, end: Callable[[Runtime, Actor, str, datetime | None], None]
) -> None:
    """Give a group its command `end`."""

    @group.command("end", help=words)
    @acting_options
    @click.argument("grant")
    @click.option("--at", type=Moment(), help="When it ends; now by default.")
    @json_option
    def end_one(data: Path, token: str, grant: str, at: datetime | None, as_json: bool) -> None:
        with acting(data, token) as (runtime, actor):
            end(runtime, actor, grant, at)
        told(as_json, id=grant, outcome="ends" if at else "ended")


@click.group()
def rules() -> None:
    """What rules ask beside people's own grants, as a security officer."""


# Premises


@rules.group()
def premises() -> None:
    """Facility clearances of organisations."""


_lists(
    premises,
    "List every facility clearance ever granted, the newest first.",
    lambda runtime, actor: runtime.circumstances.facilities(actor),
    {
        "Organisation": lambda view: view.organisation_id,
        "Classifications": lambda view: ", ".join(view.classifications),
        "Authority": lambda view: view.authority,
    },
)
_ends(
    premises,
    "End the facility clearance with the id GRANT.",
    lambda runtime, actor, grant, at: runtime.circumstances.end_facility(actor, grant, at),
)


@premises.command("grant")
@click.argument("organisation")
@click.option(
    "--up-to", required=True, metavar="CLASSIFICATION", help="Highest classification, such as SECRET."
)
@click.option("--authority", required=True, help="Who issued the clearance.")
@_period_options
def grant_premises(data: Path, token: str, organisation: str, up_to: str, as_json: bool, **more: Any) -> None:
    """Clear the premises of ORGANISATION (id) for every level up to CLASSIFICATION, and print the id."""
    with acting(data, token) as (runtime, actor):
        made = runtime.circumstances.grant_facility(actor, organisation, up_to, **more)
    told(as_json, made, id=made)


# Instructions


@rules.group()
def instructions() -> None:
    """Instructions that readers acknowledge."""


_lists(
    instructions,
    "List every instruction ever issued, the newest first.",
    lambda runtime, actor: runtime.circumstances.instructions(actor),
    {
        "Title": lambda view: view.title,
        "Classifications": lambda view: ", ".join(view.classifications),
    },
)
_ends(
    instructions,
    "End the instruction with the id GRANT.",
    lambda runtime, actor, grant, at: runtime.circumstances.end_instruction(actor, grant, at),
)


@instructions.command("issue")
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
@_period_options
def issue_instruction(
    data: Path, token: str, file: TextIO, title: str, levels: tuple[str, ...], as_json: bool, **period: Any
) -> None:
    """Issue the text FILE (- for standard input) as an instruction, and print its id."""
    text = file.read()
    with acting(data, token) as (runtime, actor):
        made = runtime.circumstances.issue_instruction(actor, levels, title, text, **period)
    told(as_json, made, id=made)


@instructions.command("acknowledged")
@acting_options
@click.argument("instruction")
@click.argument("person")
@json_option
def record_acknowledgement(data: Path, token: str, instruction: str, person: str, as_json: bool) -> None:
    """Record that PERSON (id) has acknowledged INSTRUCTION (id), on paper say."""
    with acting(data, token) as (runtime, actor):
        runtime.circumstances.record_acknowledgement(actor, person, instruction)
    told(as_json, instruction=instruction, person=person, outcome="acknowledged")


# Levels


@rules.group()
def levels() -> None:
    """How documents of a classification are handled, and from where and when they are used."""


_lists(
    levels,
    "List every setting ever made, the newest first.",
    lambda runtime, actor: runtime.circumstances.settings(actor),
    {
        "Classification": lambda view: view.classification,
        "Kind": lambda view: view.kind,
        "Value": lambda view: json.dumps(view.value),
    },
)
_ends(
    levels,
    "End the setting with the id GRANT.",
    lambda runtime, actor, grant, at: runtime.circumstances.end_setting(actor, grant, at),
)


@levels.command("set")
@click.argument("classification")
@click.argument("kind", type=click.Choice([kind.value for kind in SettingKind]))
@click.argument("value")
@_period_options
def set_level(
    data: Path, token: str, classification: str, kind: str, value: str, as_json: bool, **period: Any
) -> None:
    """Set KIND of CLASSIFICATION to VALUE, and print the setting's id.

    Handling: view-only or open. Networks: 192.0.2.0/24,2001:db8::/32. Hours: 07:00-19:00@Europe/Brussels for every
    day, or with the days before, 0 being Monday: 0,1,2,3,4:07:00-19:00@Europe/Brussels.
    """
    with acting(data, token) as (runtime, actor):
        chosen = _value(SettingKind(kind), value)
        made = runtime.circumstances.set_level(actor, classification, kind, chosen, **period)
    told(as_json, made, id=made)


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


# Documents


@rules.group()
def documents() -> None:
    """To whom a document is released, and what its originator demands and agrees to."""


@documents.command("show")
@acting_options
@click.argument("document")
@json_option
def show_document(data: Path, token: str, document: str, as_json: bool) -> None:
    """List the releases, the control and the consents of DOCUMENT (id), ever made."""
    with acting(data, token) as (runtime, actor):
        found = runtime.releases.of_document(actor, document)
    if as_json:
        show([found], True, {})
        return
    click.echo(f"{found.marking}, from {found.originator.name} to {found.addressee.name}")
    control = "with the consent of its originator only" if found.controlled else "as officers decide"
    click.echo(f"Passed on {control}\n")
    kept = [
        *(("release", f"{item.to_kind} {item.to.name}", item.reason, item) for item in found.releases),
        *(("control", "", item.reason, item) for item in found.controls),
        *(("consent", item.act, item.reference, item) for item in found.consents),
    ]
    columns = {
        "Id": lambda row: row[3].id,
        "What": lambda row: row[0],
        "To": lambda row: row[1],
        "Why": lambda row: row[2],
        "State": lambda row: row[3].state,
        "From (UTC)": lambda row: day(row[3].valid_from),
        "Until (UTC)": lambda row: day(row[3].valid_until),
    }
    show(kept, False, columns)


@documents.command("release")
@click.argument("document")
@click.argument("to", metavar="KIND:ID")
@click.option("--reason", required=True, help="Who asked for it.")
@_period_options
def release_document(data: Path, token: str, document: str, to: str, as_json: bool, **more: Any) -> None:
    """Release DOCUMENT (id) to person:ID, organisation:ID or programme:ID, and print the release's id."""
    kind, colon, target = to.partition(":")
    if not colon or kind not in [item.value for item in ReleasedTo]:
        raise click.BadParameter(
            f"{to!r} is not person:ID, organisation:ID or programme:ID", param_hint="KIND:ID"
        )
    with acting(data, token) as (runtime, actor):
        made = runtime.releases.release(actor, document, kind, target, **more)
    told(as_json, made, id=made)


@documents.command("control")
@click.argument("document")
@click.option("--reason", required=True, help="Such as the clause of the contract.")
@_period_options
def control_document(data: Path, token: str, document: str, as_json: bool, **more: Any) -> None:
    """Let DOCUMENT (id) be passed on with the consent of its originator only, and print the id."""
    with acting(data, token) as (runtime, actor):
        made = runtime.releases.control(actor, document, **more)
    told(as_json, made, id=made)


@documents.command("consent")
@click.argument("document")
@click.option(
    "--to",
    "act",
    type=click.Choice([Act.RELEASE.value, Act.RELABEL.value]),
    default=Act.RELEASE.value,
    show_default=True,
    help="What the originator agrees to.",
)
@click.option("--reference", required=True, help="Where it stands, such as the number of the letter.")
@_period_options
def record_consent(data: Path, token: str, document: str, act: str, as_json: bool, **more: Any) -> None:
    """Record that the originator of DOCUMENT (id) consents, and print the id."""
    with acting(data, token) as (runtime, actor):
        made = runtime.releases.consent(actor, document, act, **more)
    told(as_json, made, id=made)


@documents.command("end")
@acting_options
@click.argument("section", type=click.Choice(sorted(SECTIONS)))
@click.argument("grant")
@click.option("--at", type=Moment(), help="When it ends; now by default.")
@json_option
def end_of_document(
    data: Path, token: str, section: str, grant: str, at: datetime | None, as_json: bool
) -> None:
    """End the release, the control or the consent with the id GRANT."""
    with acting(data, token) as (runtime, actor):
        runtime.releases.end(actor, section, grant, at)
    told(as_json, id=grant, outcome="ends" if at else "ended")
