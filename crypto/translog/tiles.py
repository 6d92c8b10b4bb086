"""Tiles (C2SP tlog-tiles): the tree's hashes and the log's leaves, cut into files that never change once full.

A tile at tile level L, number N holds up to 256 hashes of tree level 8·L. A partial tile holds the first `width` of
them. An entry bundle holds the leaves below a tile of level 0, each after its length as a 16-bit big-endian number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from crypto.translog.errors import Malformed
from crypto.translog.tree import HASH_BYTES, level_up

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_ENTRY = 65_535
MAX_LEVEL = 63

_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile; `level` is None for an entry bundle, `width` 256 for a full one."""

    level: int | None
    number: int
    width: int = WIDTH

    def path(self) -> str:
        """Return its name: `tile/LEVEL/NUMBER[.p/WIDTH]`, the number in groups of three digits."""
        groups = [f"{self.number % 1000:03}"]
        rest = self.number // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_path(path: str) -> Tile:
    """Read a tile's name; raises Malformed for anything that `Tile.path` would not write."""
    found = _PATH.fullmatch(path)
    if found is None or len(path) > 80:
        raise Malformed("that is not the name of a tile")
    level, number, width = found.groups()
    tile = Tile(
        None if level == "entries" else int(level),
        int(number.replace("/", "").replace("x", "")),
        int(width) if width else WIDTH,
    )
    if tile.path() != path or (tile.level or 0) > MAX_LEVEL:
        raise Malformed("that is not the name of a tile")
    return tile


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield the hash tiles of a log of `size` leaves, level by level: the full ones and the partial one at the edge."""
    level, count = 0, size
    while count:
        for number in range(count // WIDTH):
            yield Tile(level, number)
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level, count = level + 1, count // WIDTH


def encode_entries(leaves: Iterable[bytes]) -> bytes:
    """Write an entry bundle; raises ValueError for a leaf over 65,535 bytes."""
    parts: list[bytes] = []
    for leaf in leaves:
        if len(leaf) > MAX_ENTRY:
            raise ValueError("a leaf is over 65,535 bytes")
        parts += (len(leaf).to_bytes(2, "big"), leaf)
    return b"".join(parts)


def decode_entries(bundle: bytes) -> list[bytes]:
    """Read an entry bundle; raises Malformed when it is cut off or holds more than 256 leaves."""
    leaves: list[bytes] = []
    position = 0
    while position < len(bundle):
        start = position + 2
        position = start + int.from_bytes(bundle[position:start], "big")
        if start > len(bundle) or position > len(bundle):
            raise Malformed("the entry bundle is cut off")
        leaves.append(bundle[start:position])
    if len(leaves) > WIDTH:
        raise Malformed("the entry bundle holds more than 256 leaves")
    return leaves


def split_hashes(hashes: bytes) -> list[bytes]:
    """Cut a tile's bytes into its hashes; raises Malformed."""
    if len(hashes) % HASH_BYTES or len(hashes) > WIDTH * HASH_BYTES:
        raise Malformed("a tile is not a whole number of hashes, at most 256")
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


class TileReader:
    """Reads the hash of any complete subtree from tiles.

    `fetch(level, number)` returns a tile's bytes, as many hashes as it has. Tiles are kept for the life of the reader,
    which is meant for one proof or one root.
    """

    def __init__(self, fetch: Callable[[int, int], bytes]) -> None:
        self._fetch = fetch
        self._kept: dict[tuple[int, int], list[bytes]] = {}

    def read(self, addresses: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the hash at each (level, number); raises Malformed when a tile lacks it."""
        return [self._one(level, number) for level, number in addresses]

    def _one(self, level: int, number: int) -> bytes:
        height = level % HEIGHT
        first = number << height
        tile = level // HEIGHT, first // WIDTH
        if tile not in self._kept:
            self._kept[tile] = split_hashes(self._fetch(*tile))
        start = first % WIDTH
        hashes = self._kept[tile][start : start + (1 << height)]
        if len(hashes) != 1 << height:
            raise Malformed(f"tile {tile[0]}/{tile[1]} holds too few hashes")
        for _ in range(height):
            hashes = level_up(hashes)
        return hashes[0]


class TileBuilder:
    """Extends a log's tiles by new leaf hashes.

    `fetch(level, number)` returns what a tile holds so far (no bytes for a new one); `changed` holds the tiles that are
    new or longer, to be stored together with the new `size`.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self.size = size
        self.changed: dict[tuple[int, int], bytes] = {}

    def extend(self, hashes: Sequence[bytes]) -> None:
        """Add leaf hashes, in order."""
        start = self.size
        self.size += len(hashes)
        level = 0
        fresh = list(hashes)
        while fresh:
            fresh = self._extend_level(level, start, fresh)
            start //= WIDTH
            level += 1

    def _extend_level(self, level: int, start: int, fresh: Sequence[bytes]) -> list[bytes]:
        """Add hashes from position `start` of a tile level; return the roots of the tiles that they complete."""
        above: list[bytes] = []
        done = 0
        while done < len(fresh):
            number, offset = divmod(start + done, WIDTH)
            taken = fresh[done : done + WIDTH - offset]
            done += len(taken)
            held = self._held(level, number) if offset else b""
            if len(held) != offset * HASH_BYTES:
                raise Malformed(f"tile {level}/{number} does not hold {offset} hashes")
            whole = held + b"".join(taken)
            self.changed[level, number] = whole
            if len(whole) == WIDTH * HASH_BYTES:
                above.append(tile_root(whole))
        return above

    def _held(self, level: int, number: int) -> bytes:
        held = self.changed.get((level, number))
        return self._fetch(level, number) if held is None else held


def tile_root(whole: bytes) -> bytes:
    """Return the hash over a full tile."""
    hashes = split_hashes(whole)
    for _ in range(HEIGHT):
        hashes = level_up(hashes)
    return hashes[0]
