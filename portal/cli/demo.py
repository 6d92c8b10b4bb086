"""`strongroom demo`: an invented world on the first start, the same world on every other, served on localhost."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from portal.cli.demonstration import keeping
from portal.cli.demonstration.clock import HistoryClock
from portal.cli.demonstration.keeping import Kept
from portal.cli.demonstration.world import BEGINS, TOKEN_DAYS, build, enter, new_token
from portal.cli.errors import Fails
from portal.cli.options import data_option
from portal.cli.places import check_port
from portal.clock import system_clock
from portal.errors import PortalError
from portal.identity import totp
from portal.settings import Settings, load_settings

_HOST = "127.0.0.1"
_RENEW = timedelta(days=30)
_SECOND_STEP = timedelta(seconds=totp.STEP)


@click.command()
@data_option
@click.option("--port", default=8000, envvar="PORT", show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write address, programmes, people and their tokens to this file as soon as the portal serves.",
)
@click.option(
    "--code", metavar="ROLE", help="Print the sign-in code that ROLE's app would show now, and end."
)
def demo(data: Path, port: int, json_file: Path | None, code: str | None) -> None:
    """Serve a demonstration: an invented world with people of every role, programmes and documents.

    The first start builds it in DATA, later ones find it there. Passwords, second factors and API tokens are random
    for each folder; they are printed, and kept in clear text in DATA/demo.json: never put real documents here.
    """
    url = f"http://localhost:{port}"
    if code is not None:
        click.echo(_code_of(keeping.load(data), code))
        return
    check_port(_HOST, port)
    kept = keeping.load(data)
    if kept is None:
        click.echo("Building the demonstration's world, once …", err=True)
        kept = _first_start(data, url)
    else:
        keeping.set_url(data, url)
        _bring_up_to_date(data)
        kept = _renewed(data, kept)
    _serve(data, port, url, json_file, kept)


def _settings(data: Path) -> Settings:
    return load_settings(os.environ, data)


def _first_start(data: Path, url: str) -> Kept:
    from portal.services.installation import create

    keeping.begin(data, url)
    now = system_clock()
    clock = HistoryClock(system_clock, now - BEGINS)
    runtime = create(_settings(data), clock)
    try:
        world = build(runtime, clock, now)
        runtime.log.checkpoint()
    finally:
        runtime.close()
    kept = Kept(world, now + timedelta(days=TOKEN_DAYS))
    keeping.finish(data, kept)
    return kept


def _bring_up_to_date(data: Path) -> None:
    """Migrate a world that an earlier version built: nobody keeps a demonstration by hand."""
    from portal.services.installation import migrate

    migrate(_settings(data))


def _renewed(data: Path, kept: Kept) -> Kept:
    """Make new tokens for everybody when the old ones end soon; who has changed their sign-in keeps what they have."""
    from portal.services.runtime import open_portal

    now = system_clock()
    if kept.tokens_until - now > _RENEW:
        return kept
    runtime = open_portal(_settings(data))
    try:
        for member in kept.world.people:
            try:
                # The code before the present one, so that whoever signs in next is not told that it was used.
                _, actor = enter(runtime, member, now - _SECOND_STEP)
                member.token = new_token(runtime, actor)
                runtime.account.sign_out(actor)
            except PortalError as fault:
                click.echo(f"{member.part.key} keeps the old token: {fault.message}", err=True)
    finally:
        runtime.close()
    renewed = Kept(kept.world, now + timedelta(days=TOKEN_DAYS))
    keeping.save(data, renewed)
    return renewed


def _serve(data: Path, port: int, url: str, json_file: Path | None, kept: Kept) -> None:
    from portal.cli.server import ServerSettings
    from portal.cli.serving import Node

    settings = _settings(data)

    def announce() -> None:
        if json_file is not None:
            keeping.write_private(
                json_file, json.dumps(keeping.for_scripts(kept.world, url), indent=2) + "\n"
            )
        _show(kept, url, data)

    Node(settings, announce).run(ServerSettings(port=port, host=_HOST, threads=settings.threads))


def _show(kept: Kept, url: str, data: Path) -> None:
    table = Table("Role", "E-mail, password, secret of the second factor", box=SIMPLE, show_lines=True)
    for member in kept.world.people:
        part = member.part
        who = f"[bold]{part.key}[/bold]\n{part.name}\n{part.organisation}"
        table.add_row(who, f"{part.email}\n{member.password}\n{member.totp_secret}")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"A demonstration of Strongroom on {url} : everything in it is invented.\n"
        f"These sign-ins lie in clear text in {data / keeping.SIGN_INS}\n"
        f"No app for codes at hand?  strongroom demo --data {data} --code official\n"
        "Stop with Ctrl+C.",
        markup=False,
        soft_wrap=True,
    )


def _code_of(kept: Kept | None, key: str) -> str:
    if kept is None:
        raise Fails("There is no demonstration here yet.", mend="Start it first.")
    for member in kept.world.people:
        if member.part.key == key:
            return totp.code_at(member.totp_secret, system_clock())
    raise Fails(
        f"Nobody plays {key!r} in the demonstration.",
        mend=f"Use one of {', '.join(member.part.key for member in kept.world.people)}.",
    )
