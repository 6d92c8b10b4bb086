"""Questions that cannot be answered: refused with a reason and a record, never a fault of the portal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.portal.attack import end_grant, open_copy, recorded
from tests.portal.worlds import World

HUGE = "9" * 5000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("questions") / "data")
    copy.deposited(b"0123456789", label="NATO RESTRICTED")
    end_grant(copy, "memberships", "other", hours=-1)
    yield copy
    copy.runtime.close()


def refused(world: World, who: str, path: str, status: int = 400, **body: Any) -> dict[str, Any]:
    """Ask; return the problem after looking that it was recorded as this person's, once."""
    with recorded(world) as records:
        answer = world.client.open(
            f"/api/v1{path}", method="POST" if body else "GET", headers=world.headers(who), **body
        )
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    assert [(r["decision"], r["actor"]) for r in records] == [("deny", world.people[who])]
    problem: dict[str, Any] = answer.json
    return problem


BAD_BODIES = {
    "nothing": b"",
    "not-json": b"q=harbour",
    "half": b'{"q": "har',
    "not-utf8": b'{"q": "\xff\xfe"}',
    "list": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "deep-object": b'{"q":' * 50_000,
    "no-words": b'{"programme": ""}',
    "empty-words": b'{"q": ""}',
    "words-as-number": b'{"q": 7}',
    "words-as-list": b'{"q": ["a"]}',
    "huge-number": b'{"q": "a", "limit": ' + HUGE.encode() + b"}",
    "limit-0": b'{"q": "a", "limit": 0}',
    "limit-201": b'{"q": "a", "limit": 201}',
    "limit-true": b'{"q": "a", "limit": true}',
    "limit-half": b'{"q": "a", "limit": 1.5}',
    "sort": b'{"q": "a", "sort": "title"}',
    "sort-surrogate": b'{"q": "a", "sort": "\\ud800"}',
    "label-surrogate": b'{"q": "a", "label": "<\\ud800"}',
    "label-as-object": b'{"q": "a", "label": {"marking": "NATO SECRET"}}',
    "cursor": b'{"q": "a", "cursor": "AAAA"}',
    "cursor-surrogate": b'{"q": "a", "cursor": "\\ud800"}',
    "long": b'{"q": "%s"}' % (b"a" * 201),
    "cursor-as-number": b'{"q": "a", "cursor": 1}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_search_that_is_none_is_refused(world: World, body: bytes) -> None:
    refused(world, "official", "/documents/search", data=body, content_type="application/json")


def test_words_that_are_half_characters_find_nothing(world: World) -> None:
    for words in ("\ud800", "\x00", "a" * 200, "' OR 1=1 --", "%", "*", '"'):
        answer = world.client.post(
            "/api/v1/documents/search", json={"q": words}, headers=world.headers("official")
        )
        assert (answer.status_code, answer.json["items"]) == (200, []), words


BAD_LISTS = (
    "q=harbour",
    "q=",
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=abc",
    "limit=1.5",
    "limit=1e2",
    f"limit={HUGE}",
    "limit=%00",
    "sort=title",
    "sort=--created",
    "sort=created;DROP TABLE documents",
    "sort=%00",
    "cursor=AAAA",
    "cursor=%C3%A9",
    "cursor=..%2F..",
    f"cursor={HUGE}",
    "label=NATO%20MOSTLY%20HARMLESS",
    "label=%3C",
    "label=SECRET",
)


@pytest.mark.parametrize("query", BAD_LISTS)
@pytest.mark.parametrize("who", ["official", "other"])
def test_a_list_that_is_none_is_refused_to_everybody_alike(world: World, who: str, query: str) -> None:
    assert (
        refused(world, who, f"/documents?{query}")["detail"]
        == (refused(world, "official", f"/documents?{query}")["detail"])
    )


def test_a_cursor_of_another_order_is_refused(world: World) -> None:
    world.deposited(label="NATO RESTRICTED")
    cursor = world.get("/documents?sort=size&limit=1", "official").json["next"]
    refused(world, "official", f"/documents?sort=created&cursor={cursor}")
    assert world.get(f"/documents?sort=size&limit=1&cursor={cursor}", "official").status_code == 200


BAD_RECORDS = (
    "from=yesterday",
    "from=2026-11-24",
    "from=2026-11-24T12:00:00",
    "from=2026-13-45T99:00:00Z",
    "from=0001-01-01T00:00:00%2B14:00",
    "to=9999-12-31T23:59:59-14:00",
    f"to={HUGE}",
    "from=%00",
    "decision=maybe",
    "action=document.steal",
    "person=not%20an%20id",
    "document=%2E%2E%2F",
    "programme=%00",
    "organisation=" + "a" * 200,
    "label=%01",
    "label=" + "a" * 2000,
    "cursor=AAAA",
    "limit=0",
    "limit=201",
    "limit=abc",
)


@pytest.mark.parametrize("query", BAD_RECORDS)
def test_a_filter_of_the_log_that_is_none_is_refused(world: World, query: str) -> None:
    refused(world, "auditor", f"/audit/records?{query}")


@pytest.mark.parametrize("query", ["format=pdf", "format=%00", "format=", *BAD_RECORDS[:16]])
def test_an_export_that_is_none_is_refused(world: World, query: str) -> None:
    refused(world, "auditor", f"/audit/export?{query}")


@pytest.mark.parametrize("number", ["999999", "9" * 30])
def test_a_record_that_does_not_exist_is_not_found(world: World, number: str) -> None:
    refused(world, "auditor", f"/audit/records/{number}", 404)


@pytest.mark.parametrize(
    "path", ["/audit/records/-1", "/audit/records/x", f"/audit/records/{HUGE}", "/nowhere"]
)
def test_an_address_that_is_none_is_not_found(world: World, path: str) -> None:
    refused(world, "auditor", path, 404)


@pytest.mark.parametrize("query", ["", "id=", "&".join(f"id={number}" for number in range(501))])
def test_a_zip_of_nothing_or_of_too_much_is_refused(world: World, query: str) -> None:
    with recorded(world) as records:
        answer = world.get(f"/documents.zip?{query}", "official")
    assert answer.status_code == (404 if query == "id=" else 400)
    assert [record["decision"] for record in records] == ["deny"]


@pytest.mark.parametrize("path", ["/audit/records", "/audit/records/0", "/audit/export"])
@pytest.mark.parametrize("who", ["partner", "official", "officer", "administrator"])
def test_the_log_is_for_auditors(world: World, who: str, path: str) -> None:
    assert refused(world, who, path, 403)["rules"] == ["role-permits"]


def test_a_method_that_an_address_does_not_take_is_told_with_those_that_it_does(world: World) -> None:
    answer = world.client.delete("/api/v1/documents", headers=world.headers("partner"))
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}
    assert answer.mimetype == "application/problem+json"
