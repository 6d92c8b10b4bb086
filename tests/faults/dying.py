"""A program that forks a process for each job it reads, which opens an installation and dies before its step N.

A step is whatever changes something on disk: a file made, written, synced, linked, renamed or removed in the
installation's folder, a commit, in a fine walk each statement that changes one of the two databases as well. The
product knows nothing of it: files are watched from Python's audit hook, databases from SQLite's trace.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from portal.app import create_app
from portal.audit import Event
from portal.clock import system_clock
from portal.services.runtime import Runtime
from portal.storage.files import FileBlobWriter
from tests.faults.installed import Installed

_CHANGES = ("INSERT", "UPDATE", "DELETE")
_FILE_EVENTS = frozenset({"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir"})


class Steps:
    """Counts the steps from `begin` on, and kills this process before the one that it was told."""

    def __init__(self, folder: Path, last: int | None, *, fine: bool) -> None:
        self.names: list[str] = []
        self._folder = str(folder)
        self._last = last
        self._fine = fine
        self._counting = False

    def begin(self) -> None:
        """Count from here on."""
        self._counting = True

    def step(self, name: str) -> None:
        """Count one step, or die before it."""
        if not self._counting:
            return
        if self._last == len(self.names):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        self.names.append(name)

    def _statement(self, name: str) -> None:
        # Rows that follow one another into one table of one transaction are one step.
        if name.endswith("commit") or self.names[-1:] != [name]:
            self.step(name)

    def watch(self) -> None:
        """See every change of the two databases and of the folder's files."""
        sys.addaudithook(self._audited)
        event.listen(Pool, "connect", self._connected)
        sync, write = os.fsync, FileBlobWriter.write

        def stepping_sync(descriptor: int) -> None:
            self.step("sync")
            sync(descriptor)

        def stepping_write(writer: FileBlobWriter, data: Any, /) -> int:
            self.step("write")
            return write(writer, data)

        os.fsync = stepping_sync
        FileBlobWriter.write = stepping_write  # type: ignore[method-assign]

    def _audited(self, name: str, values: tuple[Any, ...]) -> None:
        if not self._counting:
            return
        making = name == "open" and isinstance(values[2], int) and values[2] & os.O_CREAT
        if (making or name in _FILE_EVENTS) and self._folder in str(values[0]):
            self.step(name)

    def _connected(self, connection: Any, _record: object) -> None:
        name = Path(connection.execute("PRAGMA database_list").fetchone()[2]).stem

        def traced(statement: str) -> None:
            word = statement.split(None, 1)[0].upper()
            if word == "COMMIT" or (self._fine and word in _CHANGES):
                table = statement.split()[2] if word in ("INSERT", "DELETE") else ""
                self._statement(f"{name} {word.lower()} {table}".strip())

        connection.set_trace_callback(traced)


def upload(installed: Installed, runtime: Runtime, job: dict[str, Any]) -> int:
    """Send a new document as a form."""
    form = {"programme": installed.programme, "title": job["title"], "label": "NATO SECRET"}
    file = (io.BytesIO(Path(job["content"]).read_bytes()), job["name"])
    client = create_app(runtime).test_client()
    answer = client.post(
        "/api/v1/documents", data={**form, "file": file}, headers=installed.headers("partner")
    )
    return answer.status_code


def version(installed: Installed, runtime: Runtime, job: dict[str, Any]) -> int:
    """Send a new version as a raw body."""
    path = f"/api/v1/documents/{job['document']}/content"
    body = Path(job["content"]).read_bytes()
    headers = installed.headers("partner", **{"Content-Type": "application/octet-stream"})
    return create_app(runtime).test_client().put(path, data=body, headers=headers).status_code


def broken(installed: Installed, runtime: Runtime, job: dict[str, Any]) -> int:
    """Send a new version whose digest is not the one announced, so that it is undone."""
    path = f"/api/v1/documents/{job['document']}/content"
    body = Path(job["content"]).read_bytes()
    headers = installed.headers("partner", **{"Repr-Digest": f"sha-256=:{'A' * 43}=:"})
    headers["Content-Type"] = "application/octet-stream"
    return create_app(runtime).test_client().put(path, data=body, headers=headers).status_code


def read(installed: Installed, runtime: Runtime, job: dict[str, Any]) -> int:
    """Read a document's content whole."""
    path = f"/api/v1/documents/{job['document']}/content"
    client = create_app(runtime).test_client()
    return client.get(path, headers=installed.headers("official"), buffered=True).status_code


def export(installed: Installed, runtime: Runtime, _job: dict[str, Any]) -> int:
    """Export the log."""
    client = create_app(runtime).test_client()
    path = "/api/v1/audit/export?format=jsonl"
    return client.get(path, headers=installed.headers("auditor"), buffered=True).status_code


def pieces(installed: Installed, runtime: Runtime, job: dict[str, Any]) -> int:
    """Send a new document in two pieces, or go on with the one that is under way."""
    client, content = create_app(runtime).test_client(), Path(job["content"]).read_bytes()
    headers = installed.headers("partner", **{"Tus-Resumable": "1.0.0"})
    facts = {"programme": installed.programme, "title": job["title"], "label": "NATO SECRET", "key": "pieces"}
    facts["filename"] = job["name"]
    metadata = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in facts.items()
    )
    begin = {**headers, "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    begun = client.post("/api/v1/uploads", headers=begin)
    if begun.status_code == 200:
        return 201
    place = begun.headers["Location"]
    offset = client.get(place, headers=headers).json["stored"]
    status = 0
    for end in (len(content) // 2, len(content)):
        if offset < end:
            more = {
                **headers,
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
            }
            status = client.patch(place, data=content[offset:end], headers=more).status_code
            offset = end
    return status


def start(_installed: Installed, runtime: Runtime, _job: dict[str, Any]) -> int:
    """Settle and tidy, as a node does at its start."""
    runtime.housekeeping.at_start()
    return 200


def stop(_installed: Installed, runtime: Runtime, _job: dict[str, Any]) -> int:
    """Sweep, then record an orderly stop."""
    runtime.housekeeping.settle(timedelta(0))
    runtime.housekeeping.at_stop()
    return 200


def rotate(_installed: Installed, runtime: Runtime, job: dict[str, Any]) -> int:
    """Rotate a key of the kind `key`, and carry it through as if an hour had passed meanwhile."""
    rotations = runtime.rotations
    domain = runtime.keys.domains()[0] if job["key"] == "kek" else ""
    rotations.order(job["key"], domain, Event(action="keys.rotate"))
    rotations.work()
    rotations._clock = lambda: system_clock() + timedelta(hours=1)
    rotations.work()
    return 200


_JOBS: dict[str, Callable[[Installed, Runtime, dict[str, Any]], int]] = {
    job.__name__: job for job in (upload, version, pieces, broken, read, export, start, stop, rotate)
}


def _do(job: dict[str, Any]) -> None:
    installed = Installed.read(Path(job["installed"]))
    steps = Steps(installed.folder, job["step"], fine=job["fine"])
    steps.watch()
    with installed.opened() as runtime:
        steps.begin()
        status = _JOBS[job["job"]](installed, runtime, job)
        steps.step("answered")
        Path(job["told"]).write_text(json.dumps({"status": status, "steps": steps.names}), "utf-8")
        os._exit(0)


def main() -> None:
    """Read jobs as lines of JSON; answer each with the signal that its process died of, or 0."""
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _do(json.loads(line))
            finally:
                os._exit(70)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status), flush=True)


if __name__ == "__main__":
    main()
