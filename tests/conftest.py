"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demonstration import Demo, start_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One running demonstration for all tests of a process; they may add to it, and take nothing away."""
    running = start_demo(tmp_path_factory.mktemp("demonstration"))
    yield running
    running.stop()
