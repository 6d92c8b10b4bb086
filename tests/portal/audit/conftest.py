from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.audit import AuditLog
from tests.portal.audit.support import Place, StepClock, place


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def where(tmp_path: Path, clock: StepClock) -> Iterator[Place]:
    opened = place(tmp_path, clock)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def log(where: Place) -> Iterator[AuditLog]:
    opened = where.open()
    yield opened
    opened.close()
