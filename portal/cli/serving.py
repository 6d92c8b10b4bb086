"""`strongroom serve` and `strongroom worker`: the portal as a process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask

from portal.app import create_app
from portal.cli.errors import explained
from portal.cli.memory import keep_from_dumps
from portal.cli.options import data_option, opened, settings_of
from portal.cli.places import check_places, check_port, check_there, hold
from portal.cli.server import ServerSettings
from portal.cli.server import serve as run_server
from portal.errors import PortalError
from portal.jobs.housekeeping import KEYS_EVERY, Rounds
from portal.jobs.scans import Scans
from portal.jobs.warming import Warming
from portal.services.inspections import Claim
from portal.services.runtime import Runtime, open_portal
from portal.settings import Settings, load_settings

_BOOT_FAILED = 3  # the status by which gunicorn's parent knows that starting its child again is of no use


class Node:
    """One serving process: the portal is opened after the fork, and closed when the last request has ended."""

    def __init__(self, settings: Settings, on_serving: Callable[[], None] | None = None) -> None:
        self._settings = settings
        self._on_serving = on_serving
        self._runtime: Runtime | None = None
        self._rounds: list[Rounds] = []
        self._warming: Warming | None = None
        self._scans: Scans[Claim] | None = None

    def run(self, server: ServerSettings) -> None:
        """Serve until SIGTERM or SIGINT; ends the interpreter, with status 0 when all went well."""
        lock = hold(self._settings.data)
        parent = os.getpid()
        try:
            run_server(self.open, server, on_serving=self.begin, on_end=self.end)
        except SystemExit as end:
            # The serving child ends here as well, and its status is for its parent to read.
            if os.getpid() != parent:
                raise
            sys.exit(1 if end.code else 0)
        finally:
            os.close(lock)

    def open(self) -> Flask:
        """Open the portal and settle what a process that is gone left unfinished; what fails is told in words."""
        try:
            self._runtime = open_portal(self._settings)
            self._runtime.housekeeping.at_start()
            return create_app(self._runtime)
        except Exception as fault:
            _tell(fault)
            sys.exit(_BOOT_FAILED)

    def begin(self) -> None:
        """Connections are taken: start the rounds of housekeeping, read what searches need, and say so."""
        assert self._runtime is not None
        self._rounds = [Rounds(self._runtime.housekeeping), Rounds(self._runtime.keys, KEYS_EVERY)]
        for rounds in self._rounds:
            rounds.start()
        self._warming = Warming(self._runtime.titles, self._runtime.database)
        self._warming.start()
        if self._runtime.settings.scanner:
            self._scans = _scans(self._runtime)
            self._scans.start()
        if self._on_serving is not None:
            self._on_serving()

    def end(self) -> None:
        """Record an orderly stop and close everything."""
        if self._warming is not None:
            self._warming.stop()
        for rounds in self._rounds:
            rounds.stop()
        if self._scans is not None:
            self._scans.stop()
        if self._runtime is not None:
            try:
                self._runtime.housekeeping.at_stop()
            except PortalError as fault:
                _tell(fault)
            self._runtime.close()


def _scans(runtime: Runtime) -> Scans[Claim]:
    return Scans(runtime.inspections, runtime.settings.scanner_streams)


def _tell(fault: Exception) -> None:
    message, mend = explained(fault)
    click.echo(f"Error: {message} {mend}".rstrip(), err=True)


def hosted_application() -> Flask:
    """Return the WSGI application of the installation that STRONGROOM_DATA names, for a server of one's own choice.

    Such a server neither settles nor sweeps: run `strongroom worker` beside it. Databases are opened here, so it must
    load the application after it forks. Raises SettingsError, PortalError.
    """
    keep_from_dumps()
    settings = load_settings(os.environ)
    check_places(settings)
    return create_app(open_portal(settings))


@click.command()
@data_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, envvar="PORT", show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address of a proxy whose X-Forwarded headers are believed; may be repeated.",
)
def serve(data: Path, host: str, port: int, proxies: tuple[str, ...]) -> None:
    """Serve the portal until SIGTERM, with housekeeping beside it."""
    settings = settings_of(data)
    check_there(settings)
    check_places(settings)
    check_port(host, port)
    server = ServerSettings(port=port, host=host, threads=settings.threads, trusted_proxies=proxies)
    told = f"Serving {settings.public_url} on {host}:{port}."
    Node(settings, lambda: click.echo(told, err=True)).run(server)


@click.command()
@data_option
def worker(data: Path) -> None:
    """Do the housekeeping of an installation that another server serves, until SIGTERM."""
    keep_from_dumps()
    settings = settings_of(data)
    check_there(settings)
    check_places(settings)
    with opened(data) as runtime:
        rounds, keys = Rounds(runtime.housekeeping), Rounds(runtime.keys, KEYS_EVERY)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: rounds.stop())
        scans = _scans(runtime)
        if settings.scanner:
            scans.start()
        click.echo("Housekeeping runs.", err=True)
        keys.start()
        rounds.run()
        keys.stop()
        scans.stop()
