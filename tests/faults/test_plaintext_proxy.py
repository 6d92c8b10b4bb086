"""No plaintext reaches a disk through the proxy: nginx, set up as documented, keeps nothing of what passes."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.faults.installed import Installed
from tests.faults.serving import ROOT, Served, serving, wait_until
from tests.faults.watching import Secrets, traced, written
from tests.services import require_program

MIB = 1 << 20
CONTENT = random.Random(11).randbytes(12 * MIB)
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Proxy:
    """nginx before a portal: where it answers, its folder, and strace's list of what it wrote."""

    url: str
    folder: Path
    trace: Path

    def temporary(self) -> set[Path]:
        """Return the temporary files that nginx made, also those that are gone."""
        return {path for path in written(self.trace) if path.parent.parent == self.folder / "temp"}


def documented() -> str:
    """Return the location block of the documentation's nginx example."""
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    found = re.search(r"^    location / \{\n.*?^    \}\n", text, re.DOTALL | re.MULTILINE)
    assert found
    return found[0]


@contextmanager
def proxied(served: Served, folder: Path, location: str) -> Iterator[Proxy]:
    nginx, strace = require_program("nginx"), require_program("strace")
    for name in TEMPORARY:
        (folder / "temp" / name).mkdir(parents=True)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = "\n".join(f"{name}_temp_path {folder}/temp/{name};" for name in TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = (
        f"{user}\ndaemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        "events { worker_connections 256; }\n"
        f"http {{\nlog_format paths '$remote_addr $request_method $uri $status';\n"
        f"access_log {folder}/access.log paths;\n"
        f"{places}\nserver {{\nlisten 127.0.0.1:{port};\n"
        f"{location.replace('http://127.0.0.1:8000', f'http://127.0.0.1:{served.port}')}\n}}\n}}\n"
    )
    (folder / "nginx.conf").write_text(configuration, "utf-8")
    trace = folder / "trace"
    command = [*traced(strace, trace), nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    command += ["-e", str(folder / "error.log")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, "nginx does not answer")
        assert process.poll() is None, (folder / "output").read_text()
        yield Proxy(f"http://localhost:{port}", folder, trace)
    finally:
        # Its own process, not strace alone, which would leave it running.
        if (folder / "nginx.pid").exists():
            os.kill(int((folder / "nginx.pid").read_text()), signal.SIGQUIT)
            process.wait(30)
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def pass_through(served: Served, proxy: Proxy) -> None:
    """Send a document through the proxy, find it, and read it slower than the portal sends it."""
    installed = served.installed
    form = {"programme": installed.programme, "title": "Quarterdeckish", "label": "NATO SECRET"}
    sent = requests.post(
        f"{proxy.url}/api/v1/documents",
        data=form,
        files={"file": ("mizzenmasthead.bin", CONTENT)},
        headers=installed.headers("partner"),
        timeout=60,
    )
    assert sent.status_code == 201, sent.text
    words = {"q": "quarterdeckish"}
    headers = installed.headers("official")
    found = requests.post(f"{proxy.url}/api/v1/documents/search", json=words, headers=headers, timeout=60)
    (item,) = found.json()["items"]
    path = f"{proxy.url}/api/v1/documents/{item['id']}/content"
    with requests.get(path, headers=headers, stream=True, timeout=60) as answer:
        pieces = []
        for piece in answer.iter_content(MIB):
            pieces.append(piece)
            time.sleep(0.05)
    assert b"".join(pieces) == CONTENT


@pytest.fixture(scope="module")
def portal(template: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(template.copy(tmp_path_factory.mktemp("proxied") / "data")) as served:
        yield served


def test_nginx_as_documented_writes_nothing_of_what_passes(portal: Served, tmp_path: Path) -> None:
    with proxied(portal, tmp_path, documented()) as proxy:
        pass_through(portal, proxy)
    assert proxy.temporary() == set()
    secrets = Secrets.of({"content": CONTENT}, ["Quarterdeckish", "mizzenmasthead.bin"])
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != proxy.trace:
            assert secrets.found_in(path.read_bytes()) == [], path
    assert "/api/v1/documents" in (tmp_path / "access.log").read_text()


def test_nginx_that_buffers_is_found(portal: Served, tmp_path: Path) -> None:
    """The control: without these lines the body lies in a file of nginx's, and the test above would see it."""
    location = documented().replace("proxy_request_buffering off;", "").replace("proxy_buffering off;", "")
    with proxied(portal, tmp_path, location) as proxy:
        sent = requests.post(
            f"{proxy.url}/api/v1/documents",
            data={"programme": portal.installed.programme, "title": "Buffered", "label": "NATO SECRET"},
            files={"file": ("buffered.bin", CONTENT)},
            headers=portal.installed.headers("partner"),
            timeout=60,
        )
        assert sent.status_code == 201
    assert proxy.temporary() != set()
