"""A version in parts reads as one file, and no part is dropped, added, moved or exchanged unseen."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import Damaged
from crypto.parts import Part, PartsReader, PartWriter, part_context, parts_digest
from tests.crypto.support import FIRST, KEY, REST, content, decrypted

LENGTHS = (FIRST + 5, 0, 1, FIRST + REST, 300)
PLAIN = content(sum(LENGTHS))


def write_part(plain: bytes, number: int, document: str = "document", version: int = 1) -> tuple[bytes, Part]:
    sink = io.BytesIO()
    writer = PartWriter(sink, KEY, document, version, number)
    writer.write(plain)
    part = writer.close()
    return sink.getvalue(), part


def write_parts(plain: bytes, lengths: Sequence[int]) -> tuple[list[bytes], list[Part]]:
    blobs, parts, start = [], [], 0
    for number, length in enumerate(lengths, 1):
        sink = io.BytesIO()
        writer = PartWriter(sink, KEY, "document", 1, number)
        writer.write(plain[start : start + length])
        parts.append(writer.close())
        blobs.append(sink.getvalue())
        start += length
    return blobs, parts


BLOBS, PARTS = write_parts(PLAIN, LENGTHS)


class Opener:
    """Opens parts by number and remembers which are open."""

    def __init__(self, blobs: Sequence[bytes]) -> None:
        self._blobs = blobs
        self.opened: list[io.BytesIO] = []

    def __call__(self, number: int) -> io.BytesIO:
        if number > len(self._blobs):
            raise FileNotFoundError(number)
        source = io.BytesIO(self._blobs[number - 1])
        self.opened.append(source)
        return source

    @property
    def still_open(self) -> int:
        return sum(not source.closed for source in self.opened)


def reader_of(
    blobs: Sequence[bytes], parts: Sequence[Part] = PARTS, document: str = "document"
) -> PartsReader:
    return PartsReader(Opener(blobs), parts, KEY, document, 1)


def test_parts_read_as_one_file() -> None:
    reader = reader_of(BLOBS)
    assert reader.size == len(PLAIN)
    assert reader.read() == PLAIN
    assert reader.read(1) == b""
    assert b"".join(map(bytes, reader.segments())) == PLAIN
    reader.seek(-300, io.SEEK_END)
    assert reader.read() == PLAIN[-300:]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PLAIN)), st.integers(0, len(PLAIN)))
def test_any_range_over_parts_is_read(first: int, second: int) -> None:
    start, stop = sorted((first, second))
    reader = reader_of(BLOBS)
    assert b"".join(map(bytes, reader.segments(start, stop))) == PLAIN[start:stop]
    reader.seek(start)
    target = bytearray(stop - start)
    assert reader.readinto(target) == stop - start
    assert target == PLAIN[start:stop]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_the_lengths_of_parts_do_not_matter(lengths: list[int]) -> None:
    plain = content(sum(lengths))
    blobs, parts = write_parts(plain, lengths)
    with reader_of(blobs, parts) as reader:
        assert reader.read() == plain
        assert reader.size == len(plain)
        reader.verify_digests()


def test_a_part_tells_its_lengths_and_digest() -> None:
    blob, part = write_part(b"plain", 3)
    assert part == Part(5, len(blob), hashlib.sha256(blob).digest())
    assert decrypted(blob, KEY, part_context("document", 1, 3)) == b"plain"


def test_an_abandoned_part_is_refused() -> None:
    sink = io.BytesIO()
    writer = PartWriter(sink, KEY, "document", 1, 1)
    writer.write(PLAIN)
    writer.abandon()
    with pytest.raises(ValueError):
        writer.close()
    with pytest.raises(Damaged):
        decrypted(sink.getvalue(), KEY, part_context("document", 1, 1))


def test_the_digest_of_a_parts_list_tells_every_change() -> None:
    lists = [
        PARTS,
        PARTS[:-1],
        [*PARTS, PARTS[0]],
        [PARTS[1], PARTS[0], *PARTS[2:]],
        [dataclasses.replace(PARTS[0], plaintext_length=1), *PARTS[1:]],
        [dataclasses.replace(PARTS[0], ciphertext_length=1), *PARTS[1:]],
        [dataclasses.replace(PARTS[0], sha256=bytes(32)), *PARTS[1:]],
        [],
    ]
    assert len({parts_digest(parts) for parts in lists}) == len(lists)


def test_contexts_of_parts_differ() -> None:
    places = [("a", 1, 1), ("a", 1, 2), ("a", 2, 1), ("b", 1, 1), ("a1", 1, 1), ("a", 11, 1)]
    assert len({part_context(*place) for place in places}) == len(places)


def test_a_dropped_part_is_refused_before_any_byte() -> None:
    with pytest.raises(FileNotFoundError):
        reader_of(BLOBS[:-1])
    with pytest.raises(Damaged):
        reader_of(BLOBS[1:] + BLOBS[:1])


def test_a_part_that_the_list_does_not_name_is_not_read() -> None:
    extra, _ = write_part(b"more", len(PARTS) + 1)
    assert reader_of([*BLOBS, extra]).read() == PLAIN


def test_an_added_part_in_the_middle_is_refused() -> None:
    extra, _ = write_part(b"more", 2)
    with pytest.raises(Damaged):
        reader_of([BLOBS[0], extra, *BLOBS[1:]])


def test_parts_of_one_length_that_change_places_are_refused() -> None:
    (first, one), (second, two) = write_part(b"first", 1), write_part(b"other", 2)
    assert reader_of([first, second], [one, two]).read() == b"firstother"
    with pytest.raises(Damaged):
        reader_of([second, first], [one, two]).read()


@pytest.mark.parametrize(
    ("document", "version", "number"), [("other", 1, 1), ("document", 2, 1), ("document", 1, 2)]
)
def test_a_part_of_another_document_version_or_number_is_refused(
    document: str, version: int, number: int
) -> None:
    _, part = write_part(b"first", 1)
    foreign, _ = write_part(b"other", number, document, version)
    with pytest.raises(Damaged):
        reader_of([foreign], [part]).read()


def test_a_part_written_again_in_its_place_is_told_by_its_digest() -> None:
    _, part = write_part(b"first", 1)
    again, _ = write_part(b"other", 1)
    with pytest.raises(Damaged, match="part 1"):
        reader_of([again], [part]).verify_digests()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_part_of_another_length_is_refused_before_any_byte(change: int) -> None:
    for number in range(len(BLOBS)):
        blobs = list(BLOBS)
        blobs[number] = blobs[number][:change] if change < 0 else blobs[number] + b"\0"
        with pytest.raises(Damaged, match=f"part {number + 1}"):
            reader_of(blobs)


def test_a_part_list_with_false_lengths_is_refused() -> None:
    parts = [dataclasses.replace(PARTS[0], plaintext_length=PARTS[0].plaintext_length - 1), *PARTS[1:]]
    with pytest.raises(Damaged, match="part 1"):
        reader_of(BLOBS, parts)


def test_a_version_without_parts_is_refused() -> None:
    with pytest.raises(Damaged, match="no parts"):
        reader_of([], [])


def test_damage_in_one_part_is_final_for_all() -> None:
    altered = bytearray(BLOBS[3])
    altered[100] ^= 1
    reader = reader_of([*BLOBS[:3], bytes(altered), BLOBS[4]])
    assert reader.read(FIRST) == PLAIN[:FIRST]
    with pytest.raises(Damaged):
        reader.read()
    reader.seek(0)
    with pytest.raises(Damaged):
        reader.read(1)
    with pytest.raises(Damaged):
        next(reader.segments())


def test_one_part_is_open_at_a_time_and_none_after_closing() -> None:
    opener = Opener(BLOBS)
    with PartsReader(opener, PARTS, KEY, "document", 1) as reader:
        assert opener.still_open == 1
        for _ in reader.segments():
            assert opener.still_open == 1
    assert opener.still_open == 0
    with pytest.raises(ValueError):
        reader.read(1)


def test_nothing_stays_open_when_opening_fails() -> None:
    opener = Opener([BLOBS[0][:-1], *BLOBS[1:]])
    with pytest.raises(Damaged):
        PartsReader(opener, PARTS, KEY, "document", 1)
    assert opener.opened
    assert opener.still_open == 0


def test_a_range_outside_the_parts_is_refused() -> None:
    reader = reader_of(BLOBS)
    for start, stop in ((-1, 1), (2, 1), (0, len(PLAIN) + 1)):
        with pytest.raises(ValueError):
            reader.segments(start, stop)
    with pytest.raises(ValueError):
        reader.seek(-1)


def test_several_threads_read_one_reader() -> None:
    reader = reader_of(BLOBS)

    def whole(_: int) -> bool:
        return b"".join(map(bytes, reader.segments())) == PLAIN

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(whole, range(12)))
