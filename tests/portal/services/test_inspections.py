"""Documents are scanned before anybody sees them, by a real clamd; and when there is none, nothing is lost or shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from portal import models
from portal.services.inspections import Claim
from tests.portal.api import test_tus
from tests.portal.worlds import World, build_world
from tests.scanners import LIMIT, SIGNED, SIGNED_NAME, ClamDaemon, clamd

PLAIN = b"A deliverable without anything in it. " * 40


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClamDaemon]:
    with clamd(tmp_path_factory.mktemp("clamd")) as running:
        yield running


def scanned_by(daemon: ClamDaemon, **more: Any) -> dict[str, Any]:
    """Return the settings of an installation with this scanner."""
    return {
        "scanner": daemon.address,
        "scanner_spool": daemon.spool,
        "scanner_limit": LIMIT,
        "scanner_wait_seconds": 30,
        **more,
    }


@pytest.fixture
def scanning(daemon: ClamDaemon, tmp_path: Path) -> Iterator[World]:
    """An installation whose scanner has proved itself; RESTRICTED is advisory, UNCLASSIFIED is not scanned."""
    levels = {"RESTRICTED": "advisory", "UNCLASSIFIED": "none"}
    world = build_world(tmp_path / "data", **scanned_by(daemon, scan=levels))
    world.runtime.inspections.prove()
    yield world
    world.runtime.close()


@pytest.fixture
def without(daemon: ClamDaemon, tmp_path: Path) -> Iterator[World]:
    """An installation whose scanner is down."""
    world = build_world(tmp_path / "data", **scanned_by(daemon, scanner=f"clamd:{tmp_path}/none"))
    yield world
    world.runtime.close()


def listed(world: World, who: str = "official") -> list[str]:
    return [item["id"] for item in world.get("/documents", who).json["items"]]


def scan_all(world: World) -> int:
    """Make every scan that is due."""
    number = 0
    while claims := world.runtime.inspections.claim(8):
        for claim in claims:
            world.runtime.inspections.scan(claim)
            number += 1
    return number


def make_due(world: World) -> None:
    with world.runtime.database.write() as session:
        for row in session.query(models.ScanJob).all():
            row.due = world.runtime.clock()


def test_clean_document_is_handed_out_at_once_with_its_scan(scanning: World) -> None:
    answer = scanning.deposit(PLAIN)
    assert (answer.json["scan"], answer.json["standing"], answer.json["notices"]) == ("clean", "open", [])
    document = answer.json["id"]
    assert scanning.get(f"/documents/{document}/content", "official").data == PLAIN
    shown = scanning.get(f"/documents/{document}", "official").json
    assert (shown["scan"], shown["versions"][0]["scan"]) == ("clean", "clean")
    (item,) = scanning.get("/documents", "official").json["items"]
    assert item["scan"] == "clean"
    (record,) = scanning.records(action="document.upload", outcome=None)
    assert (record["details"]["scan"], record["details"]["standing"]) == ("clean", "open")


@pytest.mark.parametrize("size", [0, 100, 3 << 20])
def test_what_the_scanner_finds_is_kept_and_shown_to_nobody(scanning: World, size: int) -> None:
    content = os.urandom(size) + SIGNED
    answer = send(scanning, content, title="Flange")
    assert answer.status_code == 201
    assert (answer.json["scan"], answer.json["standing"]) == ("found", "quarantined")
    assert answer.json["notices"] == ["held"]
    document = answer.json["id"]
    for who in ("official", "partner", "other"):
        assert scanning.get(f"/documents/{document}", who).status_code == 404
        for path in ("content", "versions/1/content", "binding"):
            assert scanning.get(f"/documents/{document}/{path}", who).status_code == 404
        assert listed(scanning, who) == []
        found = scanning.client.post(
            "/api/v1/documents/search", json={"q": "flange"}, headers=scanning.headers(who)
        )
        assert found.json["items"] == []
    with scanning.runtime.database.read() as session:
        row = session.get_one(models.Inspection, (document, 1))
        assert row.finding.startswith(SIGNED_NAME)
        blob = session.get_one(models.Version, (document, 1)).blob
    stored = scanning.runtime.settings.blob_folder / blob / "part-1"
    assert stored.exists()
    assert SIGNED not in stored.read_bytes()


def test_raw_body_is_scanned_as_a_form_is(scanning: World) -> None:
    for content, scan in ((PLAIN, "clean"), (PLAIN + SIGNED, "found")):
        assert scanning.deposit(content).json["scan"] == send(scanning, content).json["scan"] == scan


def test_level_that_asks_for_no_scan_gets_none(scanning: World) -> None:
    answer = scanning.deposit(SIGNED, label="NATO UNCLASSIFIED")
    assert (answer.json["scan"], answer.json["standing"]) == ("not-scanned", "open")
    assert listed(scanning) == [answer.json["id"]]


def test_too_large_a_document_is_not_scannable_and_waits_for_no_retry(scanning: World) -> None:
    large = bytes(LIMIT + 1)
    required = send(scanning, large)
    assert (required.json["scan"], required.json["standing"]) == ("not-scannable", "quarantined")
    advisory = send(scanning, large, label="NATO RESTRICTED")
    assert (advisory.json["scan"], advisory.json["standing"]) == ("not-scannable", "open")
    assert listed(scanning) == [advisory.json["id"]]
    assert scan_all(scanning) == 0


def test_what_a_scanner_cannot_look_into_is_not_clean(scanning: World) -> None:
    """clamd says OK to an encrypted envelope: that says nothing."""
    envelope = b"age-encryption.org/v1\n-> X25519 abc\n" + os.urandom(500)
    answer = scanning.deposit(envelope, name="design.age")
    assert (answer.json["scan"], answer.json["standing"]) == ("not-scannable", "quarantined")
    assert "encrypted" in answer.json["notices"]


def test_document_waits_while_the_scanner_is_down_and_nothing_is_lost(
    without: World, daemon: ClamDaemon
) -> None:
    answer = without.deposit(PLAIN)
    assert answer.status_code == 201
    assert (answer.json["scan"], answer.json["standing"]) == ("pending", "waiting")
    document = answer.json["id"]
    assert without.get(f"/documents/{document}", "official").status_code == 404
    assert scan_all(without) == 1
    assert without.get(f"/documents/{document}", "official").status_code == 404
    repaired(without, daemon)
    make_due(without)
    assert scan_all(without) == 1
    assert without.get(f"/documents/{document}/content", "official").data == PLAIN
    assert without.get(f"/documents/{document}", "official").json["scan"] == "clean"
    (record,) = without.records(action="document.verdict", outcome=None)
    assert (record["details"]["scan"], record["details"]["standing"]) == ("clean", "open")
    assert not jobs(without)


def test_document_that_waited_and_is_infected_stays_away(without: World, daemon: ClamDaemon) -> None:
    document = without.deposit(SIGNED).json["id"]
    repaired(without, daemon)
    make_due(without)
    assert scan_all(without) == 1
    assert without.get(f"/documents/{document}", "official").status_code == 404
    assert listed(without) == []


def test_new_version_is_kept_back_while_the_former_stays_open(without: World, daemon: ClamDaemon) -> None:
    document = without.deposit(PLAIN).json["id"]
    repaired(without, daemon)
    make_due(without)
    scan_all(without)
    broken(without)
    second = put_version(without, document, b"second")
    assert (second["version"], second["standing"]) == (2, "waiting")
    assert without.get(f"/documents/{document}", "official").json["version"] == 1
    assert without.get(f"/documents/{document}/content", "official").data == PLAIN
    assert without.get(f"/documents/{document}/versions/2/content", "official").status_code == 404
    third = put_version(without, document, SIGNED)
    assert third["version"] == 3
    repaired(without, daemon)
    make_due(without)
    assert scan_all(without) == 2
    shown = without.get(f"/documents/{document}", "official").json
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert without.get(f"/documents/{document}/content", "official").data == b"second"
    assert without.get(f"/documents/{document}/versions/3/content", "official").status_code == 404


def test_version_stays_away_when_the_row_about_it_is_gone(scanning: World) -> None:
    """Whoever can write to the database cannot let an infected version out by deleting what was found in it."""
    document = scanning.deposit(PLAIN).json["id"]
    put_version(scanning, document, SIGNED)
    put_version(scanning, document, b"third")
    with scanning.runtime.database.write() as session:
        session.query(models.Inspection).filter_by(document_id=document, number=2).delete()
    assert scanning.get(f"/documents/{document}/versions/2/content", "official").status_code == 404
    assert scanning.get(f"/documents/{document}/versions/3/content", "official").data == b"third"


@pytest.mark.parametrize(
    "change",
    [
        "standing = 'open'",
        "standing = 'admitted'",
        "scan = 'clean', standing = 'open', reasons = '[]'",
        "number = 1, standing = 'open'",
        "reasons = 'junk'",
        "row_version = row_version + 1",
        "changed = 'junk'",
        "finding_sealed = x'00'",
    ],
)
def test_version_stays_away_when_the_row_about_it_is_edited(scanning: World, change: str) -> None:
    document = scanning.deposit(PLAIN).json["id"]
    put_version(scanning, document, SIGNED)
    with scanning.runtime.database.engine.begin() as connection:
        if change.startswith("number"):
            connection.execute(
                text(f"DELETE FROM inspections WHERE document_id = '{document}' AND number = 1")
            )
        connection.execute(
            text(f"UPDATE inspections SET {change} WHERE document_id = '{document}' AND number = 2")
        )
    answer = scanning.get(f"/documents/{document}/versions/2/content", "official")
    assert SIGNED not in answer.data
    if change.startswith("number"):
        assert answer.status_code == 404
    else:
        assert answer.status_code == 503
        assert scanning.records(action="tamper.detected")[-1]["details"]["table"] == "inspections"


def test_advisory_document_is_open_while_it_waits_and_closed_when_something_is_found(
    scanning: World, daemon: ClamDaemon
) -> None:
    broken(scanning)
    answer = scanning.deposit(SIGNED, label="NATO RESTRICTED")
    assert (answer.json["scan"], answer.json["standing"]) == ("pending", "open")
    document = answer.json["id"]
    assert scanning.get(f"/documents/{document}", "official").json["scan"] == "pending"
    repaired(scanning, daemon)
    make_due(scanning)
    assert scan_all(scanning) == 1
    assert scanning.get(f"/documents/{document}", "official").status_code == 404
    assert listed(scanning) == []


def test_lost_job_is_put_back_and_documents_of_former_times_are_scanned(
    tmp_path: Path, daemon: ClamDaemon
) -> None:
    world = build_world(tmp_path / "data")
    old = world.deposit(PLAIN).json["id"]
    world.runtime.close()
    later = build_again(world, scanned_by(daemon, scanner=f"clamd:{tmp_path}/none"))
    assert later.get(f"/documents/{old}/content", "official").status_code == 404
    waiting = later.deposit(b"another").json["id"]
    with later.runtime.database.write() as session:
        session.query(models.ScanJob).delete()
    assert later.runtime.inspections.restore() == 2
    repaired(later, daemon)
    assert scan_all(later) == 2
    for document in (old, waiting):
        assert later.get(f"/documents/{document}", "official").json["scan"] == "clean"
    later.runtime.close()


def test_scan_of_a_version_that_is_gone_is_forgotten(scanning: World) -> None:
    scanning.runtime.inspections.scan(Claim(("no-such-document", 1), 1))
    assert scan_all(scanning) == 0


def test_spool_on_a_disk_is_refused(daemon: ClamDaemon, tmp_path: Path) -> None:
    from portal.scanning import memory
    from portal.scanning.scanners import ScannerUnavailable

    if memory.in_memory(tmp_path):
        pytest.skip("the tests' own folder is in memory")
    world = build_world(tmp_path / "data", **scanned_by(daemon, scanner_spool=tmp_path))
    with pytest.raises(ScannerUnavailable, match="not in memory"):
        world.runtime.inspections.prove()
    assert world.deposit(PLAIN).json["standing"] == "waiting"
    world.runtime.close()


def send(world: World, content: bytes, *, title: str = "A title", label: str = "NATO SECRET") -> TestResponse:
    """Send a document as a raw body."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Strongroom-Title": title,
        "Content-Disposition": "attachment; filename=a.bin",
    }
    wanted = {"programme": world.programme, "label": label}
    return world.client.post(
        "/api/v1/documents", query_string=wanted, data=content, headers=world.headers("partner", **headers)
    )


def put_version(world: World, document: str, content: bytes) -> dict[str, Any]:
    headers = world.headers("partner", **{"Content-Type": "application/octet-stream"})
    answer = world.client.put(f"/api/v1/documents/{document}/content", data=content, headers=headers)
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def jobs(world: World) -> list[Any]:
    with world.runtime.database.read() as session:
        return list(session.query(models.ScanJob).all())


def repaired(world: World, daemon: ClamDaemon) -> None:
    """The scanner answers again, or for the first time."""
    scanner: Any = world.runtime.inspections._scanner
    scanner._place = str(daemon.socket)
    world.runtime.inspections.prove()


def broken(world: World) -> None:
    scanner: Any = world.runtime.inspections._scanner
    scanner._place = "/nowhere/clamd"


def build_again(world: World, settings: dict[str, Any]) -> World:
    """Open a world again with other settings."""
    import dataclasses

    from portal.app import create_app
    from portal.services.runtime import open_portal

    runtime = open_portal(dataclasses.replace(world.runtime.settings, **settings))
    app = create_app(runtime)
    return dataclasses.replace(world, runtime=runtime, app=app, client=app.test_client())


def test_upload_in_pieces_is_scanned_across_their_seams(scanning: World) -> None:
    """The signature lies in two pieces: a job scans the whole from its encrypted parts."""
    content = PLAIN + SIGNED + PLAIN
    middle = len(PLAIN) + len(SIGNED) // 2
    url = test_tus.begun(scanning, len(content))
    assert test_tus.patch(scanning, url, 0, content[:middle]).status_code == 204
    assert test_tus.patch(scanning, url, middle, content[middle:]).status_code == 204
    make_due(scanning)
    assert scan_all(scanning) == 1
    (record,) = scanning.records(action="document.verdict", outcome=None)
    assert (record["details"]["scan"], record["details"]["standing"]) == ("found", "quarantined")
    assert listed(scanning) == []
