"""What a process holds in memory stays there: no core dump, no debugger of the same account, swap that is told of."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_DUMPABLE = 4  # prctl(2)
_SWAPS = Path("/proc/swaps")
_NOT_PLAIN = ("/dev/zram", "/dev/dm-", "/dev/mapper/")


def keep_from_dumps() -> None:
    """Make no core dumps from here on, in children either.

    A core size of nothing is not enough: where the system hands cores to a program, that limit is not asked. A process
    that is not dumpable makes none, and nobody of the same account reads its memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def plain_swaps() -> Sequence[str]:
    """Return the swap areas that are on and neither in memory (zram) nor under a device mapper (dm-crypt)."""
    try:
        lines = _SWAPS.read_text("utf-8").splitlines()[1:]
    except OSError:
        return ()
    return [name for name in (line.split()[0] for line in lines if line) if not name.startswith(_NOT_PLAIN)]
