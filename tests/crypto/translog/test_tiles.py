from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.translog.errors import Malformed
from crypto.translog.proofs import check_inclusion, prove_inclusion
from crypto.translog.tiles import (
    Tile,
    TileBuilder,
    TileReader,
    decode_entries,
    encode_entries,
    parse_path,
    split_hashes,
    tiles_of,
)
from crypto.translog.tree import CompactRange, leaf_hash, root

NAMES = {
    Tile(0, 0): "tile/0/000",
    Tile(0, 0, 1): "tile/0/000.p/1",
    Tile(3, 1234067): "tile/3/x001/x234/067",
    Tile(1, 999, 255): "tile/1/999.p/255",
    Tile(None, 1000, 17): "tile/entries/x001/000.p/17",
}


@pytest.mark.parametrize("tile", NAMES)
def test_tiles_are_named_as_published(tile: Tile) -> None:
    assert tile.path() == NAMES[tile]
    assert parse_path(NAMES[tile]) == tile


@given(
    st.none() | st.integers(0, 63),
    st.integers(0, 10**12),
    st.integers(1, 256),
)
def test_every_tile_reads_back_from_its_name(level: int | None, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert parse_path(tile.path()) == tile


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x000/000",
        "tile/0/001/000",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
        "tile/data/000",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Malformed):
        parse_path(name)


@given(st.text(alphabet="tile/entrisx0123456789.p/", max_size=40))
def test_a_name_is_a_tile_s_only_in_its_one_form(name: str) -> None:
    try:
        tile = parse_path(name)
    except Malformed:
        return
    assert tile.path() == name


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_entry_bundles_read_back(leaves: list[bytes]) -> None:
    assert decode_entries(encode_entries(leaves)) == leaves


@given(st.binary(max_size=200))
def test_a_bundle_reads_whole_or_not_at_all(bundle: bytes) -> None:
    try:
        leaves = decode_entries(bundle)
    except Malformed:
        return
    assert encode_entries(leaves) == bundle


def test_leaves_and_bundles_over_their_limits_are_refused() -> None:
    assert decode_entries(encode_entries([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(ValueError):
        encode_entries([bytes(65_536)])
    with pytest.raises(Malformed):
        decode_entries(bytes(2 * 257))
    with pytest.raises(Malformed):
        split_hashes(bytes(33))
    with pytest.raises(Malformed):
        split_hashes(bytes(32 * 257))


class Shelf:
    """Tiles by (level, number), as a log stores them."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def fetch(self, level: int, number: int) -> bytes:
        return self.tiles.get((level, number), b"")

    def extend(self, hashes: list[bytes]) -> None:
        builder = TileBuilder(self.fetch, self.size)
        builder.extend(hashes)
        self.tiles.update(builder.changed)
        self.size = builder.size


@pytest.mark.parametrize("steps", [[1] * 300, [255, 1, 1], [256, 256], [70_000], [65_535, 1, 1], [3, 65_800]])
def test_tiles_grow_to_the_same_tree_in_any_steps(steps: list[int]) -> None:
    hashes = [leaf_hash(str(number).encode()) for number in range(sum(steps))]
    shelf = Shelf()
    edge = CompactRange()
    for step in steps:
        fresh = hashes[shelf.size : shelf.size + step]
        shelf.extend(fresh)
        for hashed in fresh:
            edge.append(hashed)
    assert root(TileReader(shelf.fetch), shelf.size) == edge.root()
    widths = {(tile.level, tile.number): tile.width for tile in tiles_of(shelf.size)}
    assert widths == {place: len(held) // 32 for place, held in shelf.tiles.items()}
    for index in {0, shelf.size // 2, shelf.size - 1}:
        proof = prove_inclusion(TileReader(shelf.fetch), index, shelf.size)
        check_inclusion(proof, index, shelf.size, hashes[index], edge.root())


def test_a_tile_that_is_too_short_is_named() -> None:
    shelf = Shelf()
    shelf.extend([leaf_hash(b"x")] * 10)
    shelf.tiles[0, 0] = shelf.tiles[0, 0][:64]
    with pytest.raises(Malformed, match="tile 0/0"):
        root(TileReader(shelf.fetch), 10)
    with pytest.raises(Malformed, match="tile 0/0"):
        shelf.extend([leaf_hash(b"y")])
