"""Property tests here are judged by what they find, never by the clock."""

import gc

import pytest
from hypothesis import settings

from policies import SecurityPolicy

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Forget what policies remember: mutation tests run again and again in copies of one process."""
    for policy in gc.get_objects():
        if isinstance(policy, SecurityPolicy):
            policy._compiled.cache_clear()  # type: ignore[attr-defined]
            policy._mask.cache_clear()  # type: ignore[attr-defined]
