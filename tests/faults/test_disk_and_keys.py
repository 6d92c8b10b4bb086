"""Full and locked disks, missing keys: a clear answer, nothing opened or lost, and all works again afterwards."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.audit import Event
from portal.errors import PortalError, Unavailable
from portal.services.runtime import Runtime, open_portal
from portal.storage.files import FileBlobStore
from tests.faults.installed import Contents, Installed, build, contents, records, verified
from tests.faults.serving import serving, starting, wait_until

MIB = 1 << 20
CONTENT = b"What the partner sends. " * 1000


class Portal:
    """An installation that is open in this process, with a client of its API."""

    def __init__(self, installed: Installed, runtime: Runtime) -> None:
        self.installed = installed
        self.runtime = runtime
        self.client: FlaskClient = create_app(runtime).test_client()

    def send(self, content: bytes = CONTENT, title: str = "A deliverable") -> TestResponse:
        headers = self.installed.headers(
            "partner",
            **{
                "Content-Type": "application/octet-stream",
                "Content-Disposition": 'attachment; filename="deliverable.bin"',
                "Strongroom-Title": title,
            },
        )
        wanted = {"programme": self.installed.programme, "label": "NATO SECRET"}
        return self.client.post("/api/v1/documents", query_string=wanted, data=content, headers=headers)

    def read(self, document: str) -> TestResponse:
        path = f"/api/v1/documents/{document}/content"
        return self.client.get(path, headers=self.installed.headers("official"), buffered=True)

    def holds(self) -> Contents:
        return contents(self.runtime)

    def check_works(self, documents: int) -> None:
        """Check that so many documents are there, and that another can be sent, read and verified."""
        assert (self.holds().documents, self.holds().counted) == (documents, documents)
        answer = self.send(CONTENT, "Sent afterwards")
        assert answer.status_code == 201, answer.get_json()
        assert self.read(answer.get_json()["id"]).data == CONTENT
        self.runtime.housekeeping.settle(timedelta(0))
        assert self.runtime.log.open_intents(self.runtime.clock() + timedelta(days=1)) == ()
        verified(self.runtime)


def check_unavailable(answer: TestResponse) -> None:
    """Check that the answer says what is wrong and what to do, and nothing of where."""
    problem = answer.get_json()
    assert answer.status_code == 503, problem
    assert answer.headers["Retry-After"]
    assert problem["detail"]
    assert problem["mend"]
    assert "/" not in problem["detail"] + problem["mend"]
    assert "Traceback" not in answer.get_data(as_text=True)


@contextmanager
def portal_of(installed: Installed) -> Iterator[Portal]:
    with installed.opened(start=True) as runtime:
        yield Portal(installed, runtime)


@pytest.fixture
def portal(installed: Installed) -> Iterator[Portal]:
    with portal_of(installed) as opened:
        opened.runtime.log._committer._wait = 0.5
        yield opened


class SmallDisk:
    """A file system of its own, which `fill` leaves without room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, leave: int = 0) -> None:
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        if leave:
            os.truncate(self._filler, max(0, self._filler.stat().st_size - leave))

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield SmallDisk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_blob_disk_refuses_an_upload_and_nothing_else(tmp_path: Path, small_disk: SmallDisk) -> None:
    installed = build(tmp_path / "data", blobs=str(small_disk.folder / "blobs"))
    with portal_of(installed) as portal:
        kept = portal.send().get_json()["id"]
        before = portal.holds()
        small_disk.fill(leave=2 * MIB)
        check_unavailable(portal.send(bytes(6 * MIB)))
        small_disk.fill()
        check_unavailable(portal.send())
        assert portal.read(kept).data == CONTENT
        assert portal.holds() == before
        refused = records(portal.runtime, action="document.upload", outcome="aborted")
        assert len(refused) == 2
        small_disk.free()
        portal.check_works(1)


def test_full_log_disk_lets_nothing_in_or_out(tmp_path: Path, small_disk: SmallDisk) -> None:
    installed = build(tmp_path / "data", log=str(small_disk.folder / "log.db"))
    with portal_of(installed) as portal:
        kept = portal.send().get_json()["id"]
        before = portal.holds()
        size = portal.runtime.log.size()
        small_disk.fill()
        fill_log(portal)
        grown = portal.runtime.log.size()
        check_unavailable(portal.send())
        check_unavailable(portal.read(kept))
        assert portal.runtime.log.size() == grown >= size
        assert (portal.holds().documents, portal.holds().blobs) == (before.documents, before.blobs)
        small_disk.free()
        assert portal.read(kept).data == CONTENT
        portal.check_works(1)
    with installed.opened(start=True) as runtime:
        assert contents(runtime).uploads == 0


def fill_log(portal: Portal) -> None:
    """Append until the log's file takes no more: it may have pages that it can still use."""
    with contextlib.suppress(Unavailable):
        while True:
            portal.runtime.log.append_all([Event(action="portal.start", details={"size": 0})] * 64)


def test_full_database_disk_changes_nothing(tmp_path: Path, small_disk: SmallDisk) -> None:
    url = f"sqlite:///{small_disk.folder / 'portal.db'}"
    installed = build(tmp_path / "data", database_url=url)
    with portal_of(installed) as portal:
        kept = portal.send().get_json()["id"]
        before = portal.holds()
        small_disk.fill()
        refused = [portal.send(title=f"Number {number}") for number in range(3)]
        for _ in range(40):
            if refused[-1].status_code == 503:
                break
            refused.append(portal.send(title=f"Number {len(refused)}"))
        check_unavailable(refused[-1])
        taken = sum(answer.status_code == 201 for answer in refused)
        assert portal.read(kept).data == CONTENT
        assert portal.holds().documents == before.documents + taken
        small_disk.free()
        portal.check_works(1 + taken)


def test_upload_beyond_what_a_process_may_write_is_refused(installed: Installed) -> None:
    with serving(installed) as served:
        kept = served.deposit(CONTENT)
        limits = resource.prlimit(served.worker, resource.RLIMIT_FSIZE)
        resource.prlimit(served.worker, resource.RLIMIT_FSIZE, (4 * MIB, limits[1]))
        path = f"/documents/{kept}/content"
        headers = {"Content-Type": "application/octet-stream"}
        answer = served.request("PUT", path, "partner", data=bytes(8 * MIB), headers=headers)
        assert (answer.status_code, "full" in answer.json()["detail"]) == (503, True)
        resource.prlimit(served.worker, resource.RLIMIT_FSIZE, limits)
        answer = served.request("PUT", path, "partner", data=bytes(8 * MIB), headers=headers)
        assert answer.status_code == 201
        assert served.request("GET", path, "official").content == bytes(8 * MIB)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let another process hold the write lock of a database inside the block."""
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        yield


def test_locked_log_opens_nothing(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = portal.send().get_json()["id"]
    before = portal.holds()
    opened: list[str] = []
    really = FileBlobStore.open

    def watched(store: FileBlobStore, name: str) -> Any:
        opened.append(name)
        return really(store, name)

    monkeypatch.setattr(FileBlobStore, "open", watched)
    with locked(portal.installed.settings.log_file):
        check_unavailable(portal.read(kept))
        archive = portal.client.get(
            f"/api/v1/documents.zip?id={kept}", headers=portal.installed.headers("official")
        )
        check_unavailable(archive)
        assert opened == []
        check_unavailable(portal.send())
    assert portal.holds().documents == before.documents
    assert portal.read(kept).data == CONTENT
    portal.check_works(1)


def test_log_that_fails_after_the_commit_takes_nothing_away(portal: Portal) -> None:
    """The document stands when its transaction is committed, whatever becomes of its outcome's record."""
    log = portal.runtime.log
    append, failures = log.append, []

    def fails_once(event: Event) -> Any:
        if event.completes is not None and not failures:
            failures.append(event)
            raise Unavailable("the access log cannot be written", mend="Try again.")
        return append(event)

    log.append = fails_once  # type: ignore[method-assign]
    answer = portal.send()
    assert len(failures) == 1
    check_unavailable(answer)
    portal.runtime.housekeeping.settle(timedelta(0))
    document = records(portal.runtime, action="document.upload")[0]["document"]
    assert portal.read(document).data == CONTENT
    outcomes = [r.get("outcome") for r in records(portal.runtime, action="document.upload")]
    assert outcomes == [None, "complete"]
    portal.check_works(1)


def test_locked_database_answers_unavailable(portal: Portal) -> None:
    kept = portal.send().get_json()["id"]
    with portal.runtime.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=200")
    with locked(portal.installed.folder / "portal.db"):
        assert portal.read(kept).data == CONTENT
        check_unavailable(portal.send())
    portal.check_works(1)


def test_blob_folder_that_cannot_be_written_is_told(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = portal.send().get_json()["id"]
    before = portal.holds()
    folder = portal.installed.settings.blob_folder / ".unfinished"
    if os.geteuid() == 0:
        # Permissions do not bind root: the folder is moved away instead.
        folder.rename(folder.with_name(".moved"))
        check_unavailable(portal.send())
        folder.with_name(".moved").rename(folder)
    else:
        folder.chmod(0o500)
        check_unavailable(portal.send())
        folder.chmod(0o700)
    assert portal.holds() == before
    assert len(records(portal.runtime, action="document.upload", outcome="aborted")) == 1
    assert portal.read(kept).data == CONTENT
    portal.check_works(1)


def test_blob_that_is_gone_is_told_and_recorded_as_failed(portal: Portal) -> None:
    kept = portal.send().get_json()["id"]
    blob = portal.installed.settings.blob_folder / next(
        n for n in portal.holds().blobs if n.endswith("part-1")
    )
    blob.rename(blob.with_name("away"))
    assert portal.read(kept).status_code == 503
    assert [r.get("outcome") for r in records(portal.runtime, action="document.read")] == [None, "failed"]
    blob.with_name("away").rename(blob)
    assert portal.read(kept).data == CONTENT


def test_missing_root_key_stops_the_start_and_says_so(installed: Installed) -> None:
    key = installed.settings.key_folder / "root.key"
    key.rename(key.with_name("away"))
    with pytest.raises(Unavailable) as refused:
        open_portal(installed.settings)
    assert "0600" in refused.value.mend
    key.with_name("away").rename(key)
    with portal_of(installed) as portal:
        portal.check_works(0)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | stat.S_IROTH])
def test_root_key_that_others_can_read_stops_the_start(installed: Installed, mode: int) -> None:
    key = installed.settings.key_folder / "root.key"
    key.chmod(mode)
    with pytest.raises(Unavailable) as refused:
        open_portal(installed.settings)
    assert "0600" in refused.value.mend
    key.chmod(0o600)
    with portal_of(installed) as portal:
        portal.check_works(0)


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), bytes(200)])
def test_root_key_file_that_is_none_stops_the_start(installed: Installed, content: bytes) -> None:
    key = installed.settings.key_folder / "root.key"
    good = key.read_bytes()
    key.write_bytes(content)
    with pytest.raises(PortalError) as refused:
        open_portal(installed.settings)
    assert refused.value.mend
    key.write_bytes(good)
    with portal_of(installed) as portal:
        portal.check_works(0)


def test_server_without_its_root_key_says_so_and_does_not_serve(installed: Installed) -> None:
    key = installed.settings.key_folder / "root.key"
    key.chmod(0o644)
    with starting(installed) as server:
        wait_until(lambda: "0600" in server.errors.read_text())
        assert "Traceback" not in server.errors.read_text()
        assert not server.serves
