"""Transfers through a real server on loopback, beside nginx (plaintext by sendfile) and rclone (its crypt remote).

Rounds alternate between the portal and what it is compared with, so that other load falls on both; medians count.
`python -m bench.transfers [MIB [ROUNDS]]`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, machine, median, show
from bench.world import Person, Size, build

MIB = 1 << 20
HOST = "127.0.0.1"
DOWN_SHARE, UP_TIMES, FORM_MB, MEMORY_MIB = 0.5, 1.5, 100.0, 64.0
PATIENCE = 30.0
CLIENT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Portal:
    """A portal that serves, and who may use it."""

    url: str
    process: int
    programme: str
    partner: Person
    official: Person


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return once anything answers at `url`; raises RuntimeError when the process ends or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing answers at {url}")


@contextmanager
def running(command: Sequence[str], url: str, log: Path) -> Iterator[int]:
    """Run a server until the block ends; yields its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        try:
            await_answer(url, process)
        except RuntimeError as fault:
            raise RuntimeError(f"{command[0]}: {fault}\n{log.read_text()}") from None
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def portal_in(folder: Path) -> Iterator[Portal]:
    """Serve a small new installation as `strongroom serve` does."""
    data = folder / "data"
    world = build(data, Size(documents=20, programmes=1, labels=4, companies=1))
    world.runtime.close()
    port = free_port()
    command = [sys.executable, "-c", "from portal.cli.main import main; main()"]
    command += ["serve", "--data", str(data), "--port", str(port)]
    url = f"http://{HOST}:{port}"
    with running(command, f"{url}/api/v1/openapi.json", folder / "portal.log") as process:
        yield Portal(url, process, world.programmes[0], world.partner, world.official)


@contextmanager
def nginx_in(folder: Path, served: Path) -> Iterator[str]:
    """Serve a folder's plain files by sendfile; yields the address."""
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    port = free_port()
    places = "\n".join(
        f"  {name}_temp_path {folder / name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    # Without `user` it drops to an account that may not enter our folder.
    user = "user root;" if os.getuid() == 0 else ""
    conf.write_text(
        f"{user}\ndaemon off;\nworker_processes auto;\npid {folder / 'nginx.pid'};\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n{places}\n"
        f"  server {{ listen {HOST}:{port}; root {served}; }}\n}}\n"
    )
    command = [binary, "-e", "stderr", "-p", str(folder), "-c", str(conf)]
    with running(command, f"http://{HOST}:{port}/", folder / "nginx.log"):
        yield f"http://{HOST}:{port}"


@contextmanager
def rclone_in(folder: Path) -> Iterator[str]:
    """Serve rclone's crypt remote over local files by WebDAV; yields the address."""
    port = free_port()
    conf, store = folder / "rclone.conf", folder / "rclone"
    store.mkdir()
    secret = subprocess.run(
        ["rclone", "obscure", "a password for the benchmark"], check=True, capture_output=True, text=True
    ).stdout.strip()
    conf.write_text(f"[sealed]\ntype = crypt\nremote = {store}\npassword = {secret}\n")
    command = ["rclone", "--config", str(conf), "serve", "webdav", "sealed:", "--addr", f"{HOST}:{port}"]
    with running(command, f"http://{HOST}:{port}/", folder / "rclone.log"):
        yield f"http://{HOST}:{port}"


def curl(*arguments: str) -> float:
    """Run one transfer with curl and return its seconds; raises RuntimeError on any status but 2xx."""
    command = ["curl", "--silent", "--show-error", "--output", os.devnull, "--noproxy", "*"]
    command += ["--write-out", "%{http_code} %{time_total}", "--expect100-timeout", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_SECONDS)
    status, _, seconds = done.stdout.partition(" ")
    if done.returncode or not status.startswith("2"):
        raise RuntimeError(f"curl {' '.join(arguments)}: {done.stdout} {done.stderr}")
    return float(seconds)


def bearer(person: Person) -> tuple[str, str]:
    return "--header", f"Authorization: Bearer {person.token}"


class Client:
    """The transfers that are measured, each returning its seconds."""

    def __init__(self, portal: Portal, plain: Path) -> None:
        self._portal = portal
        self._plain = plain
        self._documents = f"{portal.url}/api/v1/documents"
        self._last = ""

    def put(self) -> float:
        query = f"programme={self._portal.programme}&label=NATO%20SECRET"
        return curl(
            *bearer(self._portal.partner),
            *("--request", "POST", "--upload-file", str(self._plain)),
            *("--header", "Content-Type: application/octet-stream"),
            *("--header", "Content-Disposition: attachment; filename=plain.bin"),
            *("--header", "Strongroom-Title: Bench"),
            f"{self._documents}?{query}",
        )

    def form(self) -> float:
        fields = {"programme": self._portal.programme, "title": "Bench", "label": "NATO SECRET"}
        parts = [text for name, value in fields.items() for text in ("--form-string", f"{name}={value}")]
        return curl(*bearer(self._portal.partner), *parts, "--form", f"file=@{self._plain}", self._documents)

    def newest(self) -> str:
        """Return the address of the content of the document that was sent last."""
        request = urllib.request.Request(f"{self._documents}?limit=1", headers=self._headers())
        with urllib.request.urlopen(request) as answer:
            found = re.search(rb'"id":\s*"([^"]+)"', answer.read())
        assert found is not None
        return f"{self._documents}/{found[1].decode()}/content"

    def get(self) -> float:
        self._last = self._last or self.newest()
        return curl(*bearer(self._portal.official), self._last)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._portal.official.token}"}


class Memory:
    """The resident memory of a server and its children, idle and at its peak, in MiB."""

    def __init__(self, process: int) -> None:
        self._processes = [process, *self._children(process)]

    def _children(self, process: int) -> list[int]:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(child) for child in listed]

    def now(self) -> float:
        return self._sum("VmRSS")

    def peak(self) -> float:
        return self._sum("VmHWM")

    def forget_peak(self) -> None:
        for process in self._processes:
            Path(f"/proc/{process}/clear_refs").write_text("5")

    def _sum(self, name: str) -> float:
        found = 0
        for process in self._processes:
            status = Path(f"/proc/{process}/status").read_text()
            found += int(re.findall(rf"{name}:\s+(\d+) kB", status)[0])
        return found / 1024


def alternate(works: dict[str, Callable[[], float]], size: int, rounds: int) -> dict[str, float]:
    """Return each work's median rate in MB/s; the works take turns."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(work())
    rates = {name: [size / seconds / 1e6 for seconds in values] for name, values in taken.items()}
    for name, values in rates.items():
        print(f"  {name}: " + ", ".join(f"{value:,.0f}" for value in values) + " MB/s", flush=True)
    return {name: median(values) for name, values in rates.items()}


def write_plain(path: Path, mib: int) -> None:
    """Write a file of random bytes, and wait until the disk has it: nobody shall pay for it later."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())


def run(mib: int = 1024, rounds: int = 3) -> list[Figure]:
    """Measure all transfers of a file of `mib` MiB."""
    print(f"{mib} MiB, {rounds} rounds in turns; {machine()}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-bench-")))
        served = folder / "served"
        served.mkdir()
        plain, small = served / "plain.bin", folder / "small.bin"
        write_plain(plain, mib)
        write_plain(small, 8)
        portal = stack.enter_context(portal_in(folder))
        nginx = stack.enter_context(nginx_in(folder, served))
        client = Client(portal, plain)
        # A little of each first: idle is a server that has served, with its modules and caches in place.
        first = Client(portal, small)
        for work in (first.put, first.form, first.get):
            work()
        memory = Memory(portal.process)
        figures = uploads(folder, stack, client, memory, mib, rounds)
        return figures + downloads(client, nginx, memory, mib, rounds)


def grown(memory: Memory, work: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float]:
    """Run `work` and return what it returned, and how far the server's memory rose above idle, in MiB."""
    idle = memory.now()
    memory.forget_peak()
    result = work()
    return result, memory.peak() - idle


def downloads(client: Client, nginx: str, memory: Memory, mib: int, rounds: int) -> list[Figure]:
    works = {"download": client.get, "nginx sendfile": lambda: curl(f"{nginx}/plain.bin")}
    for work in works.values():
        work()
    rates, memory_mib = grown(memory, lambda: alternate(works, mib * MIB, rounds))
    share = rates["download"] / rates["nginx sendfile"]
    return [
        Figure("download", rates["download"], "MB/s"),
        Figure("nginx sendfile of plaintext", rates["nginx sendfile"], "MB/s"),
        Figure("download / nginx", share, "", DOWN_SHARE, least=True),
        Figure("memory over idle, downloads", memory_mib, "MiB", MEMORY_MIB),
    ]


def uploads(
    folder: Path, stack: ExitStack, client: Client, memory: Memory, mib: int, rounds: int
) -> list[Figure]:
    works = {"raw upload": client.put, "multipart upload": client.form}
    plain = folder / "served" / "plain.bin"
    if shutil.which("rclone"):
        rclone = stack.enter_context(rclone_in(folder))
        works["rclone crypt PUT"] = lambda: curl("--upload-file", str(plain), f"{rclone}/plain.bin")
    else:
        print("rclone is not installed: nothing to compare uploads with")
    rates, memory_mib = grown(memory, lambda: alternate(works, mib * MIB, rounds))
    figures = [Figure("raw upload", rates["raw upload"], "MB/s")]
    if "rclone crypt PUT" in rates:
        times = rates["raw upload"] / rates["rclone crypt PUT"]
        figures.append(Figure("rclone crypt PUT", rates["rclone crypt PUT"], "MB/s"))
        figures.append(Figure("raw upload / rclone", times, "", UP_TIMES, least=True))
    figures.append(Figure("multipart upload", rates["multipart upload"], "MB/s", FORM_MB, least=True))
    figures.append(Figure("memory over idle, uploads", memory_mib, "MiB", MEMORY_MIB))
    return figures


def main() -> None:
    values = [int(value) for value in sys.argv[1:]]
    show(run(*values))


if __name__ == "__main__":
    main()
