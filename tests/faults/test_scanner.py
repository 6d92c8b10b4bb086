"""The scanner dies and comes back while the portal serves: nothing is lost, and nothing is shown too early."""

from __future__ import annotations

from pathlib import Path

from tests.faults.installed import Installed
from tests.faults.serving import Served, serving, wait_until
from tests.scanners import LIMIT, SIGNED, clamd

CONTENT = b"A deliverable that is harmless. " * 1000


def test_scanner_that_dies_and_comes_back_loses_and_shows_nothing(
    template: Installed, tmp_path: Path
) -> None:
    with clamd(tmp_path / "first") as daemon:
        installed = template.copy(
            tmp_path / "data",
            scanner=f"clamd://127.0.0.1:{daemon.port}",
            scanner_limit=LIMIT,
            scanner_wait_seconds=30,
        )
        with serving(installed) as served:
            # Scanned on the way or by the job: the server has only begun to let the scanner prove itself.
            first = served.deposit(CONTENT)
            infected = served.deposit(SIGNED)
            wait_until(lambda: state_of(served, first) == "clean")
            daemon.process.kill()
            daemon.process.wait()
            waiting = served.deposit(CONTENT, title="Sent while the scanner is down")
            again = served.deposit(SIGNED, title="Infected while the scanner is down")
            assert (state_of(served, waiting), state_of(served, again), state_of(served, infected)) == (
                "404",
                "404",
                "404",
            )
            served.kill()
        with clamd(tmp_path / "second", port=daemon.port), serving(installed) as served:
            wait_until(lambda: state_of(served, waiting) == "clean")
            content = served.request("GET", f"/documents/{waiting}/content", "official").content
            assert content == CONTENT
            listed = served.request("GET", "/documents", "official").json()["items"]
            assert {item["id"] for item in listed} == {first, waiting}


def state_of(served: Served, document: str) -> str:
    answer = served.request("GET", f"/documents/{document}", "official")
    return str(answer.json()["scan"]) if answer.ok else str(answer.status_code)
