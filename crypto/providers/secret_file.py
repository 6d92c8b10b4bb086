"""Secrets that a provider is opened with (a PIN, an AppRole's secret id), each in a file of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from crypto.errors import KeyUnavailable

_MOST_BYTES = 4096


def read_secret(path: Path, what: str) -> str:
    """Return the text of a file that only its owner can read; raises KeyUnavailable, which names the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise KeyUnavailable(f"the {what} in {path} cannot be read: {error.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_mode & 0o077:
            raise KeyUnavailable(
                f"the {what} in {path} must be a file for its owner alone: run chmod 600 on it"
            )
        text = os.read(descriptor, _MOST_BYTES).decode("utf-8", "replace").strip()
    finally:
        os.close(descriptor)
    if not text:
        raise KeyUnavailable(f"the file {path} is empty: put the {what} there")
    return text
