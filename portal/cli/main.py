"""The `strongroom` command: its subcommands, loaded when they are called, and what people see of errors."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import click

from portal.cli.errors import explained

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "audit": "portal.cli.audit:audit",
        "clearances": "portal.cli.clearances:clearances",
        "demo": "portal.cli.demo:demo",
        "destruction": "portal.cli.destruction:destruction",
        "doctor": "portal.cli.doctor:doctor",
        "fsck": "portal.cli.fsck:fsck",
        "init": "portal.cli.installing:init",
        "keys": "portal.cli.keys:keys",
        "label": "portal.cli.label:label",
        "list": "portal.cli.partner:list_documents",
        "migrate": "portal.cli.installing:migrate",
        "organisations": "portal.cli.users:organisations",
        "policy": "portal.cli.policy:policy",
        "programmes": "portal.cli.users:programmes",
        "pull": "portal.cli.partner:pull",
        "push": "portal.cli.partner:push",
        "rescue": "portal.cli.rescue:rescue",
        "rules": "portal.cli.rules:rules",
        "serve": "portal.cli.serving:serve",
        "spill": "portal.cli.spill:spill",
        "users": "portal.cli.users:users",
        "worker": "portal.cli.serving:worker",
    }
)
_TRACE = "STRONGROOM_TRACE"


class _Lazy(click.Group):
    """A group that imports a subcommand's module only when it is wanted, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="strongroom")
def cli() -> None:
    """Strongroom: documents by clearance, encrypted at rest, every access provable.

    Options can be set by environment variables: STRONGROOM_DATA, STRONGROOM_TOKEN, STRONGROOM_URL.
    The exit status is 0 when all went well, 1 when something was refused or failed, 2 for a wrong call.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends the interpreter. What fails is told in words, with the mend, never as a traceback."""
    # Whatever a command writes is its owner's alone: databases, keys, exports, what is pulled.
    os.umask(0o077)
    try:
        given = None if arguments is None else list(arguments)
        status = cli.main(args=given, prog_name="strongroom", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has ended; nothing more can be said, and the interpreter must not try.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as fault:
        if os.environ.get(_TRACE):
            traceback.print_exc()
        message, mend = explained(fault)
        click.echo(f"Error: {message}", err=True)
        if mend:
            click.echo(f"  {mend}", err=True)
        sys.exit(1)
