"""An intruder who can write the database and the blobs, but has no key: everything is refused, and reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from portal.errors import Unavailable
from tests.portal.attack import open_copy, recorded, send, sql
from tests.portal.worlds import World

CONTENT = bytes(range(256)) * 5000  # two segments


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("tampering") / "data")
    yield copy
    copy.runtime.close()


def blob_of(world: World, document: str) -> Path:
    blob = sql(world, "SELECT blob FROM versions WHERE document_id = ?", document)[0][0]
    return world.runtime.settings.blob_folder / blob / "part-1"


def tampering(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record["details"] for record in records if record["action"] == "tamper.detected"]


def read(world: World, document: str, who: str = "official", **headers: str) -> TestResponse:
    """Read content; a transfer that breaks off midway is taken for refused."""
    answer = world.client.get(
        f"/api/v1/documents/{document}/content", headers=world.headers(who, **headers), buffered=False
    )
    try:
        answer.get_data()
    except Unavailable:
        answer.status_code = 503
    answer.close()
    return answer


def refused(world: World, document: str, who: str = "official", **headers: str) -> dict[str, Any]:
    """Look that content is refused and that the log says why; return what it found."""
    with recorded(world) as records:
        answer = read(world, document, who, **headers)
    assert answer.status_code == 503
    found = tampering(records)
    assert len(found) == 1, records
    return found[0]


# Blobs


@pytest.mark.parametrize("place", [0, 60, 1_000_000, 1_200_000, -1])
def test_a_flipped_bit_in_a_blob_is_refused(world: World, place: int) -> None:
    document = send(world, CONTENT)
    path = blob_of(world, document)
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    assert refused(world, document)["object"] == f"{document}/1"


def test_content_that_is_damaged_from_its_start_is_an_error_and_not_an_answer_that_breaks_off(
    world: World,
) -> None:
    document = world.deposited(b"Deliverable")
    path = blob_of(world, document)
    damaged = bytearray(path.read_bytes())
    damaged[50] ^= 1
    path.write_bytes(damaged)
    with recorded(world) as records:
        answer = world.get(f"/documents/{document}/content", "official")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert [(r.get("outcome"), r.get("bytes_handed")) for r in records if r["action"] == "document.read"] == [
        (None, None),
        ("failed", 0),
    ]


def test_no_byte_of_a_damaged_segment_is_handed_out(world: World) -> None:
    document = send(world, CONTENT)
    path = blob_of(world, document)
    damaged = bytearray(path.read_bytes())
    damaged[-20] ^= 1
    path.write_bytes(damaged)
    first = read(world, document, Range="bytes=0-99")
    assert first.status_code in (206, 503)
    assert refused(world, document, Range="bytes=1200000-1200009")


def test_swapped_blobs_are_refused(world: World) -> None:
    one, other = send(world, CONTENT), send(world, CONTENT[::-1])
    paths = blob_of(world, one), blob_of(world, other)
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    for document in (one, other):
        refused(world, document)


@pytest.mark.parametrize("left", [0, 10, 1_048_576, -1, -16])
def test_a_truncated_blob_is_refused(world: World, left: int) -> None:
    document = send(world, CONTENT)
    path = blob_of(world, document)
    path.write_bytes(path.read_bytes()[:left])
    refused(world, document)


def test_a_lengthened_blob_is_refused(world: World) -> None:
    document = send(world, CONTENT)
    path = blob_of(world, document)
    path.write_bytes(path.read_bytes() + bytes(16))
    refused(world, document)


def test_a_dropped_part_is_refused_and_nothing_is_handed_out(world: World) -> None:
    document = send(world, CONTENT)
    blob_of(world, document).unlink()
    answer = read(world, document)
    assert answer.status_code == 503
    assert CONTENT[:100] not in answer.data
    assert world.records(document=document, outcome="failed")


def test_an_older_version_in_the_place_of_the_new_one_is_refused(world: World) -> None:
    document = world.deposited(b"first")
    old = blob_of(world, document).read_bytes()
    body = {"data": b"second", "headers": world.headers("partner")}
    assert world.client.put(f"/api/v1/documents/{document}/content", **body).status_code == 201
    blob = sql(world, "SELECT blob FROM versions WHERE document_id = ? AND number = 2", document)[0][0]
    (world.runtime.settings.blob_folder / blob / "part-1").write_bytes(old)
    refused(world, document)


def test_a_zip_with_a_damaged_document_has_no_end(world: World) -> None:
    whole, damaged = world.deposited(b"whole"), send(world, CONTENT)
    path = blob_of(world, damaged)
    path.write_bytes(path.read_bytes()[:-1])
    with recorded(world) as records:
        answer = world.client.get(
            f"/api/v1/documents.zip?id={whole}&id={damaged}", headers=world.headers("official")
        )
        with pytest.raises(Unavailable):
            answer.get_data()
        answer.close()
    assert tampering(records)
    assert {(r["document"], r["outcome"]) for r in records if r.get("outcome")} == {
        (whole, "complete"),
        (damaged, "failed"),
    }
