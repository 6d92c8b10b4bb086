"""What an attacker tries on the whole portal: faults at the worst moment, edited rows, inference, odd requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from policies.requests import Action
from portal import models
from portal.audit import Event, Receipt
from portal.errors import Conflict, Unavailable
from portal.identity import totp
from portal.models.database import make_engine
from portal.services.actor import Actor
from portal.services.deposit import Declared
from portal.services.uploads import OpenUpload
from portal.web.forms import local_path
from tests.portal.web.visitors import sign_in
from tests.portal.worlds import World, world

__all__ = ["world"]


def actor(world: World, who: str, organisation: str) -> Actor:
    return Actor(world.people[who], organisation, 2, "test")


def partner(world: World) -> Actor:
    return actor(world, "partner", world.company)


def failing_append(world: World, monkeypatch: pytest.MonkeyPatch, fails: Callable[[Event], bool]) -> None:
    """Let the log refuse the events that `fails` names."""
    real = world.runtime.log.append

    def append(event: Event) -> Receipt:
        if fails(event):
            raise Unavailable("the access log does not answer")
        return real(event)

    monkeypatch.setattr(world.runtime.log, "append", append)


def execute(world: World, statement: str, **values: Any) -> None:
    with world.runtime.database.engine.begin() as connection:
        connection.execute(text(statement), values)


# Uploads


def test_a_version_whose_outcome_cannot_be_recorded_keeps_its_content(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing_append(world, patch, lambda e: e.action == "document.upload" and e.completes is not None)
        assert world.deposit(b"not to be lost").status_code == 503
    [listed] = world.get("/documents", "official").json["items"]
    assert world.get(f"/documents/{listed['id']}/content", "official").data == b"not to be lost"
    assert not world.records(action="document.upload", outcome="aborted")
    world.runtime.housekeeping.at_start()
    [settled] = [record for record in world.records(action="document.upload") if "completes" in record]
    assert settled["outcome"] == "complete"


def test_an_edited_upload_row_removes_no_filed_version(world: World) -> None:
    document = world.deposited(b"not to be removed")
    with world.runtime.database.read() as session:
        blob = session.get_one(models.Version, (document, 1)).blob
    for number, place in enumerate((blob, "", document[:2])):
        execute(
            world,
            "INSERT INTO uploads VALUES (:id, :document, 2, :blob, :person, :programme, :node, 0)",
            id=blob.rpartition("/")[2] if number == 0 else str(number),
            document=document,
            blob=place,
            person=world.people["partner"],
            programme=world.programme,
            node=world.runtime.node,
        )
    world.runtime.housekeeping.at_start()
    assert world.get(f"/documents/{document}/content", "official").data == b"not to be removed"
    assert len(world.records(action="tamper.detected")) == 3


def test_an_upload_left_behind_is_cleared_at_start(world: World) -> None:
    receiving = world.runtime.deposit.receiving
    document = models.new_id()
    left: OpenUpload = receiving.uploads.open(partner(world), document, 1, world.programme)
    receiving.blobs.put(f"{left.blob}/part-1", b"half of it")
    world.runtime.housekeeping.at_start()
    assert list(receiving.blobs.list(left.blob)) == []
    assert [record["outcome"] for record in world.records(document=document)] == ["failed"]


def test_a_version_is_decided_again_on_the_head_as_it_is_at_the_last_byte(world: World) -> None:
    document = world.deposited()
    with world.runtime.deposit.begin_version(partner(world), document, "second.txt") as intake:
        intake.write(b"second")
        with world.runtime.database.write(0) as session:
            session.get_one(models.Document, document).state = "quarantined"
        with pytest.raises(Exception, match="no such document"):
            intake.complete()
    assert [record["rule"] for record in world.records(action="document.version", decision="deny")] == [
        "document-state"
    ]


def test_a_version_is_not_filed_under_another_label_than_it_was_decided_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.deposited(label="NATO SECRET")
    world.deposited(label="NATO RESTRICTED")
    with world.runtime.deposit.begin_version(partner(world), document, "second.txt") as intake:
        intake.write(b"second")
        monkeypatch.setattr(world.runtime.deposit.receiving, "_decide_again", lambda _incoming: None)
        with world.runtime.database.write(0) as session:
            label = session.get_one(models.LabelRecord, 2)
            head = session.get_one(models.Document, document)
            head.label_id, head.label_digest = label.id, label.digest
        with pytest.raises(Conflict):
            intake.complete()


def test_who_lost_the_need_to_know_during_an_upload_is_told_of_no_document(world: World) -> None:
    declared = Declared(world.programme, "A title", "NATO SECRET", "a.txt")
    with world.runtime.deposit.begin(partner(world), declared) as intake:
        intake.write(b"x")
        with world.runtime.database.write(0) as session:
            for row in session.query(models.Membership).filter_by(person_id=world.people["partner"]):
                row.valid_until = world.runtime.clock()
        with pytest.raises(Exception, match="no such programme"):
            intake.complete()


# Release


def test_the_piece_on_its_way_counts_as_handed_over(world: World) -> None:
    query = {"programme": world.programme, "label": "NATO SECRET"}
    named = {"Strongroom-Title": "Large", "Content-Disposition": 'attachment; filename="large.bin"'}
    document = world.client.post(
        "/api/v1/documents",
        query_string=query,
        data=b"x" * (3 << 20),
        content_type="application/octet-stream",
        headers=world.headers("partner", **named),
    ).json["id"]
    permission = world.runtime.release.permit(
        actor(world, "official", world.organisation), Action.DOCUMENT_READ, document
    )
    transfer = world.runtime.release.open(permission)
    handed = len(next(iter(transfer)))
    transfer.close()
    [outcome] = world.records(completes=transfer.log_entry)
    assert (outcome["outcome"], outcome["bytes_handed"]) == ("aborted", handed)


def test_content_opens_with_the_receipt_of_its_own_intent_only(world: World) -> None:
    document, other = world.deposited(), world.deposited()
    release = world.runtime.release
    reader = actor(world, "official", world.organisation)
    permission = release.permit(reader, Action.DOCUMENT_READ, document)
    shown = release.describe(permission)
    transfer = release.open(release.permit(reader, Action.DOCUMENT_READ, other))
    for wrong in (shown, transfer._receipt):
        with pytest.raises(TypeError, match="receipt"):
            release._open_content(wrong, permission._sealed)
    transfer.close()


# Inference


def test_labels_that_only_others_hold_are_not_offered(world: World) -> None:
    world.deposited(label="NATO RESTRICTED", title="A title")
    offered = 'value="NATO RESTRICTED"'
    assert offered in sign_in(world, "partner").get("/documents").text
    assert offered not in sign_in(world, "other").get("/documents").text


def test_refusing_a_document_takes_the_same_queries_whether_or_not_it_exists(world: World) -> None:
    document = world.deposited()
    for number in range(2, 5):
        answer = world.client.put(
            f"/api/v1/documents/{document}/content", data=b"%d" % number, headers=world.headers("partner")
        )
        assert answer.json["version"] == number
    # The first request of a person opens their rows, whatever it asks for.
    world.get("/documents/no-id", "other")
    seen: list[str] = []
    event.listen(world.runtime.database.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    counts = []
    for asked in (document, models.new_id(), "no-id"):
        for path in (f"/documents/{asked}", f"/documents/{asked}/content"):
            seen.clear()
            assert world.get(path, "other").status_code == 404
            counts.append((path.count("content"), tuple(seen)))
    assert len(set(counts)) == 2


# Titles


def test_a_damaged_title_piece_is_reported_and_hides_no_other_title_for_good(world: World) -> None:
    for title in ("alpha one", "alpha two", "alpha three"):
        world.deposited(title=title)
    with world.runtime.database.read() as session:
        good = session.get_one(models.TitlePiece, (world.programme, 3)).piece
    bad = bytes([*good[:-1], good[-1] ^ 1])
    execute(world, "UPDATE title_pieces SET piece = :piece WHERE number = 3", piece=bad)
    assert search(world, "alpha").status_code == 503
    assert [record["details"]["table"] for record in world.records(action="tamper.detected")] == [
        "title_pieces"
    ]
    execute(world, "UPDATE title_pieces SET piece = :piece WHERE number = 3", piece=good)
    assert len(search(world, "alpha").json["items"]) == 3


def test_a_damaged_title_piece_stops_no_deposit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.services.titles._SMALL", 2)
    world.deposited()
    execute(world, "UPDATE title_pieces SET piece = :piece", piece=b"\x06" + bytes(60))
    assert world.deposit().status_code == 201


def search(world: World, words: str) -> Any:
    return world.client.post("/api/v1/documents/search", json={"q": words}, headers=world.headers("official"))


# Sign-in and tokens


def test_tokens_made_with_the_old_credentials_end_with_them(world: World) -> None:
    person = world.people["partner"]
    secret = world.runtime.links.create(person, 1)
    shared = totp.new_secret()
    code = totp.code_at(shared, world.runtime.clock())
    world.runtime.account.redeem_link(secret, "nine storks over Lake Geneva", shared, code, "::1", "request")
    assert world.get("/documents", "partner").status_code == 401


@pytest.mark.parametrize(
    "target", ["//e", "/\\e", "/\t\\e", "/\r\nSet-Cookie: a=b", "http:e", "e", "\x00//e"]
)
def test_sign_in_leads_nowhere_else(target: str) -> None:
    assert local_path(target) == ""


# Odd requests


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/documents?limit=" + "9" * 5000, 400),
        ("/documents?sort=words+of+mine", 400),
        (f"/documents/{'0' * 8}-0000-4000-8000-{'0' * 12}/versions/{'9' * 30}/content", 404),
    ],
)
def test_odd_numbers_and_orders_are_refused(world: World, path: str, status: int) -> None:
    assert world.get(path, "restricted").status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/audit/records/{'9' * 30}", 404),
        ("/audit/records?to=9999-12-31T23:59:59-12:00", 400),
        ("/audit/records?from=0001-01-01T00:00:00%2B12:00", 400),
    ],
)
def test_odd_numbers_and_times_are_refused_to_auditors(world: World, path: str, status: int) -> None:
    assert world.get(path, "auditor").status_code == status


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"q":"a","label":"<a>\\ud800</a>"}', b'{"q":"%b"}' % (b"a" * 201)]
)
def test_odd_searches_are_refused(world: World, body: bytes) -> None:
    answer = world.client.post("/api/v1/documents/search", data=body, headers=world.headers("official"))
    assert answer.status_code == 400


def test_head_of_an_export_leaves_no_intent_open(world: World) -> None:
    answer = world.client.head("/api/v1/audit/export", headers=world.headers("auditor"))
    answer.close()
    assert answer.status_code == 200
    assert world.runtime.log.open_intents(world.runtime.clock() + timedelta(hours=1)) == ()


def test_database_errors_carry_no_values(tmp_path: Any) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(Exception, match="no such table") as fault, engine.begin() as connection:
        connection.execute(text("SELECT * FROM people WHERE id = :id"), {"id": "who-it-is"})
    assert "who-it-is" not in str(fault.value)
    engine.dispose()
