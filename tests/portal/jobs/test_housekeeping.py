from __future__ import annotations

import logging
import threading

import pytest

from portal.errors import Unavailable
from portal.jobs.housekeeping import Rounds


class Sweeper:
    """Counts its rounds, fails in some, and tells when there were enough."""

    def __init__(self, enough: int, failing: dict[int, Exception] | None = None) -> None:
        self.count = 0
        self.done = threading.Event()
        self._enough = enough
        self._failing = failing or {}

    def sweep(self) -> None:
        self.count += 1
        if self.count >= self._enough:
            self.done.set()
        if self.count in self._failing:
            raise self._failing[self.count]


def test_rounds_go_on_beside_the_caller_until_they_are_stopped() -> None:
    sweeper = Sweeper(3)
    rounds = Rounds(sweeper, every=0.001)
    rounds.start()
    assert sweeper.done.wait(10)
    rounds.stop()
    count = sweeper.count
    assert not any(thread.name == "housekeeping" for thread in threading.enumerate())
    assert sweeper.count == count


def test_a_round_that_fails_is_reported_and_followed_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    sweeper = Sweeper(3, {1: Unavailable("The log cannot be written."), 2: RuntimeError("unforeseen")})
    rounds = Rounds(sweeper, every=0.001)
    with caplog.at_level(logging.ERROR):
        rounds.start()
        assert sweeper.done.wait(10)
        rounds.stop()
    assert "The log cannot be written." in caplog.text
    assert "unforeseen" in caplog.text


def test_a_worker_sweeps_at_once_and_returns_when_stopped() -> None:
    sweeper = Sweeper(1)
    rounds = Rounds(sweeper, every=3600)
    worker = threading.Thread(target=rounds.run)
    worker.start()
    assert sweeper.done.wait(10)
    rounds.stop()
    worker.join(10)
    assert not worker.is_alive()
    assert sweeper.count == 1
