"""No door of the API tells a document out of reach from one that does not exist."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.portal import factories
from tests.portal.attack import NOT_IDS, end_grant, open_copy, queries, recorded, reopen, seen
from tests.portal.worlds import BEGINNING, World

RAW = {"Content-Type": "application/octet-stream"}
ABSENT = "6e4f4b0e-3a3c-4c53-9d1c-1f1f6a0a5b0e"


@dataclass(frozen=True)
class Place:
    """A world with a document that is out of reach of all `OUTSIDERS`, and another programme's name."""

    world: World
    hidden: str
    foreign_programme: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    world = open_copy(tmp_path_factory.mktemp("existence") / "data")
    database = world.runtime.database
    foreign = factories.add_programme(database, world.organisation, "Another Programme")
    for who, home in (("ended", world.organisation), ("uncleared", world.company)):
        person = factories.add_person(database, home, name=who, email=f"{who}@org.example")
        factories.add_role(database, person, "official" if who == "ended" else "partner", start=BEGINNING)
        factories.add_membership(database, person, world.programme, start=BEGINNING)
        levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")[: 4 if who == "ended" else 1]
        factories.add_clearance(database, person, levels, {"Context": ["NATO"]}, start=BEGINNING)
        world.people[who] = person
        world.tokens[who] = world.runtime.account._tokens.create(person, who, 30, 2, 2)[0]
    hidden = world.deposited(b"0123456789", title="Hidden Harbour")
    end_grant(world, "memberships", "ended", hours=-1)
    yield Place(world, hidden, foreign)
    world.runtime.close()


OUTSIDERS = ("other", "restricted", "auditor", "administrator", "officer", "ended", "uncleared")


def ask(world: World, who: str, method: str, path: str, **more: Any) -> TestResponse:
    headers = world.headers(who, **more.pop("headers", {}))
    return world.client.open(f"/api/v1{path}", method=method, headers=headers, buffered=True, **more)


def form() -> dict[str, Any]:
    return {"data": {"file": (io.BytesIO(b"Deliverable"), "deliverable.txt")}}


DOORS: dict[str, Callable[[World, str, str], TestResponse]] = {
    "page": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}"),
    "page-head": lambda w, who, i: ask(w, who, "HEAD", f"/documents/{i}"),
    "content": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/content"),
    "content-head": lambda w, who, i: ask(w, who, "HEAD", f"/documents/{i}/content"),
    "range": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/content", headers={"Range": "bytes=2-4"}),
    "range-outside": lambda w, who, i: ask(
        w, who, "GET", f"/documents/{i}/content", headers={"Range": "bytes=999-"}
    ),
    "range-nonsense": lambda w, who, i: ask(
        w, who, "GET", f"/documents/{i}/content", headers={"Range": "bytes=x"}
    ),
    "unchanged": lambda w, who, i: ask(
        w, who, "GET", f"/documents/{i}/content", headers={"If-None-Match": "*"}
    ),
    "version": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/versions/1/content"),
    "version-absent": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/versions/7/content"),
    "version-huge": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/versions/{'9' * 30}/content"),
    "put": lambda w, who, i: ask(w, who, "PUT", f"/documents/{i}/content", data=b"x", headers=RAW),
    "put-named": lambda w, who, i: ask(
        w,
        who,
        "PUT",
        f"/documents/{i}/content",
        data=b"x",
        headers={**RAW, "Content-Disposition": 'attachment; filename="new.txt"'},
    ),
    "post-form": lambda w, who, i: ask(w, who, "POST", f"/documents/{i}/versions", **form()),
    "post-raw": lambda w, who, i: ask(w, who, "POST", f"/documents/{i}/versions", data=b"x", headers=RAW),
    "binding": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/binding"),
    "version-binding": lambda w, who, i: ask(w, who, "GET", f"/documents/{i}/versions/1/binding"),
    "zip": lambda w, who, i: ask(w, who, "GET", f"/documents.zip?id={i}"),
    "zip-head": lambda w, who, i: ask(w, who, "HEAD", f"/documents.zip?id={i}"),
}


def told(world: World, door: str, who: str, document_id: str) -> tuple[Any, list[str], list[dict[str, Any]]]:
    """Return what an outsider sees, what was asked of the database, and what was recorded."""
    with queries(world) as asked, recorded(world) as records:
        answer = DOORS[door](world, who, document_id)
    return seen(answer), asked, records


@pytest.mark.parametrize("who", OUTSIDERS)
@pytest.mark.parametrize("door", DOORS)
def test_absent_malformed_and_out_of_reach_are_one(place: Place, door: str, who: str) -> None:
    world = place.world
    # What a person holds is read with their first request, and only asked about with the next.
    told(world, door, who, ABSENT)
    absent, asked, records = told(world, door, who, ABSENT)
    assert absent[0] == 404
    assert [record["decision"] for record in records] == ["deny"]
    for other in (place.hidden, *(NOT_IDS if who == "other" else NOT_IDS[:2])):
        same, also_asked, also_recorded = told(world, door, who, other)
        assert same == absent, other
        assert also_asked == asked, other
        assert [(r["action"], r["decision"], r["actor"]) for r in also_recorded] == [
            (r["action"], r["decision"], r["actor"]) for r in records
        ]


@pytest.mark.parametrize("door", ["page", "content", "put"])
def test_the_first_request_after_a_start_tells_nothing_by_its_queries(place: Place, door: str) -> None:
    asked = []
    for document_id in (place.hidden, ABSENT):
        fresh = reopen(place.world)
        asked.append(told(fresh, door, "other", document_id)[1])
        fresh.runtime.close()
    assert len(asked[0]) == len(asked[1])


def test_log_names_the_document_that_exists_and_only_commits_to_one_that_does_not(place: Place) -> None:
    _, _, (hidden,) = told(place.world, "content", "other", place.hidden)
    _, _, (absent,) = told(place.world, "content", "other", ABSENT)
    assert (hidden["document"], hidden["rule"]) == (place.hidden, "releasable")
    assert "document" not in absent
    assert absent["rule"] == "no-such-document"
    assert ABSENT not in json.dumps(absent)


@pytest.mark.parametrize("nothing", ["hidden", "absent", "malformed"])
def test_a_zip_with_one_hidden_id_is_refused_as_one_with_an_id_that_is_not_there(
    place: Place, nothing: str
) -> None:
    world = place.world
    mine = world.deposited(b"mine", label="NATO RESTRICTED", name="mine.txt")
    unseen = {"hidden": place.hidden, "absent": ABSENT, "malformed": "%00"}[nothing]
    absent = ask(world, "restricted", "GET", f"/documents.zip?id={mine}&id={ABSENT}")
    with recorded(world) as records:
        answer = ask(world, "restricted", "GET", f"/documents.zip?id={mine}&id={unseen}")
    assert seen(answer) == seen(absent)
    assert answer.status_code == 404
    assert answer.json["detail"].startswith(
        "1 of 2 documents are not handed out, so nothing was packed. 1 of them"
    )
    assert "Leave them out" in answer.json["detail"] + str(answer.json)
    assert [record["action"] for record in records if record.get("decision") == "deny"] == ["document.read"]


@pytest.mark.parametrize("nothing", ["hidden", "absent", "malformed"])
def test_a_zip_that_leaves_out_a_hidden_id_equals_the_zip_without_it(place: Place, nothing: str) -> None:
    world = place.world
    mine = [world.deposited(name.encode(), label="NATO RESTRICTED", name=name) for name in ("a.txt", "b.txt")]
    unseen = {"hidden": place.hidden, "absent": ABSENT, "malformed": "%00"}[nothing]
    plain = ask(world, "restricted", "GET", f"/documents.zip?id={mine[0]}&id={mine[1]}")
    with recorded(world) as records:
        mixed = ask(
            world, "restricted", "GET", f"/documents.zip?leave_out=true&id={mine[0]}&id={unseen}&id={mine[1]}"
        )
    assert plain.status_code == 200
    assert seen(mixed) == seen(plain)
    assert [record["action"] for record in records if record.get("decision") == "deny"] == ["document.read"]


def test_a_foreign_programme_lists_as_one_that_does_not_exist(place: Place) -> None:
    world = place.world
    ask(world, "official", "GET", "/documents")
    for path in ("/documents?programme={}", "/documents?sort=size&programme={}"):
        answers = []
        for programme in (place.foreign_programme, ABSENT, "not-an-id", "a" * 2000):
            with queries(world) as asked, recorded(world) as records:
                answer = ask(world, "official", "GET", path.format(programme))
            assert [(r["action"], r["decision"]) for r in records] == [("document.list", "deny")]
            answers.append((seen(answer), asked))
        assert all(answer == answers[0] for answer in answers)
        assert answers[0][0][0] == 404


def test_search_in_a_foreign_programme_answers_as_in_one_that_does_not_exist(place: Place) -> None:
    answers = [
        seen(ask(place.world, "official", "POST", "/documents/search", json={"q": "harbour", "programme": p}))
        for p in (place.foreign_programme, ABSENT, "\ud800", "x\x00")
    ]
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("who", ["other", "restricted", "uncleared", "ended"])
def test_search_finds_no_word_of_a_title_out_of_reach(place: Place, who: str) -> None:
    answers = [
        seen(ask(place.world, who, "POST", "/documents/search", json={"q": words}))
        for words in ("Hidden", "hidden harbour", "no such words", "!")
    ]
    assert answers[0][0] == 200
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("label", ["NATO SECRET", "NATO CONFIDENTIAL"])
def test_a_label_that_is_in_use_out_of_reach_filters_like_one_that_is_not(place: Place, label: str) -> None:
    world = place.world
    answer = ask(world, "restricted", "GET", f"/documents?label={label}")
    assert (answer.status_code, answer.json) == (200, {"items": [], "next": None})


def test_a_deposit_into_a_foreign_programme_answers_as_into_one_that_does_not_exist(place: Place) -> None:
    world = place.world
    for label in ("NATO RESTRICTED", "NATO SECRET", "COSMIC TOP SECRET"):
        answers = []
        for programme in (place.foreign_programme, ABSENT, "not-an-id", "a" * 2000):
            with queries(world) as asked, recorded(world) as records:
                answer = world.deposit(programme=programme, label=label)
            assert [(r["action"], r["decision"]) for r in records] == [("document.upload", "deny")]
            answers.append((seen(answer), asked))
        assert answers[0][0][0] == 404
        assert all(answer == answers[0] for answer in answers)


def test_a_cursor_serves_only_the_person_and_the_list_that_it_was_made_for(
    place: Place, tmp_path: Path
) -> None:
    world = place.world
    for number in range(3):
        world.deposited(label="NATO RESTRICTED", title=f"Number {number}")
    page = ask(world, "official", "GET", "/documents?limit=1").json["next"]
    log = ask(world, "auditor", "GET", "/audit/records?limit=1").json["next"]
    forged = ask(world, "restricted", "GET", "/documents?cursor=AAAA")
    assert forged.status_code == 400
    for cursor in (page, log, page[:-2], page + "A", ABSENT):
        refused = ask(world, "restricted", "GET", f"/documents?limit=1&cursor={cursor}")
        assert seen(refused) == seen(forged)


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "PUT"])
def test_requests_that_are_refused_for_what_they_are_answer_alike_for_every_id(
    place: Place, method: str
) -> None:
    answers = [seen(ask(place.world, "other", method, f"/documents/{i}")) for i in (place.hidden, ABSENT)]
    empty = [
        seen(ask(place.world, "other", "PUT", f"/documents/{i}/content")) for i in (place.hidden, ABSENT)
    ]
    assert answers[0] == answers[1]
    assert empty[0] == empty[1]


def test_readers_of_another_programme_see_nothing_in_any_list(place: Place) -> None:
    for who in ("other", "ended"):
        assert ask(place.world, who, "GET", "/documents").json == {"items": [], "next": None}
        assert place.hidden not in ask(place.world, who, "GET", "/programmes").get_data(as_text=True)
