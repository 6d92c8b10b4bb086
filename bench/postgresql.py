"""A PostgreSQL server for benchmarks and tests: in a folder of its own, on its socket alone, gone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PLACES = "/usr/lib/postgresql/15/bin:/usr/lib/postgresql/16/bin:/usr/lib/postgresql/17/bin"
"""Where Debian keeps the server's programs, which are not on the PATH."""

_OPTIONS = "-c listen_addresses='' -c shared_buffers=256MB -c max_wal_size=4GB"


def program(name: str) -> str | None:
    """Return the path of one of the server's programs, or None where it is not installed."""
    return shutil.which(name) or shutil.which(name, path=PLACES)


@contextmanager
def served() -> Iterator[str]:
    """Start a new server and yield the URL of an empty database; raises RuntimeError where it is not installed."""
    initdb, control = program("initdb"), program("pg_ctl")
    if initdb is None or control is None:
        raise RuntimeError("PostgreSQL is not installed: apt install postgresql-15")
    # A socket's path has little room, so this is not pytest's folder.
    with tempfile.TemporaryDirectory(prefix="strongroom-pg-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        _run([initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
        options = f"-k {folder} {_OPTIONS}"
        _run([control, "-D", str(data), "-o", options, "-l", str(folder / "output"), "-w", "start"])
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            _run([control, "-D", str(data), "-m", "fast", "-w", "stop"])


def _run(command: Sequence[str]) -> None:
    # The server refuses to run as root: Debian's package made a user for it.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # Its own output goes to a file: a pipe would stay open for as long as the server runs.
    subprocess.run([*user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")
