"""Property tests here are judged by what they find, never by the clock."""

import gc
import os

import pytest
from hypothesis import Phase, settings

from policies import SecurityPolicy

settings.register_profile("untimed", deadline=None)
# `make mutate` runs them a thousand times over and asks only whether one fails, not for the smallest example.
settings.register_profile(
    "mutated",
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
)
settings.load_profile("mutated" if os.environ.get("STRONGROOM_MUTATING") else "untimed")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Forget what policies remember: mutation tests run again and again in copies of one process."""
    for policy in gc.get_objects():
        if isinstance(policy, SecurityPolicy):
            policy._compiled.cache_clear()  # type: ignore[attr-defined]
            policy._mask.cache_clear()  # type: ignore[attr-defined]
