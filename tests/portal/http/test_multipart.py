from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.http.multipart import MAX_FIELD, MAX_FIELDS, MultipartReader

BOUNDARY = "----boundary7"


def field(name: str, value: bytes) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


def file(name: str, file_name: str, content: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
    return head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def reader(body: bytes, step: int = 1 << 16) -> MultipartReader:
    return MultipartReader((body[at : at + step] for at in range(0, len(body), step)), BOUNDARY)


def read_all(form: MultipartReader) -> None:
    while (received := form.next_file()) is not None:
        list(received)


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=3000),
        st.lists(
            st.sampled_from(
                [b"\r\n", b"\r", b"\n", b"--", BOUNDARY.encode(), f"\r\n--{BOUNDARY[:-1]}".encode()]
            ),
            max_size=40,
        )
        .map(b"".join)
        .filter(lambda content: f"--{BOUNDARY}".encode() not in content),
    ),
    st.integers(1, 4000),
)
def test_a_file_arrives_byte_for_byte_however_the_body_is_cut(content: bytes, step: int) -> None:
    form = reader(
        field("title", "Flügel".encode()) + file("file", "a.bin", content) + field("after", b"x") + END, step
    )
    received = form.next_file()
    assert received is not None
    assert (received.name, received.file_name) == ("file", "a.bin")
    assert form.field("title") == "Flügel"
    assert form.field("after") == ""
    assert b"".join(received) == content
    assert received.received == len(content)
    form.finish()
    assert form.field("after") == "x"


@pytest.mark.parametrize("ending", [b"--\r\n", b"\r\n", b" \t \r\n"])
def test_a_cut_inside_a_delimiter_adds_nothing_to_the_file(ending: bytes) -> None:
    start, delimiter = file("file", "a", b"content")[:-2], b"\r\n--" + BOUNDARY.encode() + ending
    rest = b"" if ending.startswith(b"--") else file("more", "b", b"")[len(BOUNDARY) + 4 :] + END
    for cut in range(len(delimiter) + 1):
        for step in (1, 2, 1 << 20):
            pieces = [delimiter[cut:][at : at + step] for at in range(0, len(delimiter) - cut, step)]
            form = MultipartReader(iter([start + delimiter[:cut], *pieces, rest]), BOUNDARY)
            received = form.next_file()
            assert received is not None
            assert b"".join(received) == b"content"


def test_several_files_come_one_by_one() -> None:
    form = reader(file("file", "a", b"1" * 100_000) + field("x", b"y") + file("file", "b", b"2") + END, 1000)
    first = form.next_file()
    assert first is not None
    # The first file is not read: it is thrown away.
    second = form.next_file()
    assert second is not None
    assert b"".join(second) == b"2"
    assert form.next_file() is None
    assert form.next_file() is None


def test_a_form_without_a_chosen_file_has_none() -> None:
    form = reader(file("file", "", b"") + field("x", b"y") + END)
    assert form.next_file() is None
    assert form.fields == {"x": ["y"]}


def test_a_second_file_is_refused_where_one_is_taken() -> None:
    form = reader(file("file", "a", b"1") + file("file", "b", b"2") + END)
    assert form.next_file() is not None
    with pytest.raises(Invalid, match="more files"):
        form.finish()


def test_a_field_sent_twice_is_refused_when_asked_for() -> None:
    form = reader(field("label", b"a") + field("label", b"b") + END)
    form.finish()
    with pytest.raises(Invalid, match="more than once"):
        form.field("label")


def test_memory_is_bounded_while_a_large_file_streams() -> None:
    def body() -> Iterator[bytes]:
        yield file("file", "a", b"")[:-2]
        for _ in range(64):
            yield bytes(1 << 20)
        yield b"\r\n" + END

    received = MultipartReader(body(), BOUNDARY).next_file()
    assert received is not None
    assert max(len(chunk) for chunk in received) <= (1 << 20) + 100
    assert received.received == 64 << 20


@pytest.mark.parametrize("kept", [0, 1, 30, 75, 120, 150, 260, -1, -10, -25])
def test_a_form_that_is_cut_off_is_refused(kept: int) -> None:
    body = (field("title", b"t") + file("file", "a.bin", bytes(100)) + END)[:-2]
    form = reader(body[: kept or 0])
    with pytest.raises(Invalid):
        read_all(form)


@pytest.mark.parametrize(
    "body",
    [
        b"no form at all",
        f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nno disposition\r\n".encode() + END,
        f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nno name\r\n".encode() + END,
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{"n" * 300}"\r\n\r\nx\r\n'.encode() + END,
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\xff".encode("latin-1")
        + b"\r\n\r\nx\r\n"
        + END,
        field("not-text", b"\xff\xfe") + END,
        field("long", bytes(MAX_FIELD + 1)) + END,
        b"".join(field(f"f{number}", bytes(MAX_FIELD)) for number in range(5)) + END,
        b"".join(field("f", b"x") for _ in range(MAX_FIELDS + 1)) + END,
        file("file", "", b"content without a name") + END,
        f"--{BOUNDARY}\r\n".encode() + b"X" * (3 << 20),
        END + bytes(3 << 20),
    ],
)
def test_a_malformed_form_is_refused_with_a_mend(body: bytes) -> None:
    form = reader(body)
    with pytest.raises(Invalid) as told:
        form.finish()
    assert told.value.mend


@pytest.mark.parametrize("boundary", ["", "x" * 201, "é"])
def test_a_bad_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(Invalid):
        MultipartReader(iter([b""]), boundary)


@settings(deadline=None)
@given(st.binary(max_size=500), st.integers(1, 100))
def test_no_bytes_end_in_another_error(noise: bytes, step: int) -> None:
    form = reader(f"--{BOUNDARY}\r\n".encode() + noise, step)
    with pytest.raises(Invalid):
        read_all(form)
