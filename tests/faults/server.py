"""Serves a prepared installation: description, port, a file to make once it serves."""

from __future__ import annotations

import argparse
from pathlib import Path

from portal.cli import server as edge
from portal.cli.server import ServerSettings
from portal.cli.serving import Node
from tests.faults.installed import Installed


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("installed", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("told", type=Path)
    parser.add_argument("--grace", type=float, help="seconds that a slow client is given, instead of 30")
    chosen = parser.parse_args()
    if chosen.grace is not None:
        edge.GRACE = chosen.grace
    node = Node(Installed.read(chosen.installed).settings, chosen.told.touch)
    node.run(ServerSettings(port=chosen.port, threads=16))


if __name__ == "__main__":
    main()
