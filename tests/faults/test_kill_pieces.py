"""kill -9 at the stages of an upload in pieces: whatever was in store goes on, on a node that knows nothing of it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text

from portal import models
from portal.app import create_app
from portal.services.resumable import Resumable
from portal.services.runtime import Runtime
from tests.faults.installed import Installed, verified
from tests.faults.test_kill import Jobs, View

pytestmark = pytest.mark.timeout(900)
CONTENT = b"Soundings of the outer harbour. " * 20_000
TITLE = "Soundings"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    running = Jobs(tmp_path_factory.mktemp("jobs"))
    yield running
    running.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def later(runtime: Runtime) -> None:
    """Let the lease of whoever died run out."""
    with runtime.database.write() as session:
        session.execute(text("UPDATE upload_leases SET until = 0"))


def test_an_upload_in_pieces_that_dies_at_any_stage_goes_on(
    jobs: Jobs, template: Installed, folder: Path
) -> None:
    (folder / "content").write_bytes(CONTENT)
    facts = {"title": TITLE, "name": "soundings.txt", "content": str(folder / "content")}
    whole = jobs.do(template.copy(folder / "whole"), "pieces", **facts)
    assert whole.status == 204
    # Every fourth stage, and the last ones, where the version comes into being.
    count = len(whole.steps)
    for number in sorted({*range(0, count, 4), *range(count - 5, count)}):
        installed = template.copy(folder / str(number))
        jobs.do(installed, "pieces", number, **facts)
        with installed.opened(start=True) as runtime:
            later(runtime)
        assert jobs.do(installed, "pieces", **facts).status in (201, 204), whole.steps[number]
        with installed.opened(start=True) as runtime:
            later(runtime)
            runtime.housekeeping.sweep()
            runtime.resumable.close()
            view = View(runtime, installed)
            [(title, (document, version))] = view.versions().items()
            assert (title, version) == (TITLE, 1)
            assert view.read(document, 1) == CONTENT
            with runtime.database.read() as session:
                row = session.get_one(models.Version, (document, 1))
            stored = sorted(runtime.deposit.receiving.blobs.list())
            parts = [f"{row.blob}/part-{n}" for n in range(1, len(json.loads(row.parts)) + 1)]
            assert [name for name in stored if "part-" in name] == parts, whole.steps[number]
            assert runtime.log.open_intents(runtime.clock()) == ()
            verified(runtime)
        shutil.rmtree(installed.folder)


def test_of_two_requests_that_finish_one_upload_one_files_it(template: Installed, folder: Path) -> None:
    installed = template.copy(folder / "data")
    with installed.opened(start=True) as runtime:
        app = create_app(runtime)
        headers = installed.headers("partner", **{"Tus-Resumable": "1.0.0"})
        facts = "programme {},title VA==,label TkFUTyBTRUNSRVQ=,filename YS50eHQ="
        facts = facts.format(base64.b64encode(installed.programme.encode()).decode())
        begin = {**headers, "Upload-Length": "6", "Upload-Metadata": facts}
        place = app.test_client().post("/api/v1/uploads", headers=begin).headers["Location"]
        other = Resumable(
            runtime.database,
            runtime.log,
            runtime.access,
            runtime.resumable._ring,
            runtime.deposit,
            runtime.alarm,
            runtime.settings,
            runtime.clock,
        )

        def send(_number: int) -> int:
            more = {**headers, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
            return app.test_client().patch(place, data=b"abcdef", headers=more).status_code

        with ThreadPoolExecutor(4) as pool:
            statuses = sorted(pool.map(send, range(4)))
        assert statuses[0] == 204
        assert set(statuses[1:]) <= {204, 409, 423}
        assert other.settle() == 0
        other.close()
        assert len(View(runtime, installed).versions()) == 1
        verified(runtime)
