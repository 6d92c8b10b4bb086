"""Ranges and conditions on content (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.portal.attack import open_copy, recorded
from tests.portal.worlds import World

CONTENT = bytes(range(256)) * 10
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("ranges") / "data")
    yield copy
    copy.runtime.close()


@pytest.fixture(scope="module")
def document(world: World) -> str:
    return world.deposited(CONTENT, name="bytes.bin")


def ask(world: World, document: str, method: str = "GET", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.client.open(
        f"/api/v1/documents/{document}/content",
        method=method,
        headers=world.headers("official", **named),
        buffered=True,
    )


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=2559-", 2559, 2559),
        ("bytes=-3", 2557, 2559),
        ("bytes=2500-99999", 2500, 2559),
        ("bytes=-99999", 0, 2559),
        ("bytes=0-", 0, 2559),
    ],
)
def test_one_range_is_handed_out_and_recorded(
    world: World, document: str, wanted: str, first: int, last: int
) -> None:
    with recorded(world) as records:
        answer = ask(world, document, Range=wanted)
    assert answer.status_code == 206
    assert answer.data == CONTENT[first : last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/2560"
    assert [r.get("bytes_handed") for r in records] == [None, last + 1 - first]
    assert records[0]["details"]["ranges"] == [f"{first}-{last + 1}"]
    assert int(answer.headers["Strongroom-Log-Entry"]) == records[0]["seq"]


NONSENSE = (
    "bytes=",
    "bytes=x",
    "bytes=5-2",
    "bytes=-",
    "bytes=--1",
    "bytes=-0",
    "bytes=2560-",
    "bytes=99999-999999",
    "bytes 0-1",
    "bytes=0-0,x",
    "bytes=0-9,5-9,0-0,0-0",
    "bytes=0x1-0x2",
    "bytes=1.5-2",
    "bytes=" + "9" * 5000 + "-",
    "bytes=0-" + "9" * 5000,
)


@pytest.mark.parametrize("wanted", NONSENSE)
def test_a_range_that_is_none_or_outside_is_refused_with_the_size(
    world: World, document: str, wanted: str
) -> None:
    with recorded(world) as records:
        answer = ask(world, document, Range=wanted)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */2560"
    assert answer.mimetype == "application/problem+json"
    assert [(r["action"], r["decision"]) for r in records] == [("request.refused", "deny")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-0,5-9"},
        {"Range": "items=0-1"},
        {"Range": "bytes=0-1", "If_Range": '"another"'},
        {"Range": "bytes=0-1", "If_Range": f"W/{ETAG}"},
        {"Range": "bytes=0-1", "If_Range": "Tue, 24 Nov 2026 12:00:00 GMT"},
        {"Range": "bytes=9999-", "If_Range": '"another"'},
        {"If_None_Match": '"another"'},
    ],
)
def test_several_ranges_unknown_units_and_conditions_that_fail_give_the_whole(
    world: World, document: str, headers: dict[str, str]
) -> None:
    answer = ask(world, document, **headers)
    assert (answer.status_code, answer.data) == (200, CONTENT)
    assert "Content-Range" not in answer.headers


def test_a_range_of_the_version_that_one_has_is_handed_out(world: World, document: str) -> None:
    answer = ask(world, document, Range="bytes=1-2", If_Range=ETAG)
    assert (answer.status_code, answer.data) == (206, b"\x01\x02")


@pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"])
@pytest.mark.parametrize("wanted", ["bytes=0-1", "bytes=9999-", ""])
def test_content_that_is_known_is_not_sent_again(
    world: World, document: str, known: str, wanted: str
) -> None:
    with recorded(world) as records:
        answer = ask(world, document, If_None_Match=known, **({"Range": wanted} if wanted else {}))
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == ETAG
    assert [(r["action"], r["decision"]) for r in records] == [("document.show", "permit")]


@pytest.mark.parametrize("wanted", ["", "bytes=0-1", "bytes=9999-", "bytes=x"])
def test_head_tells_the_size_and_no_range(world: World, document: str, wanted: str) -> None:
    with recorded(world) as records:
        answer = ask(world, document, "HEAD", **({"Range": wanted} if wanted else {}))
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "2560"
    assert [(r["action"], r["decision"]) for r in records] == [("document.show", "permit")]


def test_a_document_of_another_version_has_another_tag(world: World) -> None:
    document = world.deposited(b"first")
    before = ask(world, document).headers["ETag"]
    answer = world.client.put(
        f"/api/v1/documents/{document}/content", data=b"second", headers=world.headers("partner")
    )
    assert answer.status_code == 201
    assert ask(world, document, If_None_Match=before).data == b"second"
