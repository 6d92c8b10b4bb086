"""`strongroom spill`: containing a document that should not be where it is, and the report on who saw it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from portal.cli.options import acting, acting_options, json_option
from portal.cli.people import show
from portal.clock import rfc3339
from portal.services.spills import SpillReport


@click.group()
def spill() -> None:
    """Contain documents at once, as a security officer, and say who saw them."""


@spill.command()
@acting_options
@click.argument("document")
@click.option("--reason", required=True, help="Why; kept sealed, and in the log as a commitment.")
def contain(data: Path, token: str, document: str, reason: str) -> None:
    """Contain DOCUMENT (an id) now: nobody opens or finds it any more. Print the containment's id."""
    with acting(data, token) as (runtime, actor):
        click.echo(runtime.spills.contain(actor, document, reason))


@spill.command()
@acting_options
@click.argument("containment")
def free(data: Path, token: str, containment: str) -> None:
    """End a containment that was for nothing, as another officer. To destroy: `strongroom destruction request`."""
    with acting(data, token) as (runtime, actor):
        runtime.spills.free(actor, containment)


@spill.command("list")
@acting_options
@json_option
def list_spills(data: Path, token: str, as_json: bool) -> None:
    """List containments, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.spills.spills(actor)
    columns = {
        "Containment": lambda view: view.id,
        "Document": lambda view: view.document,
        "By": lambda view: view.contained_by.name,
        "Since": lambda view: rfc3339(view.created),
        "State": lambda view: view.outcome or "contained",
    }
    show(found, as_json, columns)


@spill.command()
@acting_options
@click.argument("containment")
@json_option
def report(data: Path, token: str, containment: str, as_json: bool) -> None:
    """Tell from the log who saw the document, also in part, until it was contained."""
    with acting(data, token) as (runtime, actor):
        found = runtime.spills.report(actor, containment)
    if as_json:
        click.echo(json.dumps(asdict(found), default=rfc3339, ensure_ascii=False, indent=1))
    else:
        _show(found)


def _show(found: SpillReport) -> None:
    view = found.spill
    click.echo(f"Document {view.document}, contained by {view.contained_by.name} on {rfc3339(view.created)}.")
    click.echo(f"Reason: {view.reason}")
    click.echo(
        f"{found.people} people saw it, {found.refused} attempts were refused (log of {found.log_size})."
    )
    for item in found.sightings:
        what = f"{item.action}, version {item.version}" if item.version else item.action
        how = f"{item.outcome}, {item.size:,} bytes" if item.action != "document.show" else item.outcome
        click.echo(
            f"  {rfc3339(item.time)}  {item.person.name or item.person.id} ({item.organisation}): {what}, {how}; "
            f"log entry {item.log_entry}"
        )
    click.echo("Lists and searches may have shown its title to whoever could open it.")
