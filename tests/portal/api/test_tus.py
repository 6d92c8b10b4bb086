"""Uploads in pieces: what the protocol promises, who may do what, and what is refused before a byte is read."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from portal import models
from portal.services.pieces import Remembered
from tests.portal.worlds import World, build_world

MIB = 1 << 20
CONTENT = os.urandom(3 * MIB + 12345)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One installation for all of them: each makes uploads of its own."""
    built = build_world(tmp_path_factory.mktemp("tus") / "data")
    yield built
    built.runtime.close()


def left(world: World, url: str) -> list[str]:
    """Return the blobs of an upload."""
    upload_id = url.rpartition("/")[2]
    return [name for name in world.runtime.deposit.receiving.blobs.list() if upload_id in name]


def metadata(**facts: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in facts.items())


def begin(world: World, length: int = len(CONTENT), who: str = "partner", **facts: str) -> TestResponse:
    named = {
        "programme": world.programme,
        "title": "Quay drawings",
        "label": "NATO SECRET",
        "filename": "quay.txt",
        **facts,
    }
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": metadata(**named)}
    return world.client.post("/api/v1/uploads", headers=world.headers(who, **headers))


def begun(world: World, length: int = len(CONTENT), **facts: str) -> str:
    answer = begin(world, length, **facts)
    assert answer.status_code == 201, answer.json
    return str(answer.headers["Location"])


def patch(
    world: World, url: str, offset: int, data: bytes, who: str = "partner", **headers: str
) -> TestResponse:
    return world.client.patch(
        url,
        data=data,
        headers=world.headers(who, **{"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), **headers}),
        content_type="application/offset+octet-stream",
    )


def head(world: World, url: str, who: str = "partner") -> TestResponse:
    return world.client.head(url, headers=world.headers(who, **{"Tus-Resumable": "1.0.0"}))


def shown(world: World, url: str) -> dict[str, Any]:
    return dict(world.get(url.removeprefix("/api/v1"), "partner").json)


def forget(world: World) -> None:
    """Make this process forget what it has in memory, as another node never had it."""
    world.runtime.resumable._remembered = Remembered()


def test_what_is_spoken_is_said_to_anybody(world: World) -> None:
    answer = world.client.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "checksum",
        "expiration",
    }
    assert answer.headers["Tus-Max-Size"] == str(world.runtime.settings.size_limit)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_pieces_become_one_document_on_any_node(world: World, elsewhere: bool) -> None:
    url = begun(world)
    offset = 0
    for size in (MIB + 1, 70_000, len(CONTENT)):
        if elsewhere:
            forget(world)
        answer = patch(world, url, offset, CONTENT[offset : offset + size])
        assert answer.status_code == 204, answer.json
        offset = int(answer.headers["Upload-Offset"])
        assert head(world, url).headers["Upload-Offset"] == str(offset)
    assert answer.headers["Strongroom-Upload-State"] == "filed"
    document = answer.headers["Strongroom-Document"]
    assert world.get(f"/documents/{document}/content", "official").data == CONTENT
    found = shown(world, url)
    assert found["state"] == "filed"
    assert found["receipt"]["digest"] == f"sha-256:{hashlib.sha256(CONTENT).hexdigest()}"
    with world.runtime.database.read() as session:
        version = session.get_one(models.Version, (document, 1))
        assert len(json.loads(version.parts)) == 3
        digest = session.get_one(models.VersionDigest, (document, 1))
        assert digest.sha384 == hashlib.sha384(CONTENT).digest()
    assert (
        world.get(
            f"/documents/{document}/content", "official", headers={"Range": "bytes=1048570-1048590"}
        ).data
        == CONTENT[1048570:1048591]
    )


def test_an_upload_may_bring_its_bytes_at_once(world: World) -> None:
    facts = metadata(programme=world.programme, title="T", label="NATO SECRET", filename="a.txt")
    answer = world.client.post(
        "/api/v1/uploads",
        data=b"all of it",
        content_type="application/offset+octet-stream",
        headers=world.headers(
            "partner", **{"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": facts}
        ),
    )
    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == "9"
    document = answer.headers["Strongroom-Document"]
    assert world.get(f"/documents/{document}/content", "official").data == b"all of it"


def test_a_new_version_comes_in_pieces_too(world: World) -> None:
    document = world.deposited(b"first")
    url = begun(world, 6, document=document, version="2", filename="second.txt")
    assert patch(world, url, 0, b"second").status_code == 204
    assert world.get(f"/documents/{document}/content", "official").data == b"second"
    assert shown(world, url)["receipt"]["version"] == 2


def test_a_checksum_is_held_to(world: World) -> None:
    url = begun(world, 6)
    wrong = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    answer = patch(world, url, 0, b"abc", **{"Upload-Checksum": f"sha1 {wrong}"})
    assert answer.status_code == 460
    assert head(world, url).headers["Upload-Offset"] == "0"
    right = base64.b64encode(hashlib.sha1(b"abc").digest()).decode()
    assert patch(world, url, 0, b"abc", **{"Upload-Checksum": f"sha1 {right}"}).status_code == 204
    assert patch(world, url, 3, b"def", **{"Upload-Checksum": "md5 AAAA"}).status_code == 400
    assert patch(world, url, 3, b"def").headers["Strongroom-Upload-State"] == "filed"


def test_a_digest_that_does_not_hold_refuses_the_whole_and_says_so_afterwards(world: World) -> None:
    url = begun(world, 3, sha256=hashlib.sha256(b"other").hexdigest())
    answer = patch(world, url, 0, b"abc")
    assert answer.status_code == 400
    assert "digest" in answer.json["detail"]
    assert shown(world, url)["refusal"]["detail"] == answer.json["detail"]
    assert left(world, url) == []
    ended = world.records(action="upload.end")[-1]["details"]
    assert (ended["upload"], ended["cause"]) == (url.rpartition("/")[2], "refused")


def test_requests_out_of_order_are_refused_with_what_is_in_store(world: World) -> None:
    url = begun(world, 10)
    assert patch(world, url, 0, b"abc").status_code == 204
    for offset in (0, 2, 4, 10):
        answer = patch(world, url, offset, b"x")
        assert answer.status_code == 409
        assert "3 bytes" in answer.json["detail"]
    assert patch(world, url, 3, b"12345678").status_code == 413
    assert head(world, url).headers["Upload-Offset"] == "3"


def test_of_two_requests_at_once_one_is_refused(world: World) -> None:
    url = begun(world, 10)
    upload_id = url.rpartition("/")[2]
    with world.runtime.database.write() as session:
        world.runtime.resumable._leases.take(session, upload_id)
    assert patch(world, url, 0, b"abc").status_code == 423
    answer = world.client.delete(url, headers=world.headers("partner", **{"Tus-Resumable": "1.0.0"}))
    assert answer.status_code == 423
    with world.runtime.database.write() as session:
        session.execute(text("UPDATE upload_leases SET until = 0"))
    assert patch(world, url, 0, b"abc").status_code == 204


def test_a_part_that_a_dead_request_left_is_no_hindrance(world: World) -> None:
    url = begun(world, 3)
    with world.runtime.database.read() as session:
        blob = session.get_one(models.ResumableUpload, url.rpartition("/")[2]).blob
    world.runtime.deposit.receiving.blobs.put(f"{blob}/part-1", b"torn")
    document = patch(world, url, 0, b"abc").headers["Strongroom-Document"]
    assert world.get(f"/documents/{document}/content", "official").data == b"abc"


def test_what_is_stored_of_an_upload_is_nobody_elses(world: World) -> None:
    url = begun(world, 10)
    for who in ("other", "official", "auditor"):
        assert head(world, url, who).status_code == 404
        assert patch(world, url, 0, b"x", who).status_code == 404
        assert world.get(url.removeprefix("/api/v1"), who).status_code == 404
    assert world.get("/uploads", "partner").json["items"][0] == shown(world, url)
    assert world.get("/uploads", "other").json["items"] == []


def test_everything_is_decided_before_a_byte(world: World) -> None:
    assert begin(world, who="official").status_code in (403, 404)
    assert begin(world, programme="0" * 36).status_code == 404
    assert begin(world, label="NATO COSMIC NONSENSE").status_code == 400
    assert begin(world, length=world.runtime.settings.size_limit + 1).status_code == 413
    assert begin(world, length=0).status_code == 400
    assert begin(world, title="").status_code == 400


def test_it_is_decided_again_on_the_last_byte(world: World) -> None:
    url = begun(world, 6)
    patch(world, url, 0, b"abc")
    memberships(world, world.runtime.clock())
    try:
        assert patch(world, url, 3, b"def").status_code == 404
    finally:
        memberships(world, None)
    assert shown(world, url)["state"] == "refused"
    assert left(world, url) == []


def memberships(world: World, until: datetime | None) -> None:
    with world.runtime.database.write(0) as session:
        for row in session.query(models.Membership).filter_by(person_id=world.people["partner"]):
            row.valid_until = until


def test_the_same_key_goes_on_with_the_same_upload(world: World) -> None:
    first = begun(world, 6, key="one")
    patch(world, first, 0, b"abc")
    assert begun(world, 6, key="one") == first
    patch(world, first, 3, b"def")
    answer = begin(world, 6, key="one")
    assert answer.status_code == 200
    assert answer.json["id"] == shown(world, first)["receipt"]["id"]


def test_giving_up_removes_everything_and_is_recorded(world: World) -> None:
    url = begun(world, 100)
    patch(world, url, 0, b"abc")
    headers = world.headers("partner", **{"Tus-Resumable": "1.0.0"})
    assert world.client.delete(url, headers=headers).status_code == 204
    assert head(world, url).status_code == 404
    assert left(world, url) == []
    assert world.records(action="upload.end")[-1]["details"]["cause"] == "terminated"


def test_an_upload_that_nobody_goes_on_with_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    url = begun(world, 100)
    assert "Upload-Expires" in patch(world, url, 0, b"abc").headers
    clock = world.runtime.resumable._clock
    monkeypatch.setattr(world.runtime.resumable, "_clock", lambda: clock() + timedelta(days=8))
    assert patch(world, url, 3, b"abc").status_code == 410
    world.runtime.housekeeping.sweep()
    assert head(world, url).status_code == 404
    assert left(world, url) == []
    assert world.records(action="upload.end")[-1]["details"]["cause"] == "expired"


def test_tiny_pieces_are_refused_while_there_is_time(world: World) -> None:
    url = begun(world, 100 * MIB)
    answer = patch(world, url, 0, b"x" * 1024)
    assert answer.status_code == 400
    assert "104,858 bytes" in answer.json["mend"]
    assert head(world, url).headers["Upload-Offset"] == "0"


def test_a_check_that_takes_long_is_answered_as_checking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = begun(world)
    patch(world, url, 0, CONTENT[:MIB])
    forget(world)
    monkeypatch.setattr(world.runtime.resumable, "patience", 0.01)
    # Another thread is at the digest of what came before.
    remembered = world.runtime.resumable._remembered.of(url.rpartition("/")[2])
    with remembered.lock:
        answer = patch(world, url, MIB, CONTENT[MIB:])
        assert answer.headers["Strongroom-Upload-State"] == "checking"
        assert shown(world, url)["state"] == "checking"
        assert shown(world, url)["receipt"] is None
    deadline = time.monotonic() + 20
    while shown(world, url)["state"] != "filed":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert world.get(f"/documents/{shown(world, url)['receipt']['id']}/content", "official").data == CONTENT


def test_what_was_whole_when_its_node_died_is_filed_by_the_next_round(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = begun(world, 6)
    with monkeypatch.context() as patched:
        patched.setattr(world.runtime.resumable, "_conclude", _dies)
        with pytest.raises(SystemExit):
            patch(world, url, 0, b"abcdef")
    forget(world)
    assert shown(world, url)["state"] == "checking"
    with world.runtime.database.write() as session:
        session.execute(text("UPDATE upload_leases SET until = 0"))
    world.runtime.housekeeping.sweep()
    deadline = time.monotonic() + 20
    while shown(world, url)["state"] != "filed":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _dies(*_: object) -> None:
    raise SystemExit


@pytest.mark.parametrize(
    "statement",
    [
        "stored = 2",
        "length = 3",
        "parts = '[]', stored = 0",
        "person_id = :other",
        "expires = expires + 1",
        "state = 'filed'",
    ],
)
def test_an_edited_row_is_refused_and_reported(world: World, statement: str) -> None:
    url = begun(world, 10)
    patch(world, url, 0, b"abc")
    values = {
        "id": url.rpartition("/")[2],
        **({"other": world.people["other"]} if ":other" in statement else {}),
    }
    with world.runtime.database.engine.begin() as connection:
        connection.execute(text(f"UPDATE resumable_uploads SET {statement} WHERE id = :id"), values)
    assert patch(world, url, 3, b"def").status_code == 503
    assert world.records(action="tamper.detected")[-1]["details"]["table"] == "resumable_uploads"


def test_no_word_of_an_upload_stands_in_the_database(world: World) -> None:
    url = begun(world, 10)
    with world.runtime.database.engine.connect() as connection:
        query = text("SELECT * FROM resumable_uploads WHERE id = :id")
        [row] = connection.execute(query, {"id": url.rpartition("/")[2]}).all()
    kept = repr(tuple(row))
    for word in ("Quay", "quay", "SECRET", world.programme):
        assert word not in kept
    assert url.rpartition("/")[2] in kept


def test_another_version_of_the_protocol_is_refused(world: World) -> None:
    url = begun(world, 10)
    answer = world.client.head(url, headers=world.headers("partner"))
    assert answer.status_code == 412
    assert answer.headers["Tus-Version"] == "1.0.0"
    answer = world.client.patch(
        url,
        data=b"abc",
        content_type="text/plain",
        headers=world.headers("partner", **{"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}),
    )
    assert answer.status_code == 415
