"""kill -9 at every stage of a rotation: nothing is lost, and the rotation goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from crypto.keyring import KeyState
from portal.clock import system_clock
from portal.services.runtime import Runtime
from tests.faults.installed import Installed, verified
from tests.faults.test_kill import FIRST, Jobs

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    running = Jobs(tmp_path_factory.mktemp("jobs"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def stage(template: Installed, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An installation with one document."""
    folder = tmp_path_factory.mktemp("rotation")
    installed = template.copy(folder / "data")
    content = folder / "content"
    content.write_bytes(FIRST)
    sent = jobs.do(installed, "upload", title="Title", name="name.pdf", content=str(content))
    assert sent.status == 201
    return installed


def carry_on(runtime: Runtime) -> None:
    """Do what the background does on another node, in the hours that follow."""
    for hours in (2, 3):
        later = timedelta(hours=hours)
        runtime.rotations._clock = lambda later=later: system_clock() + later
        runtime.rotations.work()


@pytest.mark.parametrize(("kind", "every"), [("kek", 5), ("row", 6), ("root", 3)])
def test_a_rotation_that_was_killed_goes_on_and_nothing_is_lost(
    stage: Installed, jobs: Jobs, folder: Path, kind: str, every: int
) -> None:
    whole = jobs.do(stage.copy(folder / "whole"), "rotate", key=kind)
    assert whole.status == 200, whole
    assert len(whole.steps) > 6
    for step in range(0, len(whole.steps), every):
        installed = stage.copy(folder / f"step-{step}")
        died = jobs.do(installed, "rotate", step, key=kind)
        assert died.signal == 9, died
        with installed.opened(start=True) as runtime:
            carry_on(runtime)
            assert all(view.state == "done" and not view.failed for view in runtime.rotations.all())
            assert not [found for unit in runtime.fsck.plan() for found in runtime.fsck.check(unit).findings]
            verified(runtime)
            for key in runtime.ring.stored():
                versions = [
                    k.version for k in runtime.ring.stored() if (k.kind, k.domain) == (key.kind, key.domain)
                ]
                newest = key.version == max(versions)
                assert key.state == (KeyState.ACTIVE if newest else KeyState.RETIRED), (
                    whole.steps[step],
                    key,
                )
                assert runtime.ring.root.is_current(key.wrapped)
