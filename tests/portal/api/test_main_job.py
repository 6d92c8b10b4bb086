"""The main job over the API: deposited by the partner, read by clearance, refused to everybody else, proved."""

from __future__ import annotations

import json

import pytest

from tests.portal.worlds import World
from tests.shared import DOCUMENTS

FILES = sorted(path for path in DOCUMENTS.iterdir() if path.name != "README.md") if DOCUMENTS.exists() else []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_real_file_comes_back_byte_for_byte(world: World, path) -> None:
    content = path.read_bytes()
    answer = world.deposit(content, name=path.name, title=path.stem)
    assert answer.status_code == 201, answer.json
    read = world.get(f"/documents/{answer.json['id']}/content", "official")
    assert read.status_code == 200
    assert read.data == content
    assert read.headers["Content-Type"].startswith(answer.json["media_type"])


def test_official_cleared_to_restricted_sees_restricted_only(world: World) -> None:
    open_to = world.deposited(label="NATO RESTRICTED")
    secret = world.deposited(label="NATO SECRET")
    assert world.get(f"/documents/{open_to}/content", "restricted").status_code == 200
    assert world.get(f"/documents/{secret}/content", "restricted").status_code == 404
    listed = world.get("/documents", "restricted").json["items"]
    assert [item["id"] for item in listed] == [open_to]


def test_other_company_sees_nothing(world: World) -> None:
    document = world.deposited(label="NATO UNCLASSIFIED")
    assert world.get("/documents", "other").json["items"] == []
    assert world.get(f"/documents/{document}", "other").status_code == 404


def test_lists_name_the_programme_by_its_id_as_requests_do(world: World) -> None:
    world.deposited()
    [item] = world.get("/documents", "official").json["items"]
    assert (item["programme"], item["programme_name"]) == (world.programme, "Harbour Shield")
    assert set(item["label"]) == {"marking", "classification", "policy"}


def test_auditors_export_holds_intent_and_outcome_of_a_read_and_the_denial(world: World) -> None:
    document = world.deposited(b"0123456789")
    read = world.get(f"/documents/{document}/content", "official")
    intent = int(read.headers["Strongroom-Log-Entry"])
    world.get(f"/documents/{document}/content", "other")
    lines = [
        json.loads(line) for line in world.get("/audit/export?format=jsonl", "auditor").data.splitlines()
    ]
    assert lines[intent]["action"] == "document.read"
    assert lines[intent]["decision"] == "permit"
    outcome = next(line for line in lines if line.get("completes") == intent)
    assert (outcome["outcome"], outcome["bytes_handed"]) == ("complete", 10)
    denial = next(line for line in lines if line.get("decision") == "deny")
    assert (denial["actor"], denial["document"], denial["rule"]) == (
        world.people["other"],
        document,
        "releasable",
    )
    assert "footer" in lines[-1]


def test_auditor_cannot_open_a_document(world: World) -> None:
    document = world.deposited()
    assert world.get(f"/documents/{document}/content", "auditor").status_code == 404
    assert world.get("/documents", "auditor").status_code == 403


def test_read_is_refused_while_the_log_cannot_be_written(world: World) -> None:
    document = world.deposited()
    world.runtime.log.close()
    read = world.get(f"/documents/{document}/content", "official")
    assert read.status_code == 503
    assert b"Deliverable" not in read.data
