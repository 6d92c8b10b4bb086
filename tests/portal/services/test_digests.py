from __future__ import annotations

import hashlib
import os
import signal
from typing import Literal

import pytest

from portal.services.digests import SideDigest


@pytest.mark.parametrize(
    "sizes", [(), (0,), (1,), (1 << 20,) * 5, (7, 1 << 20, 0, 65_535, 65_536, 3, 1 << 21)], ids=str
)
@pytest.mark.parametrize("algorithm", ["sha256", "sha384"])
def test_it_is_the_digest_of_everything_in_its_order(
    sizes: tuple[int, ...], algorithm: Literal["sha256", "sha384"]
) -> None:
    side, plain = SideDigest(algorithm), hashlib.new(algorithm)
    for size in sizes:
        data = os.urandom(size)
        side.update(data)
        plain.update(data)
    assert side.digest() == plain.digest()
    assert side.digest() == plain.digest()


def test_after_waiting_the_memory_may_be_used_again() -> None:
    side, plain = SideDigest(), hashlib.sha256()
    memory = bytearray(1 << 20)
    for number in range(16):
        memory[:] = bytes([number]) * len(memory)
        plain.update(memory)
        side.update(memory)
        side.wait()
    assert side.digest() == plain.digest()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_digests_with_threads_of_its_own() -> None:
    SideDigest().update(bytes(1 << 20))
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        side = SideDigest()
        side.update(bytes(1 << 20))
        os._exit(0 if side.digest() == hashlib.sha256(bytes(1 << 20)).digest() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
