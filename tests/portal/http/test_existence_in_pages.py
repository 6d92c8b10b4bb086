"""No page tells a document out of reach from one that does not exist."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.portal import factories
from tests.portal.attack import NOT_IDS, Browser, end_grant, open_copy, queries, recorded, seen
from tests.portal.worlds import BEGINNING, World

ABSENT = "6e4f4b0e-3a3c-4c53-9d1c-1f1f6a0a5b0e"


@dataclass(frozen=True)
class Place:
    world: World
    hidden: str
    browsers: dict[str, Browser]
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    world = open_copy(tmp_path_factory.mktemp("pages") / "data")
    database = world.runtime.database
    person = factories.add_person(database, world.organisation, name="Ended", email="ended@org.example")
    factories.add_role(database, person, "official", start=BEGINNING)
    factories.add_membership(database, person, world.programme, start=BEGINNING)
    levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
    factories.add_clearance(database, person, levels, {"Context": ["NATO"]}, start=BEGINNING)
    world.people["ended"] = person
    hidden = world.deposited(b"0123456789", title="Hidden Harbour")
    end_grant(world, "memberships", "ended", hours=-1)
    people = ("other", "restricted", "ended", "auditor", "administrator", "officer")
    browsers = {who: Browser.of(world, who) for who in people}
    tokens = {who: browser.token() for who, browser in browsers.items()}
    yield Place(world, hidden, browsers, tokens)
    world.runtime.close()


def upload(browser: Browser, token: str, path: str) -> TestResponse:
    form = {"csrf_token": token, "file": (io.BytesIO(b"x"), "x.txt")}
    return browser.client.post(path, data=form, buffered=True)


Door = Callable[[Browser, str, str], TestResponse]
READING: dict[str, Door] = {
    "page": lambda b, t, i: b.get(f"/documents/{i}"),
    "head": lambda b, t, i: b.client.head(f"/documents/{i}"),
    "version": lambda b, t, i: b.get(f"/documents/{i}/versions/1"),
    "no-such-version": lambda b, t, i: b.get(f"/documents/{i}/versions/9"),
    "content": lambda b, t, i: b.get(f"/documents/{i}/versions/1/content"),
    "view": lambda b, t, i: b.get(f"/documents/{i}/versions/1/view"),
    "range": lambda b, t, i: b.get(f"/documents/{i}/versions/1/view", headers={"Range": "bytes=0-1"}),
    "receipt": lambda b, t, i: b.get(f"/documents/{i}/versions/1/receipt"),
    "binding": lambda b, t, i: b.get(f"/documents/{i}/versions/1/binding"),
    "zip": lambda b, t, i: b.client.post(
        "/documents/download", data={"csrf_token": t, "id": i.replace("%00", "\x00")}, buffered=True
    ),
}
SENDING: dict[str, Door] = {
    "send": lambda b, t, i: b.get(f"/documents/{i}/send"),
    "receive": lambda b, t, i: upload(b, t, f"/documents/{i}/send"),
}
CASES = [(name, who) for name in READING for who in ("other", "restricted", "ended")]
CASES += [(name, "other") for name in SENDING]


def told(place: Place, door: str, who: str, document: str) -> tuple[Any, list[str], list[Any]]:
    with queries(place.world) as asked, recorded(place.world) as records:
        answer = {**READING, **SENDING}[door](place.browsers[who], place.tokens[who], document)
    body = seen(answer)
    # A page's address may be in it (where it is asked for again): that is the person's own question.
    return (body[0], body[1], body[2].replace(document.encode(), b"")), asked, records


@pytest.mark.parametrize(("door", "who"), CASES)
def test_absent_malformed_and_out_of_reach_are_one(place: Place, door: str, who: str) -> None:
    # What a person holds is read with their first request, and only asked about with the next.
    told(place, door, who, ABSENT)
    absent, asked, records = told(place, door, who, ABSENT)
    assert absent[0] == 404
    assert [record["decision"] for record in records] == ["deny"]
    for document in (place.hidden, *(name for name in NOT_IDS if len(name) < 100)):
        same, also_asked, also_recorded = told(place, door, who, document)
        assert same == absent, document
        assert also_asked == asked, document
        assert [(r["action"], r["decision"]) for r in also_recorded] == [
            (r["action"], r["decision"]) for r in records
        ]


@pytest.mark.parametrize("who", ["auditor", "administrator", "officer"])
@pytest.mark.parametrize("door", [*READING, *SENDING])
def test_other_roles_are_refused_before_any_document_is_looked_for(place: Place, door: str, who: str) -> None:
    answers = [told(place, door, who, document) for document in (ABSENT, place.hidden, "not-an-id")]
    assert answers[0][0][0] == 403
    for answer, asked, _ in answers:
        assert (answer, asked) == answers[0][:2]
        assert not any("documents" in statement for statement in asked)


@pytest.mark.parametrize("who", ["other", "restricted", "ended"])
def test_no_list_filter_count_or_choice_names_what_is_out_of_reach(place: Place, who: str) -> None:
    browser, token = place.browsers[who], place.tokens[who]
    found = browser.client.post("/documents/search", data={"csrf_token": token, "q": "Hidden"})
    pages = [browser.get("/documents"), browser.get(found.headers["Location"])]
    for page in pages:
        assert page.status_code == 200
        text = page.get_data(as_text=True)
        assert "Hidden Harbour" not in text
        assert place.hidden not in text
        assert who == "other" or "NATO SECRET" not in text


def test_a_zip_with_a_hidden_id_is_offered_without_it_and_equals_that(place: Place) -> None:
    mine = place.world.deposited(b"mine", label="NATO RESTRICTED", name="mine.txt")
    browser, token = place.browsers["restricted"], place.tokens["restricted"]

    def zipped(*ids: str, **more: str) -> Any:
        form = {"csrf_token": token, "id": list(ids), **more}
        return seen(browser.client.post("/documents/download", data=form, buffered=True))

    assert zipped(mine)[0] == 200
    refused = zipped(mine, place.hidden)
    assert refused == zipped(mine, ABSENT) == zipped("not-an-id", mine)
    assert refused[0] == 404
    left = zipped(mine, place.hidden, leave_out="1")
    assert left == zipped(mine) == zipped(ABSENT, mine, "not-an-id", leave_out="1")


def test_the_words_of_a_search_are_in_no_address(place: Place) -> None:
    browser, token = place.browsers["other"], place.tokens["other"]
    found = browser.client.post("/documents/search", data={"csrf_token": token, "q": "Secret words"})
    assert found.status_code == 303
    assert "ecret" not in found.headers["Location"]


def test_a_search_token_of_somebody_else_is_refused(place: Place) -> None:
    browser, token = place.browsers["other"], place.tokens["other"]
    found = browser.client.post("/documents/search", data={"csrf_token": token, "q": "words"})
    for address in (found.headers["Location"], "/documents?q=AAAA", "/documents?q=%00"):
        assert place.browsers["restricted"].get(address).status_code == 400


def test_a_foreign_programme_lists_as_one_that_does_not_exist(place: Place) -> None:
    foreign = factories.add_programme(place.world.runtime.database, place.world.organisation, "Another")
    answers = []
    for programme in (foreign, ABSENT, "not-an-id"):
        with recorded(place.world) as records:
            answers.append(seen(place.browsers["other"].get(f"/documents?programme={programme}")))
        assert [(r["action"], r["decision"]) for r in records] == [("document.list", "deny")]
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
