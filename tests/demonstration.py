"""A demonstration for tests: the real command, in a process of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import pytest
import requests

from portal.cli.main import main

COMMAND = (sys.executable, "-c", "from portal.cli.main import main; main()")
ROOT = Path(__file__).resolve().parents[1]
# The promise is 60 s to the first start and 5 s to an end, on two processors of its own: a test machine may be busy.
_START = 300.0
_STOP = 60.0


@dataclass
class Demo:
    """A running demonstration: what its JSON says, with people by role, and its process."""

    url: str
    data: Path
    programmes: list[dict[str, str]]
    people: dict[str, dict[str, str]]
    facts: dict[str, Any] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    def token(self, role: str) -> str:
        """Return the API token of a role."""
        return self.people[role]["token"]

    def ask(self, role: str | None, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request to the API as a role (None: as nobody)."""
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(role)}"
        return requests.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=60, **more)

    def document(self, role: str, **wanted: object) -> dict[str, Any]:
        """Return the first document, highest label first, that a role may list and whose facts are as `wanted`."""
        items = self.ask(role, "GET", "/documents?sort=-label&limit=200").json()["items"]
        return next(item for item in items if all(item[name] == value for name, value in wanted.items()))

    def run(self, *arguments: str, role: str | None = None) -> Done:
        """Run `strongroom` against this demonstration, with the token of a role."""
        environment = {"STRONGROOM_DATA": str(self.data), "STRONGROOM_URL": self.url}
        if role is not None:
            environment["STRONGROOM_TOKEN"] = self.token(role)
        return strongroom(*arguments, environment=environment)

    def stop(self) -> int:
        """Send SIGTERM and return the exit status; whoever does not end is killed, and the test fails."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    returncode: int
    stdout: str
    stderr: str


def strongroom(*arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> Done:
    """Run the command in this process: all of it, from its arguments to its exit status, but for starting Python."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    umask = os.umask(0o022)
    try:
        with (
            mock.patch.dict(os.environ, {**_inherited(), **environment}, clear=True),
            redirect_stdout(output),
            redirect_stderr(errors),
            pytest.raises(SystemExit) as end,
        ):
            main(arguments)
    finally:
        os.umask(umask)
    status = end.value.code
    assert status is None or isinstance(status, int)
    return Done(status or 0, _text(output), _text(errors))


def strongroom_process(*arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> Done:
    """Run the command as a process of its own and wait for its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env={**_inherited(), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_demo(folder: Path, port: int | None = None, extra: Sequence[str] = ()) -> Demo:
    """Start the demonstration in `folder`/demo and return once it serves; its output goes to `folder`/output."""
    data, report = folder / "demo", folder / "demo.json"
    report.unlink(missing_ok=True)
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            [
                *COMMAND,
                "demo",
                f"--data={data}",
                f"--port={port or free_port()}",
                f"--json={report}",
                *extra,
            ],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + _START
    while not report.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(f"the demonstration did not start: {(folder / 'output').read_text()}")
        time.sleep(0.05)
    facts = json.loads(report.read_text("utf-8"))
    people = {person["role"]: person for person in facts["people"]}
    return Demo(facts["url"], data, facts["programmes"], people, facts, process)
