"""Encrypted streams as files: what is written is read, from anywhere, in any steps."""

from __future__ import annotations

import array
import contextlib
import io
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import Damaged
from crypto.keys import Dek
from crypto.segments import Layout, ciphertext_length, locate
from crypto.streams import DecryptingReader, EncryptingWriter
from tests.crypto.support import (
    BOUNDARIES,
    CONTEXT,
    FIRST,
    KEY,
    REST,
    Unseekable,
    content,
    decrypted,
    encrypted,
)

LONG = FIRST + 2 * REST + 77
PLAIN = content(LONG)
STREAM = encrypted(PLAIN)


class Counting(io.BytesIO):
    """A source that counts the bytes taken from it."""

    taken = 0

    def readinto(self, target: memoryview, /) -> int:  # type: ignore[override]
        got = super().readinto(target)
        self.taken += got
        return got


@pytest.mark.parametrize("length", [*BOUNDARIES, 5 << 20])
def test_what_is_written_is_read(length: int) -> None:
    plain = content(length)
    stream = encrypted(plain)
    assert len(stream) == ciphertext_length(length)
    assert decrypted(stream) == plain
    assert DecryptingReader(io.BytesIO(stream), KEY, CONTEXT).size == length
    assert DecryptingReader(Unseekable(stream), KEY, CONTEXT).read() == plain


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_stream_in_memory_is_read_where_it_lies(kind: type[bytes]) -> None:
    reader = DecryptingReader(kind(STREAM), KEY, CONTEXT)
    assert reader.seekable()
    assert reader.read() == PLAIN
    assert b"".join(map(bytes, reader.segments(FIRST - 1, LONG))) == PLAIN[FIRST - 1 :]


@pytest.mark.parametrize("length", BOUNDARIES)
def test_no_stream_holds_an_empty_segment_but_that_of_empty_content(length: int) -> None:
    layout = Layout.of(ciphertext_length(length))
    assert layout.size == length
    assert layout.segments == max(1, -(-(length + 40) // REST))


def test_empty_content_takes_56_bytes() -> None:
    assert len(encrypted(b"")) == 56


def test_no_plaintext_shows_in_the_stream_and_no_stream_is_like_another() -> None:
    plain = b"a title that must not be seen" * 10
    first, second = encrypted(plain), encrypted(plain)
    assert b"title" not in first
    assert first[1:] != second[1:]
    assert first[1:33] != second[1:33]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1_300_000), max_size=6))
def test_the_steps_of_writing_do_not_matter(steps: list[int]) -> None:
    sink = io.BytesIO()
    plain = content(sum(steps))
    with EncryptingWriter(sink, KEY, CONTEXT) as writer:
        for start, stop in itertools.pairwise(itertools.accumulate(steps, initial=0)):
            assert writer.write(memoryview(plain)[start:stop]) == stop - start
        assert writer.tell() == len(plain)
    assert writer.ciphertext_length == len(sink.getvalue()) == ciphertext_length(len(plain))
    assert decrypted(sink.getvalue()) == plain


@settings(max_examples=60, deadline=None)
@given(st.integers(0, LONG + 10), st.integers(0, LONG + 10))
def test_any_range_is_read(start: int, stop: int) -> None:
    reader = DecryptingReader(io.BytesIO(STREAM), KEY, CONTEXT)
    reader.seek(start)
    assert reader.read(max(0, stop - start)) == PLAIN[start:stop]
    low, high = sorted((min(start, LONG), min(stop, LONG)))
    assert b"".join(map(bytes, reader.segments(low, high))) == PLAIN[low:high]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1_500_000), min_size=1, max_size=12), st.booleans())
def test_the_steps_of_reading_do_not_matter(steps: list[int], seekable: bool) -> None:
    source = io.BytesIO(STREAM) if seekable else Unseekable(STREAM, 300_001)
    reader = DecryptingReader(source, KEY, CONTEXT)
    position = 0
    for step in steps:
        target = bytearray(step)
        got = reader.readinto(target)
        assert got == min(step, LONG - position)
        assert target[:got] == PLAIN[position : position + got]
        position += got
    assert reader.tell() == position


@settings(max_examples=200)
@given(st.integers(0, 1 << 45))
def test_every_length_has_one_layout(length: int) -> None:
    layout = Layout.of(ciphertext_length(length))
    assert layout.size == length
    assert locate(max(0, length - 1))[0] == layout.segments - 1
    assert layout.bounds(layout.segments - 1)[1] == layout.total


def test_a_reader_is_a_file() -> None:
    reader = DecryptingReader(io.BytesIO(STREAM), KEY, CONTEXT)
    assert reader.readable()
    assert reader.seekable()
    assert not reader.writable()
    assert reader.seek(-7, os.SEEK_END) == LONG - 7
    assert reader.read() == PLAIN[-7:]
    assert reader.read(1) == b""
    assert reader.seek(3) == 3
    assert reader.seek(4, os.SEEK_CUR) == 7
    with pytest.raises(ValueError):
        reader.seek(-1)
    reader.seek(0)
    assert io.BufferedReader(reader).read() == PLAIN
    reader.close()
    with pytest.raises(ValueError):
        reader.read(1)


def test_a_source_that_cannot_seek_is_read_but_not_sought() -> None:
    reader = DecryptingReader(Unseekable(STREAM), KEY, CONTEXT)
    assert not reader.seekable()
    for attempt in (lambda: reader.seek(0), lambda: reader.size, lambda: reader.segments()):
        with pytest.raises(io.UnsupportedOperation):
            attempt()
    assert reader.read(FIRST) == PLAIN[:FIRST]
    assert reader.readall() == PLAIN[FIRST:]
    assert reader.readall() == b""


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, LONG + 1), (LONG + 1, None)])
def test_a_range_outside_the_plaintext_is_refused(start: int, stop: int | None) -> None:
    reader = DecryptingReader(io.BytesIO(STREAM), KEY, CONTEXT)
    with pytest.raises(ValueError):
        reader.segments(start, stop)


def test_a_small_range_costs_three_segments_at_first_and_two_afterwards() -> None:
    source = Counting(STREAM)
    reader = DecryptingReader(source, KEY, CONTEXT)
    around_a_boundary = slice(FIRST + REST - 10, FIRST + REST + 10)
    assert b"".join(map(bytes, reader.segments(around_a_boundary.start, around_a_boundary.stop)))
    assert source.taken <= 3 << 20
    source.taken = 0
    reader.seek(FIRST - 5)
    assert reader.read(10) == PLAIN[FIRST - 5 : FIRST + 5]
    assert source.taken <= 2 << 20


def test_segments_of_a_short_stream_cost_nothing_more_than_opening_it() -> None:
    source = Counting(encrypted(b"short"))
    reader = DecryptingReader(source, KEY, CONTEXT)
    source.taken = 0
    assert [bytes(piece) for piece in reader.segments(1, 4)] == [b"hor"]
    assert source.taken == 0


def test_what_is_handed_out_as_a_segment_cannot_be_written_to() -> None:
    for stream in (STREAM, encrypted(b"short")):
        piece = next(DecryptingReader(io.BytesIO(stream), KEY, CONTEXT).segments())
        assert piece.readonly


def test_reading_meanwhile_does_not_change_a_segment_that_was_handed_out() -> None:
    reader = DecryptingReader(io.BytesIO(STREAM), KEY, CONTEXT)
    steps = reader.segments()
    first = next(steps)
    reader.seek(FIRST + 3)
    reader.read(10)
    assert first == PLAIN[:FIRST]
    assert b"".join([bytes(first), *map(bytes, steps)]) == PLAIN


def test_several_threads_read_one_reader() -> None:
    reader = DecryptingReader(io.BytesIO(STREAM), KEY, CONTEXT)

    def whole(_: int) -> bool:
        return b"".join(map(bytes, reader.segments())) == PLAIN

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(whole, range(16)))


def test_several_readers_read_one_file(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(STREAM)

    def whole(number: int) -> bool:
        with path.open("rb", buffering=0) as source:
            reader = DecryptingReader(source, KEY, CONTEXT)
            start = number * 100_000
            reader.seek(start)
            return reader.read() == PLAIN[start:]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(whole, range(16)))


def test_a_source_is_left_open() -> None:
    source = io.BytesIO(STREAM)
    with DecryptingReader(source, KEY, CONTEXT) as reader:
        reader.read(1)
    assert not source.closed


def test_a_sink_is_left_open_and_takes_what_it_can() -> None:
    class Reluctant(io.BytesIO):
        def write(self, piece: memoryview, /) -> int:  # type: ignore[override]
            return super().write(piece[:70_000])

    sink = Reluctant()
    with EncryptingWriter(sink, KEY, CONTEXT) as writer:
        writer.write(PLAIN)
    assert not sink.closed
    assert decrypted(sink.getvalue()) == PLAIN


def test_a_sink_that_tells_no_number_has_taken_all() -> None:
    class Silent:
        taken = b""

        def write(self, piece: memoryview, /) -> None:
            self.taken += piece

    sink = Silent()
    with EncryptingWriter(sink, KEY, CONTEXT) as writer:
        writer.write(PLAIN)
    assert decrypted(sink.taken) == PLAIN


def test_a_key_is_given_as_bytes_or_as_a_dek() -> None:
    assert decrypted(encrypted(b"x", Dek(KEY)), KEY) == b"x"  # type: ignore[arg-type]
    for wrong in (b"", KEY[:16], KEY + b"x"):
        with pytest.raises(ValueError):
            EncryptingWriter(io.BytesIO(), wrong, CONTEXT)


def test_a_closed_writer_takes_nothing() -> None:
    sink = io.BytesIO()
    writer = EncryptingWriter(sink, KEY, CONTEXT)
    assert writer.writable()
    assert not writer.readable()
    assert not writer.seekable()
    writer.flush()
    writer.close()
    length = len(sink.getvalue())
    writer.close()
    assert writer.closed
    assert len(sink.getvalue()) == length
    with pytest.raises(ValueError):
        writer.write(b"x")


@pytest.mark.parametrize("length", [0, 1, FIRST, FIRST + 1, LONG])
def test_leaving_by_an_exception_leaves_a_stream_that_is_refused(length: int) -> None:
    sink = io.BytesIO()
    writer = EncryptingWriter(sink, KEY, CONTEXT)
    with contextlib.suppress(RuntimeError), writer:
        writer.write(PLAIN[:length])
        raise RuntimeError
    with pytest.raises(Damaged):
        decrypted(sink.getvalue())
    writer.close()
    with pytest.raises(Damaged):
        decrypted(sink.getvalue())


def test_a_forgotten_writer_does_not_make_its_stream_whole() -> None:
    sink = io.BytesIO()
    EncryptingWriter(sink, KEY, CONTEXT).write(PLAIN)
    with pytest.raises(Damaged):
        decrypted(sink.getvalue())


def test_a_source_that_does_not_block_is_refused() -> None:
    class Empty(Unseekable):
        def readinto(self, target: object, /) -> None:  # type: ignore[override]
            return None

    with pytest.raises(BlockingIOError):
        DecryptingReader(Empty(b""), KEY, CONTEXT)


def test_elements_wider_than_a_byte_are_written_as_their_bytes() -> None:
    sink = io.BytesIO()
    with EncryptingWriter(sink, KEY, CONTEXT) as writer:
        assert writer.write(array.array("I", [1, 2, 3])) == 12
    assert decrypted(sink.getvalue()) == array.array("I", [1, 2, 3]).tobytes()


def test_after_an_error_of_the_sink_nothing_more_is_written() -> None:
    class Full(io.BytesIO):
        def write(self, piece: memoryview, /) -> int:  # type: ignore[override]
            if self.tell():
                raise OSError("no space left")
            return super().write(piece)

    sink = Full()
    writer = EncryptingWriter(sink, KEY, CONTEXT)
    with pytest.raises(OSError, match="no space"):
        writer.write(PLAIN)
    with pytest.raises(ValueError):
        writer.write(b"more")
    writer.close()
    assert len(sink.getvalue()) == 1 << 20
    with pytest.raises(Damaged):
        decrypted(sink.getvalue())
