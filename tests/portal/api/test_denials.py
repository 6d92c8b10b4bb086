"""Denials that a person may know of: told by rule and on record; everything else stays a document that is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from portal import models
from tests.portal import factories
from tests.portal.attack import Browser, open_copy, recorded, sql
from tests.portal.worlds import BEGINNING, World

LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
NATO = {"Context": ["NATO"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Officials who each lack one thing."""
    copy = open_copy(tmp_path_factory.mktemp("denials") / "data")
    database, now = copy.runtime.database, copy.runtime.clock()
    past, future = now - timedelta(days=1), now + timedelta(days=1)
    lacking: dict[str, dict[str, Any]] = {
        "expired": {"clearance_end": past},
        "early": {"clearance_start": future},
        "expired-low": {"clearance_end": past, "low": True},
        "expired-outsider": {"clearance_end": past, "member": False},
        "expired-former": {"clearance_end": past, "membership_end": past},
        "expired-elsewhere": {"clearance_end": past, "home": copy.other_company},
        "never": {"cleared": False},
        "weak": {"assurance": 1},
        "weak-outsider": {"assurance": 1, "member": False},
        "weak-low": {"assurance": 1, "low": True},
        "weak-expired": {"assurance": 1, "clearance_end": past},
    }
    for who, facts in lacking.items():
        home = facts.get("home", copy.organisation)
        person = factories.add_person(database, home, name=who, email=f"{who}@org.example")
        role = "partner" if "home" in facts else "official"
        factories.add_role(database, person, role, start=BEGINNING)
        if facts.get("member", True):
            factories.add_membership(
                database, person, copy.programme, start=BEGINNING, end=facts.get("membership_end")
            )
        if facts.get("cleared", True):
            factories.add_clearance(
                database,
                person,
                LEVELS[:2] if facts.get("low") else LEVELS,
                NATO,
                start=facts.get("clearance_start", BEGINNING),
                end=facts.get("clearance_end"),
            )
        copy.people[who] = person
        copy.tokens[who] = copy.runtime.account._tokens.create(person, who, 30, facts.get("assurance", 2), 2)[
            0
        ]
    yield copy
    copy.runtime.close()


@pytest.fixture(scope="module")
def document(world: World) -> str:
    return world.deposited(b"0123456789", title="Harbour chart", label="NATO SECRET", name="chart.txt")


KNOWABLE = {
    "expired": ["clearance-in-force"],
    "early": ["clearance-in-force"],
    "weak": ["assurance"],
    "weak-expired": ["assurance", "clearance-in-force"],
}
HIDDEN = (
    "expired-low",
    "expired-outsider",
    "expired-former",
    "expired-elsewhere",
    "never",
    "weak-outsider",
    "weak-low",
)


def denied(world: World, who: str, path: str, status: int) -> tuple[TestResponse, dict[str, Any]]:
    with recorded(world) as records:
        answer = world.get(path, who)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert [record["decision"] for record in records] == ["deny"]
    return answer, records[0]


@pytest.mark.parametrize("who", KNOWABLE)
@pytest.mark.parametrize("door", ["", "/content", "/versions/1/content", "/binding", "/versions/1/binding"])
def test_a_denial_that_may_be_known_names_its_rule_and_how_to_mend_it(
    world: World, document: str, who: str, door: str
) -> None:
    answer, record = denied(world, who, f"/documents/{document}{door}", 403)
    problem = answer.json
    assert answer.mimetype == "application/problem+json"
    assert problem["type"] == f"{world.runtime.settings.public_url}/problems/{KNOWABLE[who][0]}"
    assert problem["rules"] == KNOWABLE[who]
    assert problem["mend"]
    assert (record["document"], record["rule"]) == (document, KNOWABLE[who][0])
    assert record["action"] == ("document.read" if door.endswith("content") else "document.show")


@pytest.mark.parametrize("who", [*KNOWABLE, *HIDDEN])
def test_no_denial_says_what_the_document_is(world: World, document: str, who: str) -> None:
    for door in ("", "/content", "/binding"):
        answer = world.get(f"/documents/{document}{door}", who)
        told = json.dumps(answer.json) + str(answer.headers)
        for word in ("Harbour", "chart", "SECRET", "Sarrazin", "0123456789", "Programme", "Context", "ETag"):
            assert word not in told.replace("programme-office", ""), (who, word)


@pytest.mark.parametrize("who", HIDDEN)
def test_what_may_not_be_known_is_a_document_that_is_not_there(world: World, document: str, who: str) -> None:
    for door in ("", "/content", "/versions/1/content", "/binding"):
        answer, record = denied(world, who, f"/documents/{document}{door}", 404)
        absent, _ = denied(world, who, f"/documents/{document[::-1]}{door}", 404)
        assert answer.data == absent.data
        assert dict(answer.headers) == dict(absent.headers)
        assert record["document"] == document


@pytest.mark.parametrize("who", [*KNOWABLE, *HIDDEN])
def test_nobody_who_is_denied_finds_the_document_in_a_list_or_a_zip(
    world: World, document: str, who: str
) -> None:
    assert document not in {item["id"] for item in world.get("/documents", who).json["items"]}
    found = world.client.post("/api/v1/documents/search", json={"q": "harbour"}, headers=world.headers(who))
    assert found.json["items"] == []
    packed = world.get(f"/documents.zip?id={document}", who)
    assert packed.status_code == (403 if who in KNOWABLE else 404)
    assert world.get(f"/documents.zip?id={document}&leave_out=true", who).status_code == 404


@pytest.mark.parametrize("who", KNOWABLE)
def test_a_zip_tells_of_a_member_what_its_own_door_tells(world: World, document: str, who: str) -> None:
    alone, packed = (
        world.get(path, who) for path in (f"/documents/{document}/content", f"/documents.zip?id={document}")
    )
    assert packed.json["rules"] == alone.json["rules"]
    assert packed.json["detail"].startswith(
        f"1 of 1 documents are not handed out, so nothing was packed. {document}: "
    )


@pytest.mark.parametrize(
    ("who", "rule"), [("expired", "clearance-in-force"), ("early", "clearance-in-force")]
)
def test_the_browser_tells_a_knowable_denial_in_words(
    world: World, document: str, who: str, rule: str
) -> None:
    browser = Browser.of(world, who)
    for path in ("", *(f"/versions/1/{door}" for door in ("content", "view", "receipt", "binding"))):
        with recorded(world) as records:
            answer = browser.get(f"/documents/{document}{path}")
        assert (answer.status_code, answer.mimetype) == (403, "text/html")
        text = answer.get_data(as_text=True)
        assert "clearance" in text
        assert "Tell your security officer" in text
        assert "Harbour" not in text
        assert [(r["decision"], r["rule"]) for r in records] == [("deny", rule)]


def test_a_session_with_a_password_alone_is_told_to_sign_in_more_strongly(
    world: World, document: str
) -> None:
    answer = Browser.of(world, "official", assurance=1).get(f"/documents/{document}")
    assert answer.status_code == 403
    assert "sign" in answer.get_data(as_text=True).lower()


def test_a_denial_is_on_record_before_it_is_told(world: World, document: str) -> None:
    log = world.runtime.log
    append, sequence = log.append, []

    def watched(event: Any) -> Any:
        receipt = append(event)
        sequence.append(event.decision)
        return receipt

    log.append = watched  # type: ignore[method-assign]
    try:
        answer = world.get(f"/documents/{document}", "expired")
        sequence.append(str(answer.status_code))
    finally:
        del log.append  # type: ignore[method-assign]
    assert sequence == ["deny", "403"]


def test_a_withdrawn_document_may_be_known_and_a_quarantined_one_not(world: World) -> None:

    document = world.deposited(label="NATO RESTRICTED")
    for state, status in (("withdrawn", 403), ("quarantined", 404), ("destroyed", 404), ("expired", 404)):
        with world.runtime.database.write(log_entry=0) as session:
            row = session.get_one(models.Document, document)
            row.state = state
        answer, record = denied(world, "official", f"/documents/{document}/content", status)
        assert record["rule"] == "document-state"
        assert document not in {item["id"] for item in world.get("/documents", "official").json["items"]}
        put = world.client.put(
            f"/api/v1/documents/{document}/content", data=b"x", headers=world.headers("partner")
        )
        assert put.status_code == status
        if status == 404:
            assert "document-state" not in answer.get_data(as_text=True)


def test_a_lower_ceiling_refuses_what_lies_above_it(world: World, document: str) -> None:
    lower = open_copy(world.runtime.settings.data.parent / "lower", ceiling="RESTRICTED")
    assert lower.deposit(label="NATO SECRET").status_code == 403
    with recorded(lower) as records:
        answer = lower.deposit(label="NATO SECRET")
    assert answer.json["rules"] == ["system-ceiling"]
    assert [(r["action"], r["decision"], r["rule"]) for r in records] == [
        ("document.upload", "deny", "system-ceiling")
    ]
    assert lower.deposit(label="NATO RESTRICTED").status_code == 201
    assert sql(lower, "SELECT count(*) FROM documents") == [(1,)]
    lower.runtime.close()
