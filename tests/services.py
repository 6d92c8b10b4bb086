"""Programs that tests need beside Python: missing ones are a failure in CI, elsewhere a visible skip."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def require_program(name: str, *, places: str = "/usr/sbin:/sbin") -> str:
    """Return the path of a program; fails in CI (`CI=true`), skips elsewhere, when the machine has none.

    It is looked for on the PATH, then in `places`.
    """
    path = shutil.which(name) or shutil.which(name, path=places)
    if path is None:
        missing(name)
    return path


def missing(name: str) -> NoReturn:
    """Fail in CI (`CI=true`), skip elsewhere, since the machine has not got `name`."""
    words = f"{name} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)
