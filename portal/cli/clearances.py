"""`strongroom clearances`: granting, listing and ending them, as the security officer whose token is given."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from portal.cli.options import Moment, acting, acting_options, json_option
from portal.cli.people import day, person_id, show


@click.group()
def clearances() -> None:
    """Clearances, as a security officer."""


@clearances.command("list")
@acting_options
@click.argument("person")
@json_option
def list_clearances(data: Path, token: str, person: str, as_json: bool) -> None:
    """List every clearance that PERSON (id or e-mail address) was ever granted, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.grants.of_person(actor, person_id(runtime, actor, person)).clearances
    columns = {
        "Id": lambda view: view.id,
        "State": lambda view: view.state,
        "Classifications": lambda view: ", ".join(view.classifications),
        "Categories": lambda view: "; ".join(
            f"{tag}: {', '.join(values)}" for tag, values in view.categories.items()
        ),
        "Authority": lambda view: view.authority,
        "From (UTC)": lambda view: day(view.valid_from),
        "Until (UTC)": lambda view: day(view.valid_until),
    }
    show(found, as_json, columns)


@clearances.command("grant")
@acting_options
@click.argument("person")
@click.option(
    "--up-to", required=True, metavar="CLASSIFICATION", help="Highest classification, such as SECRET."
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    metavar="TAG=VALUE",
    help="A category value, such as Context=NATO; may be repeated.",
)
@click.option("--authority", required=True, help="Who issued the clearance.")
@click.option("--from", "since", type=Moment(), help="When it begins; now by default.")
@click.option("--until", type=Moment(), help="When it ends; open by default.")
def grant_clearance(
    data: Path,
    token: str,
    person: str,
    up_to: str,
    categories: tuple[str, ...],
    authority: str,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Clear PERSON (id or e-mail address) for every level up to CLASSIFICATION, and print the grant's id."""
    values: dict[str, set[str]] = {}
    for text in categories:
        tag, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not TAG=VALUE", param_hint="--category")
        values.setdefault(tag.strip(), set()).add(value.strip())
    with acting(data, token) as (runtime, actor):
        who = person_id(runtime, actor, person)
        click.echo(
            runtime.grants.grant_clearance(
                actor, who, up_to, values, authority=authority, valid_from=since, valid_until=until
            )
        )


@clearances.command()
@acting_options
@click.argument("grant")
@click.option("--at", type=Moment(), help="When it ends; now by default.")
def end(data: Path, token: str, grant: str, at: datetime | None) -> None:
    """End the clearance with the id GRANT."""
    with acting(data, token) as (runtime, actor):
        runtime.grants.end_clearance(actor, grant, at)
