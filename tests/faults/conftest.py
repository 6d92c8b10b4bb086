"""One installation, built once; each test works on a copy of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installed import Installed, build
from tests.faults.serving import Served, serving


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An installation that no test changes."""
    return build(tmp_path_factory.mktemp("installed") / "data")


@pytest.fixture
def installed(template: Installed, tmp_path: Path) -> Installed:
    """An installation of this test's own."""
    return template.copy(tmp_path / "data")


@pytest.fixture
def served(installed: Installed) -> Iterator[Served]:
    """An installation that is being served by gunicorn."""
    with serving(installed) as running:
        yield running
