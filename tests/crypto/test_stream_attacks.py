"""Whoever can write to the store but has no key: nothing that they make of a stream is read as if it were whole."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import Damaged
from crypto.streams import DecryptingReader
from tests.crypto.support import CONTEXT, FIRST, KEY, REST, Unseekable, content, decrypted, encrypted

MIB = 1 << 20
PLAIN = content(FIRST + 2 * REST + 1000)
STREAM = encrypted(PLAIN)
SHORT = encrypted(content(100))
Reading = Callable[[bytes], bytes]


def at_once(stream: bytes) -> bytes:
    return decrypted(stream)


def one_by_one(stream: bytes) -> bytes:
    return DecryptingReader(Unseekable(stream), KEY, CONTEXT).read()


def in_memory(stream: bytes) -> bytes:
    return DecryptingReader(stream, KEY, CONTEXT).read()


def by_segments(stream: bytes) -> bytes:
    return b"".join(map(bytes, DecryptingReader(io.BytesIO(stream), KEY, CONTEXT).segments()))


def in_small_steps(stream: bytes) -> bytes:
    reader = DecryptingReader(io.BytesIO(stream), KEY, CONTEXT)
    return b"".join(iter(lambda: reader.read(300_000), b""))


every_way = pytest.mark.parametrize("read", [at_once, one_by_one, in_memory, by_segments, in_small_steps])


def segment(index: int, stream: bytes = STREAM) -> bytes:
    return stream[max(40, index * MIB) : (index + 1) * MIB]


@every_way
def test_the_stream_as_it_was_written_is_read(read: Reading) -> None:
    assert read(STREAM) == PLAIN


@every_way
@pytest.mark.parametrize("boundary", [0, 40, MIB, 2 * MIB, 3 * MIB, len(STREAM)])
@pytest.mark.parametrize("off", [-17, -16, -1, 0, 1, 16, 17])
def test_a_stream_cut_around_a_boundary_is_refused(read: Reading, boundary: int, off: int) -> None:
    length = boundary + off
    if 0 <= length < len(STREAM):
        with pytest.raises(Damaged):
            read(STREAM[:length])


@every_way
def test_a_short_stream_cut_anywhere_is_refused(read: Reading) -> None:
    for length in range(len(SHORT)):
        with pytest.raises(Damaged):
            read(SHORT[:length])


def test_a_cut_is_met_before_any_byte_when_the_source_can_seek() -> None:
    for length in (MIB, 2 * MIB, 3 * MIB, len(STREAM) - 1):
        with pytest.raises(Damaged, match="cut off"):
            DecryptingReader(io.BytesIO(STREAM[:length]), KEY, CONTEXT)


def test_a_late_cut_is_final_when_the_source_cannot_seek() -> None:
    reader = DecryptingReader(Unseekable(STREAM[: 2 * MIB]), KEY, CONTEXT)
    assert reader.read(FIRST) == PLAIN[:FIRST]
    for _ in range(3):
        with pytest.raises(Damaged, match="cut off after segment 1"):
            reader.read(1)


@every_way
def test_segments_in_another_order_are_refused(read: Reading) -> None:
    with pytest.raises(Damaged):
        read(STREAM[:MIB] + segment(2) + segment(1) + segment(3))


@every_way
@pytest.mark.parametrize("index", [1, 2, 3])
def test_a_segment_that_stands_twice_is_refused(read: Reading, index: int) -> None:
    with pytest.raises(Damaged):
        read(STREAM[: index * MIB] + segment(index) + STREAM[index * MIB :])


@every_way
@pytest.mark.parametrize("index", [1, 2])
def test_a_dropped_segment_is_refused(read: Reading, index: int) -> None:
    with pytest.raises(Damaged):
        read(STREAM[: index * MIB] + STREAM[(index + 1) * MIB :])


@every_way
@pytest.mark.parametrize("extra", [b"\0", b"\0" * 16, b"\0" * 17, bytes(MIB), segment(1)])
def test_bytes_after_the_end_are_refused(read: Reading, extra: bytes) -> None:
    with pytest.raises(Damaged):
        read(STREAM + extra)
    with pytest.raises(Damaged):
        read(SHORT + extra)


@every_way
def test_a_stream_after_another_is_refused(read: Reading) -> None:
    with pytest.raises(Damaged):
        read(SHORT + SHORT)
    with pytest.raises(Damaged):
        read(STREAM[: 3 * MIB] + SHORT)


@every_way
def test_the_header_of_another_stream_is_refused(read: Reading) -> None:
    other = encrypted(PLAIN)
    for start, stop in ((0, 40), (1, 33), (33, 40)):
        with pytest.raises(Damaged):
            read(STREAM[:start] + other[start:stop] + STREAM[stop:])


@every_way
@pytest.mark.parametrize("index", [1, 2])
def test_a_segment_of_another_stream_is_refused(read: Reading, index: int) -> None:
    other = encrypted(PLAIN)
    with pytest.raises(Damaged):
        read(STREAM[: index * MIB] + segment(index, other) + STREAM[(index + 1) * MIB :])


@pytest.mark.parametrize("stream", [STREAM, SHORT], ids=["long", "short"])
def test_another_key_or_context_opens_nothing(stream: bytes) -> None:
    for key, context in ((bytes(32), CONTEXT), (KEY, b"other"), (KEY, b""), (KEY, CONTEXT + b"\0")):
        with pytest.raises(Damaged):
            decrypted(stream, key, context)
        with pytest.raises(Damaged):
            DecryptingReader(Unseekable(stream), key, context).read(1)


@every_way
def test_a_bit_flipped_anywhere_in_a_short_stream_is_refused(read: Reading) -> None:
    for index in range(len(SHORT)):
        altered = bytearray(SHORT)
        altered[index] ^= 1 << (index % 8)
        with pytest.raises(Damaged):
            read(bytes(altered))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(STREAM) - 1), st.integers(0, 7))
def test_a_bit_flipped_anywhere_in_a_long_stream_is_refused(index: int, bit: int) -> None:
    altered = bytearray(STREAM)
    altered[index] ^= 1 << bit
    for read in (at_once, one_by_one, in_memory, by_segments):
        with pytest.raises(Damaged):
            read(bytes(altered))


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_what_is_no_stream_is_refused(data: bytes) -> None:
    for read in (at_once, one_by_one, in_memory):
        with pytest.raises(Damaged):
            read(data)


def test_damage_hands_out_nothing_of_its_segment_and_is_final() -> None:
    altered = bytearray(STREAM)
    altered[MIB + 500_000] ^= 1
    reader = DecryptingReader(io.BytesIO(altered), KEY, CONTEXT)
    target = bytearray(len(PLAIN))
    with pytest.raises(Damaged, match="segment 1"):
        reader.readinto(target)
    assert not any(target[FIRST:])
    reader.seek(0)
    for attempt in (lambda: reader.read(1), lambda: next(reader.segments())):
        with pytest.raises(Damaged, match="segment 1"):
            attempt()


def test_a_source_that_is_cut_while_it_is_read_is_refused() -> None:
    source = io.BytesIO(STREAM)
    reader = DecryptingReader(source, KEY, CONTEXT)
    assert reader.read(10) == PLAIN[:10]
    source.truncate(MIB + 5)
    with pytest.raises(Damaged, match="while it was read"):
        reader.read()


def test_a_source_that_is_exchanged_while_it_is_read_is_refused() -> None:
    source = io.BytesIO(STREAM)
    reader = DecryptingReader(source, KEY, CONTEXT)
    assert reader.read(10) == PLAIN[:10]
    source.getbuffer()[MIB:] = encrypted(PLAIN)[MIB:]
    with pytest.raises(Damaged):
        reader.read()


def test_a_message_of_damage_shows_no_content() -> None:
    stream = bytearray(encrypted(b"secret words" * 20))
    stream[100] ^= 1
    with pytest.raises(Damaged) as refusal:
        decrypted(bytes(stream))
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
