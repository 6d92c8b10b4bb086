"""Where an installation's secrets may lie, and that only one process serves it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from portal.cli.errors import Fails
from portal.errors import Conflict, Unavailable
from portal.settings import Settings

_TRIES, _PAUSE = 20, 0.1


def check_there(settings: Settings) -> None:
    """Raise Unavailable when the data folder holds no installation."""
    if not settings.data.is_dir() or not (settings.database_url or (settings.data / "portal.db").exists()):
        raise Unavailable(
            f"There is no installation in {settings.data}.", mend="Run `strongroom init` first."
        )


def misplaced(settings: Settings) -> dict[str, Path]:
    """Return what lies inside the data folder although it must not: whoever copies that folder would have it all."""
    if settings.demonstration:
        return {}
    folder = settings.data.resolve()
    kept_apart = {"keys": settings.key_folder, "anchor": settings.anchor_file}
    return {name: path for name, path in kept_apart.items() if path.resolve().is_relative_to(folder)}


def check_places(settings: Settings) -> None:
    """Raise Fails when keys or anchor lie inside the data folder of an installation that is no demonstration."""
    for name, path in misplaced(settings).items():
        raise Fails(
            f"The {name} at {path} would lie inside the data folder {settings.data}.",
            mend=f"Set `{name}` to a place outside it, best on another disk; only a demonstration keeps them together.",
        )


def check_port(host: str, port: int) -> None:
    """Raise Conflict when nothing can listen there, before anything else is done."""
    for last in _while_another_ends():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as fault:
                if last or fault.errno != errno.EADDRINUSE:
                    raise Conflict(
                        f"Nothing can listen on {host}:{port} ({fault.strerror}).",
                        mend="Name another port with --port.",
                    ) from None
            else:
                return


def hold(data: Path) -> int:
    """Take the installation for the one process that serves it, as long as it lives; returns the lock's descriptor.

    Raises Conflict when another process serves it: at its start a node settles what it finds unfinished.
    """
    descriptor = os.open(data / "serving.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    for _ in _while_another_ends():
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    os.close(descriptor)
    raise Conflict(f"Another process serves the installation in {data}.", mend="Stop that one first.")


def _while_another_ends() -> Iterator[bool]:
    """Yield, with pauses, for as long as a process that was just stopped may still hold what the next one needs.

    What is yielded says whether it is the last time.
    """
    for number in range(_TRIES, 0, -1):
        yield number == 1
        if number > 1:
            time.sleep(_PAUSE)
