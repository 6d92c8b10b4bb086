"""What commands have in common: the options that say which installation and who acts, and opening both."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from portal.clock import parse_rfc3339
from portal.errors import Unauthenticated

if TYPE_CHECKING:
    # The portal itself is imported by those who open it: commands against a portal elsewhere start without.
    from portal.services.actor import Actor
    from portal.services.runtime import Runtime
    from portal.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

data_option = click.option(
    "--data",
    envvar="STRONGROOM_DATA",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the installation (or STRONGROOM_DATA).",
)
token_option = click.option(
    "--token",
    envvar="STRONGROOM_TOKEN",
    required=True,
    metavar="TOKEN",
    help="API token of who acts. Better in STRONGROOM_TOKEN: others on this machine can read command lines.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for scripts.")


def acting_options(command: _Command) -> _Command:
    """Add `--data` and `--token` to a command that acts as a person."""
    return data_option(token_option(command))


def settings_of(data: Path) -> Settings:
    """Return the settings of the installation in `data`; raises SettingsError."""
    from portal.settings import load_settings

    return load_settings(os.environ, data)


@contextmanager
def opened(data: Path) -> Iterator[Runtime]:
    """Open the installation in `data` for one command; raises Unavailable, SettingsError."""
    from portal.services.runtime import open_portal

    runtime = open_portal(settings_of(data))
    try:
        yield runtime
    finally:
        runtime.close()


@contextmanager
def acting(data: Path, token: str) -> Iterator[tuple[Runtime, Actor]]:
    """Open the installation as the person whose token this is; raises Unauthenticated (recorded) for any other."""
    from portal.services.actor import Actor

    with opened(data) as runtime:
        request = str(uuid.uuid4())
        found = runtime.account.by_token(token.strip(), request, "command line")
        if found is None:
            raise Unauthenticated(
                "The token does not hold, or not any more.",
                mend="Make a new one under “Sign-in and sessions”.",
            )
        yield (
            runtime,
            Actor(
                person_id=found.person_id,
                organisation_id=found.organisation_id,
                assurance=found.assurance,
                session=found.session,
                role=found.role,
                request=request,
                address="command line",
            ),
        )


class Moment(click.ParamType[datetime]):
    """A time: RFC 3339, or a date, which is its first moment in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware time, or fail with what to write."""
        if isinstance(value, datetime):
            return value
        try:
            if len(value) == len("2026-11-24"):
                return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
            return parse_rfc3339(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-11-24 or 2026-11-24T12:00:00Z", param, ctx)
