"""An installation served by gunicorn in a process of its own, as `strongroom serve` does it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.faults.installed import Installed

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


@dataclass
class Served:
    """A portal that answers at `url`; `process` is the parent, `worker` the id of the process that serves."""

    installed: Installed
    port: int
    process: subprocess.Popen[bytes]
    errors: Path
    told: Path

    @property
    def serves(self) -> bool:
        """Whether it has begun to answer."""
        return self.told.exists()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://localhost:{self.port}"

    @property
    def worker(self) -> int:
        """The serving process: the youngest below the one that was started (strace may stand between)."""
        found = self.process.pid
        while children := Path(f"/proc/{found}/task/{found}/children").read_text().split():
            found = int(children[-1])
        return found

    def request(self, method: str, path: str, who: str, **more: object) -> requests.Response:
        """Send a request to the API as `who`; `headers` are added to the token."""
        headers = self.installed.headers(who)
        extra = more.pop("headers", {})
        assert isinstance(extra, Mapping)
        more.setdefault("timeout", PATIENCE)
        return requests.request(
            method,
            f"{self.url}/api/v1{path}",
            headers={**headers, **extra},
            **more,  # type: ignore[arg-type]
        )

    def connect(self) -> socket.socket:
        """Open a connection that speaks for itself."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def head(self, method: str, path: str, who: str, **headers: str) -> bytes:
        """Return the head of a request to the API as it goes over the wire."""
        lines = {"Host": "localhost", **self.installed.headers(who), **headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} /api/v1{path} HTTP/1.1\r\n{text}\r\n".encode()

    def put(self, path: str, length: int, **headers: str) -> bytes:
        """Return the head of a raw upload of `length` bytes."""
        kind = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        return self.head("PUT", path, "partner", **kind, **headers)

    def deposit(self, content: bytes, title: str = "A deliverable", name: str = "deliverable.txt") -> str:
        """Send a document as a form and return its id."""
        form = {"programme": self.installed.programme, "title": title, "label": "NATO SECRET"}
        answer = self.request("POST", "/documents", "partner", data=form, files={"file": (name, content)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def stop(self) -> None:
        """End it in order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        """kill -9 of all its processes at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)


@contextmanager
def serving(installed: Installed, **chosen: Any) -> Iterator[Served]:
    """Serve `installed` inside the block; see `starting`."""
    with starting(installed, **chosen) as running:
        wait_until(lambda: running.serves or running.process.poll() is not None)
        assert running.process.poll() is None, running.errors.read_text()
        yield running
        running.stop()


@contextmanager
def starting(
    installed: Installed,
    *,
    before: Sequence[str] = (),
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Start a server of `installed`; `before` is put before the command, `options` behind the server's."""
    described = installed.write(installed.folder.parent / "installed.json")
    errors = installed.folder.parent / "errors"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = installed.folder.parent / f"serving-{port}"
    command = [sys.executable, "-m", "tests.faults.server", str(described), str(port), str(told), *options]
    with errors.open("wb") as sink:
        process = subprocess.Popen(
            [*before, *command],
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    running = Served(installed, port, process, errors, told)
    try:
        yield running
    finally:
        running.kill()


def wait_until(true: object, what: str = "the portal did not come so far") -> None:
    """Wait until `true()` holds; fails after a minute, which no machine needs."""
    assert callable(true)
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
