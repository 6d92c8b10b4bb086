from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid, TooLarge, TooMany
from portal.http.transfer import CHUNK, BodyReader, TransferSlots


class Trickle:
    """Delivers less than is asked for, as sockets do."""

    def __init__(self, data: bytes, step: int) -> None:
        self._source = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(min(size, self._step))


class Broken:
    def read(self, size: int = -1, /) -> bytes:
        raise ConnectionResetError


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_a_body_arrives_whole_however_it_trickles(data: bytes, step: int) -> None:
    for announced in (len(data), None):
        body = BodyReader(Trickle(data, step), announced, limit=5000)
        assert b"".join(body) == data
        assert body.received == len(data)


def test_chunks_are_bounded_and_nothing_beyond_the_announced_length_is_read() -> None:
    source = io.BytesIO(bytes(3 * CHUNK))
    assert [len(chunk) for chunk in BodyReader(source, 2 * CHUNK + 1, limit=1 << 30)] == [CHUNK, CHUNK, 1]
    assert source.tell() == 2 * CHUNK + 1


def test_a_body_that_ends_short_is_refused() -> None:
    with pytest.raises(Invalid) as told:
        list(BodyReader(io.BytesIO(b"1234"), 5, limit=100))
    assert "4 of 5" in told.value.message


def test_a_broken_connection_is_refused() -> None:
    with pytest.raises(Invalid):
        list(BodyReader(Broken(), None, limit=100))


def test_an_announced_body_over_the_limit_is_refused_before_it_is_read() -> None:
    source = io.BytesIO(bytes(11))
    with pytest.raises(TooLarge):
        BodyReader(source, 11, limit=10)
    assert source.tell() == 0


def test_a_chunked_body_over_the_limit_is_refused_on_its_way() -> None:
    source = io.BytesIO(bytes(3 * CHUNK))
    with pytest.raises(TooLarge):
        list(BodyReader(source, None, limit=CHUNK))
    assert source.tell() == CHUNK + 1


def test_a_chunked_body_of_just_the_limit_is_taken() -> None:
    assert b"".join(BodyReader(io.BytesIO(bytes(10)), None, limit=10)) == bytes(10)


def test_slots_are_bounded_for_each_and_for_all() -> None:
    slots = TransferSlots(total=3, each=2)
    with slots.held("anna"), slots.held("anna"):
        with pytest.raises(TooMany):
            slots.take("anna")
        with slots.held("berta"), pytest.raises(TooMany) as told, slots.held("carla"):
            pass
        assert told.value.retry_after > 0
    with slots.held("anna"), slots.held("carla"), slots.held("carla"):
        pass
