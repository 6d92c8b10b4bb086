"""What a process writes to disk, as strace sees it, and whether plaintext stands in it."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

WINDOW = 16
LEAST_VALUES = 8
EVERY = 4096
AT_RANDOM = 32
_WORD = 8
_CHUNK = 1 << 20

CALLS = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,truncate"
_LINE = re.compile(r"^\d+\s+(\w+)\((.*)$")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FOLDER = re.compile(r"^(?:AT_FDCWD|\d+)<([^>]*)>")
_FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|O_APPEND")
_OPENS = frozenset({"open", "openat", "openat2"})


def traced(strace: str, output: Path) -> list[str]:
    """Return what stands before a command so that every file is listed that it or its children open for writing."""
    return [
        strace,
        "-f",
        "--seccomp-bpf",
        "-y",
        "-qq",
        "-s",
        "4096",
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(output),
    ]


def written(output: Path) -> set[Path]:
    """Return every path that a traced command opened for writing, made or renamed; its folder for a nameless one."""
    return {path for line in output.read_text("utf-8", "replace").splitlines() for path in _paths(line)}


def _paths(line: str) -> Iterator[Path]:
    found = _LINE.match(line)
    if found is None or (found[1] in _OPENS and _FOR_WRITING.search(_TEXT.sub("", found[2])) is None):
        return
    folder = _FOLDER.match(found[2])
    for text in _TEXT.findall(found[2]):
        path = Path(text.encode("latin-1", "backslashreplace").decode("unicode_escape"))
        yield path if folder is None else Path(folder[1]) / path  # an absolute path stays what it is


def in_memory(path: Path, mounts: str | None = None) -> bool:
    """Say whether a path lies on a file system that no disk is under (tmpfs, proc, devices)."""
    if mounts is None:
        mounts = Path("/proc/self/mounts").read_text("utf-8")
    kinds = {Path(line.split()[1]): line.split()[2] for line in mounts.splitlines()}
    place = next(folder for folder in (path, *path.parents) if folder in kinds)
    return kinds[place] in ("tmpfs", "ramfs", "proc", "sysfs", "devtmpfs", "devpts")


def windows(content: bytes, seed: int) -> set[bytes]:
    """Return 16-byte windows with at least 8 distinct values: one each 4 KiB, and 32 at random places."""
    last = len(content) - WINDOW
    if last < 0:
        return set()
    chance = random.Random(seed)
    places = [*range(0, last + 1, EVERY), *(chance.randint(0, last) for _ in range(AT_RANDOM))]
    found = {content[place : place + WINDOW] for place in places}
    return {window for window in found if len(set(window)) >= LEAST_VALUES}


def spellings(words: str) -> set[bytes]:
    """Return how a name may stand in a file: UTF-8, UTF-16, as JSON escapes it, as an address does; lower case too."""
    return {
        spelling
        for text in (words, words.lower())
        for spelling in (
            text.encode(),
            text.encode("utf-16-le"),
            text.encode("utf-16-be"),
            json.dumps(text)[1:-1].encode(),
            quote(text).encode(),
            quote(text, safe="").encode(),
        )
    }


class Secrets:
    """What may stand nowhere: windows of contents, and names in every spelling, each with what it is of."""

    def __init__(self, windows: Mapping[bytes, str], names: Mapping[bytes, str]) -> None:
        self.windows = windows
        self._names = names
        self._what = {**names, **windows}
        self._short = [secret for secret in self._what if len(secret) < 2 * _WORD - 1]
        self._words: dict[int, list[bytes]] = {}
        for secret in self._what.keys() - set(self._short):
            # What is this long holds a whole aligned word of 8 bytes, wherever it stands.
            for place in range(_WORD):
                word = int.from_bytes(secret[place : place + _WORD], sys.byteorder)
                self._words.setdefault(word, []).append(secret)

    @staticmethod
    def of(contents: Mapping[str, bytes], names: Iterable[str]) -> Secrets:
        """Return the secrets of contents (by name) and of names."""
        cut = {
            window: f"content of {name}"
            for number, (name, content) in enumerate(contents.items())
            for window in windows(content, number)
        }
        return Secrets(cut, {spelling: f"name {name!r}" for name in names for spelling in spellings(name)})

    def without(self, known: Iterable[bytes]) -> Secrets:
        """Leave out the windows that stand in what is `known`."""
        common = {secret for data in known for secret in self._standing_in(data)}
        return Secrets({w: what for w, what in self.windows.items() if w not in common}, self._names)

    def found_in(self, data: bytes) -> list[str]:
        """Return what of this stands in `data`, wherever it stands."""
        return sorted({self._what[secret] for secret in self._standing_in(data)})

    def _standing_in(self, data: bytes) -> Iterator[bytes]:
        words = memoryview(data + bytes(-len(data) % _WORD))
        suspects = set(self._short)
        for start in range(0, len(words), _CHUNK):
            for word in self._words.keys() & set(words[start : start + _CHUNK].cast("Q")):
                suspects.update(self._words[word])
        yield from (secret for secret in suspects if secret in data)
