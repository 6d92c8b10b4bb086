"""kill -9 between any two steps: after the next start a document is there whole, or nothing of it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from policies.requests import Action
from portal import models
from portal.services.actor import Actor
from portal.services.document_views import DocumentFilter
from portal.services.runtime import Runtime
from tests.faults.installed import Contents, Installed, contents, records, verified
from tests.faults.serving import serving, wait_until

# Some of these start a process for each step of a long job: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
FIRST = b"The first version of the deliverable. " * 3000
SECOND = b"The second version of the deliverable, longer than the first. " * 20_000
LAST_STATEMENT = "portal delete uploads"
"""What comes right before the commit that makes a version exist."""
TITLE = "Hydrophone calibration"


@dataclass(frozen=True)
class Death:
    """What became of a job: the signal that its process died of (0: none), its status and its steps."""

    signal: int
    status: int | None
    steps: list[str]


class Jobs:
    """The program `dying`: does jobs on installations, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        command = [sys.executable, "-m", "tests.faults.dying"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def do(
        self, installed: Installed, job: str, step: int | None = None, *, fine: bool = False, **more: Any
    ) -> Death:
        """Do `job`; its process dies before step `step`, if it has so many.

        `fine` counts each statement of a transaction, not only its commit.
        """
        self._number += 1
        told = self._folder / f"told-{self._number}"
        described = installed.write(self._folder / f"installed-{self._number}")
        line = {
            "installed": str(described),
            "job": job,
            "step": step,
            "fine": fine,
            "told": str(told),
            **more,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        died = int(self._read())
        found = json.loads(told.read_text("utf-8")) if told.exists() else {}
        return Death(died, found.get("status"), found.get("steps", []))

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: a kill loses nothing that was written, so that syncing proves nothing."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    running = Jobs(tmp_path_factory.mktemp("jobs"))
    yield running
    running.close()


@dataclass(frozen=True)
class Stage:
    """An installation that holds one document, and what a job on it needs."""

    installed: Installed
    document: str
    facts: dict[str, str]


@pytest.fixture(scope="module")
def stage(template: Installed, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("stage")
    installed = template.copy(folder / "data")
    (folder / "first").write_bytes(FIRST)
    (folder / "second").write_bytes(SECOND)
    facts = {"title": TITLE, "name": "calibration.txt", "content": str(folder / "first")}
    assert jobs.do(installed, "upload", **facts).status == 201
    with installed.opened() as runtime:
        document = View(runtime, installed).versions()[TITLE][0]
    return Stage(
        installed,
        document,
        {**facts, "title": "Towed array", "content": str(folder / "second"), "document": document},
    )


class View:
    """What the official sees of an opened installation."""

    def __init__(self, runtime: Runtime, installed: Installed) -> None:
        self._runtime = runtime
        person = installed.people["official"]
        with runtime.database.read() as session:
            home = session.get_one(models.Person, person).organisation_id
        self._actor = Actor(person, home, assurance=2, session="test")

    def versions(self, words: str | None = None) -> dict[str, tuple[str, int]]:
        """Return the documents that are listed, or found by `words`: id and newest version by title."""
        page = self._runtime.documents.find(self._actor, DocumentFilter(text=words))
        return {item.title: (item.id, item.version) for item in page.items}

    def read(self, document: str, number: int) -> bytes:
        """Return a version's content."""
        permission = self._runtime.release.permit(self._actor, Action.DOCUMENT_READ, document, number)
        with closing(self._runtime.release.open(permission)) as transfer:
            return b"".join(bytes(piece) for piece in transfer)

    def check_whole(self, wanted: dict[tuple[str, int], bytes]) -> None:
        """Check that these versions (by title, number) can be listed, found and read, and nothing else is there."""
        newest = {title: max(n for t, n in wanted if t == title) for title, _ in wanted}
        listed = self.versions()
        assert {title: number for title, (_, number) in listed.items()} == newest
        for title in newest:
            assert self.versions(title.lower()) == {title: listed[title]}
        for (title, number), content in wanted.items():
            assert self.read(listed[title][0], number) == content
        held = contents(self._runtime)
        assert (held.documents, held.versions, held.counted) == (len(newest), len(wanted), len(newest))
        assert (held.uploads, held.unfinished, len(held.blobs)) == (0, 0, 2 * len(wanted))


def check_log(runtime: Runtime) -> None:
    """Check that every intent has its outcome and that the log verifies."""
    assert runtime.log.open_intents(runtime.clock() + timedelta(days=1)) == ()
    verified(runtime)


def died_before(
    job: str, jobs: Jobs, stage: Stage, folder: Path, *, fine: bool = False
) -> Iterator[tuple[str, Installed]]:
    """Do `job` once to count its steps, then once for each of them, on a fresh copy, dying before it."""
    whole = jobs.do(stage.installed.copy(folder / "whole"), job, None, fine=fine, **stage.facts)
    assert whole.signal == 0
    assert len(whole.steps) > 2, whole.steps
    for number, name in enumerate(whole.steps):
        copy = stage.installed.copy(folder / str(number))
        death = jobs.do(copy, job, number, fine=fine, **stage.facts)
        assert death.signal == signal.SIGKILL, f"step {number}: {name}"
        yield name, copy


@pytest.mark.parametrize(
    ("job", "made"),
    [("upload", ("Towed array", 1)), ("version", (TITLE, 2))],
)
def test_upload_that_dies_at_any_step_leaves_all_or_nothing(
    jobs: Jobs, stage: Stage, folder: Path, job: str, made: tuple[str, int]
) -> None:
    before = {(TITLE, 1): FIRST}
    outcomes = []
    committing = False
    for name, installed in died_before(job, jobs, stage, folder, fine=True):
        with installed.opened(start=True) as runtime:
            view = View(runtime, installed)
            stands = view.versions().get(made[0], ("", 0))[1] == made[1]
            view.check_whole({**before, made: SECOND} if stands else before)
            check_log(runtime)
            settled = [r["outcome"] for r in records(runtime, action=f"document.{job}") if r.get("outcome")]
            if stands:
                assert settled[-1] == "complete"
        outcomes.append(stands)
        committing = committing or name == LAST_STATEMENT
        assert not stands or committing, f"there before its commit: {name}"
    assert outcomes == sorted(outcomes), "once there, it is there at every later step"
    assert outcomes[-1]


def test_refused_upload_that_dies_while_it_is_undone_leaves_nothing(
    jobs: Jobs, stage: Stage, folder: Path
) -> None:
    for _, installed in died_before("broken", jobs, stage, folder):
        with installed.opened(start=True) as runtime:
            View(runtime, installed).check_whole({(TITLE, 1): FIRST})
            check_log(runtime)


def test_read_that_dies_is_settled_as_disclosed_perhaps(jobs: Jobs, stage: Stage, folder: Path) -> None:
    outcomes = set()
    for name, installed in died_before("read", jobs, stage, folder):
        with installed.opened(start=True) as runtime:
            check_log(runtime)
            found = records(runtime, action="document.read")
            assert len(found) in (0, 2), name
            outcomes.add(found[1]["outcome"] if found else None)
            if found:
                assert found[1]["completes"] == found[0]["seq"]
                assert found[1]["document"] == stage.document
    assert outcomes == {None, "unknown", "complete"}


def test_export_that_dies_is_settled_as_disclosed_perhaps(jobs: Jobs, stage: Stage, folder: Path) -> None:
    outcomes = set()
    for _, installed in died_before("export", jobs, stage, folder):
        with installed.opened(start=True) as runtime:
            check_log(runtime)
            found = records(runtime, action="log.export")
            outcomes.add(found[1]["outcome"] if found else None)
    assert outcomes == {None, "unknown", "complete"}


def test_start_that_dies_is_taken_up_by_the_next(jobs: Jobs, stage: Stage, folder: Path) -> None:
    left = stage.installed.copy(folder / "left")
    counted = jobs.do(stage.installed.copy(folder / "counted"), "upload", fine=True, **stage.facts)
    last = counted.steps.index(LAST_STATEMENT)
    assert jobs.do(left, "upload", last, fine=True, **stage.facts).signal == signal.SIGKILL
    assert jobs.do(left, "read", 1, **stage.facts).signal == signal.SIGKILL
    dying = Stage(left, stage.document, stage.facts)
    for _, installed in died_before("start", jobs, dying, folder):
        with installed.opened(start=True) as runtime:
            View(runtime, installed).check_whole({(TITLE, 1): FIRST})
            check_log(runtime)


def test_stop_that_dies_leaves_a_log_that_verifies(jobs: Jobs, stage: Stage, folder: Path) -> None:
    for _, installed in died_before("stop", jobs, stage, folder):
        with installed.opened(start=True) as runtime:
            View(runtime, installed).check_whole({(TITLE, 1): FIRST})
            check_log(runtime)


def test_server_whose_process_is_killed_goes_on(template: Installed, folder: Path) -> None:
    """gunicorn starts another process, which tidies up after the one that is gone."""
    with serving(template.copy(folder / "data")) as served:
        document = served.deposit(FIRST, TITLE)
        large = served.deposit(bytes(32 << 20), "Large")
        first = served.worker
        with closing(served.connect()) as sender, closing(served.connect()) as reader:
            sender.sendall(served.put(f"/documents/{document}/content", 4 << 20) + bytes(2 << 20))
            reader.sendall(served.head("GET", f"/documents/{large}/content", "official"))
            assert reader.recv(100).startswith(b"HTTP/1.1 200 ")
            wait_until(lambda: in_progress(served.installed))
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: not in_progress(served.installed))
        wait_until(lambda: served.worker not in (first, served.process.pid))
        answer = served.request("GET", f"/documents/{document}/content", "official")
        assert answer.content == FIRST
        with served.installed.opened() as runtime:
            assert contents(runtime).unfinished == 0
            read = records(runtime, action="document.read", document=large)
            assert [record.get("outcome") for record in read] == [None, "unknown"]
            assert records(runtime, action="document.version")[-1]["outcome"] == "failed"
        assert (
            served.request("PUT", f"/documents/{document}/content", "partner", data=SECOND).status_code == 201
        )
    with served.installed.opened(start=True) as runtime:
        View(runtime, served.installed).check_whole(
            {(TITLE, 1): FIRST, (TITLE, 2): SECOND, ("Large", 1): bytes(32 << 20)}
        )
        check_log(runtime)


def in_progress(installed: Installed) -> bool:
    with installed.opened() as runtime:
        return contents(runtime).uploads > 0


def test_step_before_the_upload_is_registered_leaves_no_trace(jobs: Jobs, stage: Stage, folder: Path) -> None:
    copy = stage.installed.copy(folder / "copy")
    assert jobs.do(copy, "upload", 0, **stage.facts).signal == signal.SIGKILL
    with copy.opened() as runtime:
        held: Contents = contents(runtime)
    with stage.installed.opened() as runtime:
        assert held == contents(runtime)
