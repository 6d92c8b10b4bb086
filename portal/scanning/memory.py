"""Whether a place lies in memory: a scanner's spool must, since it holds documents in the clear."""

from __future__ import annotations

from pathlib import Path

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def in_memory(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Tell whether a path lies on a file system in memory; raises OSError where the mounts cannot be read."""
    path = path.resolve()
    longest, kind = -1, ""
    for line in mounts.read_text("utf-8", "surrogateescape").splitlines():
        # proc(5): the mount point is the fifth field, the type is the first behind a hyphen.
        mount, _, rest = line.partition(" - ")
        place = Path(mount.split(" ")[4].replace("\\040", " "))
        # Of two at one place the later covers the earlier.
        if path.is_relative_to(place) and len(place.parts) >= longest:
            longest, kind = len(place.parts), rest.partition(" ")[0]
    return kind in _IN_MEMORY


def open_files(process: int) -> set[Path]:
    """Return the regular files that a process has open; none where it may not be looked at."""
    found = set()
    try:
        for link in Path(f"/proc/{process}/fd").iterdir():
            path = Path(str(link.readlink()).removesuffix(" (deleted)"))
            if link.is_file() and not str(path).startswith(("/proc/", "/memfd:")):
                found.add(path)
    except OSError:
        return found
    return found
