"""`strongroom policy`: looking at security policies."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from policies import SecurityPolicy, load_policy
from portal.cli.options import data_option, json_option, opened


@click.group()
def policy() -> None:
    """Check a security policy file (SPIF), or show the active one."""


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Read FILE as strictly as the portal does; a wrong one is refused with the reason and the line."""
    _show(load_policy(file), as_json)


@policy.command()
@data_option
@json_option
def show(data: Path, as_json: bool) -> None:
    """Show the installation's active policy."""
    with opened(data) as runtime:
        _show(runtime.access.policy, as_json)


def _show(found: SecurityPolicy, as_json: bool) -> None:
    if as_json:
        facts = {
            "name": found.name,
            "id": found.id,
            "digest": found.digest,
            "classifications": [
                {"name": item.name, "hierarchy": item.hierarchy, "obsolete": item.obsolete}
                for item in found.classifications
            ],
            "tag_sets": {
                tag_set.name: sum(len(tag.categories) for tag in tag_set.tags) for tag_set in found.tag_sets
            },
        }
        click.echo(json.dumps(facts, indent=2))
        return
    console = Console(highlight=False)
    console.print(f"{found.name} ({found.id})\nSHA-256 {found.digest}", markup=False, soft_wrap=True)
    levels = Table("Level", "Classification", "Obsolete")
    for item in found.classifications:
        levels.add_row(str(item.hierarchy), item.name, "yes" if item.obsolete else "")
    console.print(levels)
    sets = Table("Tag set", "Kinds", "Values")
    for tag_set in found.tag_sets:
        kinds = ", ".join(sorted({tag.kind.value.lower() for tag in tag_set.tags}))
        sets.add_row(tag_set.name, kinds, str(sum(len(tag.categories) for tag in tag_set.tags)))
    console.print(sets)
