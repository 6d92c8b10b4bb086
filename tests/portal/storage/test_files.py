from __future__ import annotations

import mmap
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from portal.errors import Unavailable
from portal.storage import BlobStore, FileBlobStore
from tests.portal.storage.contract import NAME, BlobStoreContract

ROOM = Path(__file__).resolve().parents[3]
UNFINISHED_WRITE = """
import sys
import tempfile
from pathlib import Path
from portal.storage import FileBlobStore
writer = FileBlobStore(Path(sys.argv[1])).create(sys.argv[2])
writer.write(bytes(1 << 20))
print("written", flush=True)
sys.stdin.read()
"""
WRITE_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from portal.errors import Unavailable
from portal.storage import FileBlobStore
store = FileBlobStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer = store.create(sys.argv[2])
try:
    writer.write(bytes(1 << 20))
except Unavailable as told:
    writer.abort()
    print(told.message, told.mend)
"""


class TestFileBlobStore(BlobStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return FileBlobStore(tmp_path / "blobs")


def run(script: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(root), NAME],
        cwd=ROOM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_writer_leaves_no_half_blob_and_is_swept(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    with run(UNFINISHED_WRITE, tmp_path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        assert store.sweep() == 0
        writer.kill()
        writer.wait()
    assert list(store.list()) == []
    assert store.sweep() == 1
    assert store.sweep() == 0
    store.put(NAME, b"again")
    assert store.get(NAME) == b"again"


def test_a_full_disk_is_told_with_its_mend_and_leaves_nothing(tmp_path: Path) -> None:
    # The limit on a file's size fails a write midway just as a full disk does.
    with run(WRITE_ON_A_FULL_DISK, tmp_path) as writer:
        said, _ = writer.communicate()
    assert "full" in said
    assert "administrator" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        FileBlobStore(tmp_path / "blobs").put(NAME, b"x")
    finally:
        os.umask(old)
    made = [path for path in (tmp_path / "blobs").rglob("*") if path.name != "blobs"]
    assert made
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in made)


def test_an_unusable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        FileBlobStore(tmp_path / "file" / "blobs")


def test_a_damaged_folder_is_told_without_its_path(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path)
    store.put("a", b"x")
    with pytest.raises(Unavailable) as told:
        store.get("a/b")
    assert str(tmp_path) not in told.value.message + told.value.mend


BLOCK = 4096


@pytest.mark.parametrize(
    "sizes",
    [(BLOCK, BLOCK), (1 << 20, 1 << 20, 12345), (1 << 20, 7, 1 << 20), (5, BLOCK), (0, BLOCK, 0, 1)],
    ids=str,
)
@pytest.mark.parametrize("offset", [0, 1, 512])
def test_what_is_written_is_there_whatever_its_length_and_place_in_memory(
    tmp_path: Path, sizes: tuple[int, ...], offset: int
) -> None:
    store = FileBlobStore(tmp_path)
    memory = mmap.mmap(-1, (2 << 20) + BLOCK)
    memory[:] = os.urandom(len(memory))
    writer = store.create(NAME)
    written = b""
    for size in sizes:
        piece = memoryview(memory)[offset : offset + size]
        assert writer.write(piece) == size
        written += bytes(piece)
        piece.release()
    writer.close()
    assert store.get(NAME) == written


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system has no way past the page cache")
def test_a_file_system_without_a_way_past_the_page_cache_is_written_through_it() -> None:
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK):
        pytest.skip("no file system in memory is here")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store = FileBlobStore(Path(place))
        store.put(NAME, bytes(1 << 20) + b"rest")
        assert store.get(NAME) == bytes(1 << 20) + b"rest"
        assert store.sweep() == 0
