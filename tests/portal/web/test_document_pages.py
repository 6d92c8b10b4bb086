"""Documents in the browser over HTTP: the list and what stands around it, one document, its denial, its receipt."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.portal import factories
from tests.portal.attack import Browser, clock_of, open_copy, queries, recorded
from tests.portal.web.visitors import links_of, text_of
from tests.portal.worlds import ABSENT, BEGINNING, World

HOUR = timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    copy = open_copy(tmp_path / "data")
    yield copy
    copy.runtime.close()


def later(world: World, **period: float) -> None:
    clock_of(world).move(**(period or {"hours": 1}))


def titles(page: TestResponse) -> list[str]:
    return re.findall(r'class="doc-title" href="[^"]+"><bdi>([^<]+)</bdi>', page.text)


def chips(page: TestResponse) -> dict[str, str]:
    """Return the filters of a list, each with the address that it is removed by."""
    found = re.findall(r'<span class="chip">(\w+) <b>.*?</b><a href="([^"]+)"', page.text)
    return {name: url.replace("&amp;", "&") for name, url in found}


# What is new


def test_what_came_since_the_last_visit_is_new_and_counted(world: World) -> None:
    world.deposited(title="Known")
    later(world)
    Browser.of(world, "official").get("/documents")
    later(world)
    world.deposited(title="Fresh", label="NATO RESTRICTED")
    later(world)
    official = Browser.of(world, "official")
    page = official.get("/documents")
    assert "2 you may read in 1 programme. 1 is new since today" in text_of(page)
    assert 'New for me <span class="n">1</span>' in page.text
    assert "1 new" in page.text
    assert re.findall(r'class="is-new">.*?<bdi>(\w+)</bdi>', page.text, re.DOTALL) == ["Fresh"]
    assert titles(official.get("/documents?view=new")) == ["Fresh"]


def test_how_much_is_new_stands_beside_documents_on_every_page(world: World) -> None:
    Browser.of(world, "official").get("/documents")
    later(world)
    world.deposited(label="NATO RESTRICTED")
    later(world)
    official = Browser.of(world, "official")
    for path in ("/documents", "/documents?view=new", "/help", "/instructions"):
        assert re.search(r'Documents <span class="n">1 new</span>', official.get(path).text), path
    with recorded(world) as records:
        official.get("/help")
    assert records == []


def test_what_is_new_stays_new_for_the_whole_session(world: World) -> None:
    Browser.of(world, "official").get("/documents")
    later(world)
    world.deposited()
    later(world)
    official = Browser.of(world, "official")
    for _ in range(3):
        assert "1 is new since" in text_of(official.get("/documents"))
        later(world, minutes=5)


def test_a_first_visit_calls_nothing_new(world: World) -> None:
    world.deposited()
    page = Browser.of(world, "official").get("/documents?view=new")
    assert "1 you may read in 1 programme." in text_of(page)
    assert "new since" not in page.text
    assert "is-new" not in page.text
    assert titles(page) == ["A deliverable"]


def test_looking_at_the_list_writes_one_record_and_nothing_else(world: World) -> None:
    official = Browser.of(world, "official")
    official.get("/documents")
    with recorded(world) as records:
        official.get("/documents?view=new")
    [record] = records
    assert record["action"] == "document.list"


# Filters, sorting, pages


def test_each_filter_has_a_chip_that_removes_it_alone(world: World) -> None:
    world.deposited(title="Harbour plan", label="NATO RESTRICTED")
    official = Browser.of(world, "official")
    answer = official.post(
        "/documents/filter",
        {
            "programme": world.programme,
            "label": "NATO RESTRICTED",
            "by": world.company,
            "since": "2020-01-01",
            "sort": "size",
        },
    )
    assert answer.status_code == 303
    page = official.get(answer.location)
    assert titles(page) == ["Harbour plan"]
    removing = chips(page)
    assert set(removing) == {"Programme", "Label", "From", "Received"}
    for name in removing:
        assert set(chips(official.get(removing[name]))) == set(removing) - {name}
        assert "sort=size" in removing[name]


def test_sorting_by_a_column_keeps_the_filters_and_turns_round(world: World) -> None:
    for size in (3, 1, 2):
        world.deposited(b"x" * size, title=f"Of {size}", label="NATO RESTRICTED")
    official = Browser.of(world, "official")
    [url] = links_of(official.get("/documents?label=NATO+RESTRICTED"), "Size")
    page = official.get(url)
    assert titles(page) == ["Of 3", "Of 2", "Of 1"]
    assert "Label" in chips(page)
    [url] = links_of(page, "Size")
    page = official.get(url)
    assert titles(page) == ["Of 1", "Of 2", "Of 3"]
    assert 'aria-sort="ascending"' in page.text


def test_pages_say_where_one_is_and_how_many_there_are(world: World) -> None:
    for number in range(30):
        world.deposited(title=f"Document {number}")
    official = Browser.of(world, "official")
    page = official.get("/documents")
    assert "1\u201325 of 30" in page.text
    [older] = links_of(page, "Older")
    page = official.get(older)
    assert "26\u201330 of 30" in page.text
    assert not links_of(page, "Older")
    assert links_of(page, "Back to newest") == ["/documents"]
    assert 'class="n">30' in page.text


def test_counts_hold_only_what_one_may_read(world: World) -> None:
    world.deposited(title="Secret", label="NATO SECRET")
    world.deposited(title="Open", label="NATO RESTRICTED")
    page = Browser.of(world, "restricted").get("/documents")
    assert "1 you may read in 1 programme." in text_of(page)
    assert "1 of 1" in page.text
    assert "SECRET" not in page.text
    other = Browser.of(world, "other").get("/documents")
    assert "Nothing is open to you in" in text_of(other)
    assert "Sarrazin" not in other.text


def test_a_search_keeps_the_filters_and_its_words_out_of_addresses(world: World) -> None:
    world.deposited(title="Harbour plan", label="NATO RESTRICTED")
    world.deposited(title="Harbour secret", label="NATO SECRET")
    official = Browser.of(world, "official")
    answer = official.post("/documents/search", {"q": "harbour", "label": "NATO RESTRICTED", "sort": "size"})
    assert answer.status_code == 303
    assert "arbour" not in answer.location
    page = official.get(answer.location)
    assert titles(page) == ["Harbour plan"]
    assert set(chips(page)) == {"Title", "Label"}
    assert 'value="harbour"' in page.text
    assert 'name="label" value="NATO RESTRICTED"' in page.text
    empty = official.post("/documents/search", {"q": " ", "label": "NATO RESTRICTED"})
    assert empty.location == "/documents?label=NATO+RESTRICTED"


def test_a_settled_search_is_one_record_with_its_words_committed_only(world: World) -> None:
    world.deposited(title="Harbour plan")
    official = Browser.of(world, "official")
    token = official.post("/documents/search", {"q": "harbour"}).location
    with recorded(world) as records:
        official.client.get(token, headers={"HX-Request": "true"})
    [record] = records
    assert record["action"] == "document.search"
    assert "harbour" not in json.dumps(record, default=str).lower()


def test_nothing_that_matches_offers_the_whole_list(world: World) -> None:
    world.deposited()
    page = Browser.of(world, "official").get("/documents?since=2099-01-01")
    assert "Nothing matches" in text_of(page)
    assert links_of(page, "Clear filters") == ["/documents"]


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "\u0663"])
def test_a_day_that_is_none_is_refused_with_a_way_on(world: World, since: str) -> None:
    page = Browser.of(world, "official").get(f"/documents?since={since}")
    assert page.status_code == 400
    assert "The day cannot be read." in text_of(page)


def test_an_empty_portal_and_a_person_without_a_programme_are_told_what_comes_next(world: World) -> None:
    assert "What is open to you appears here." in text_of(Browser.of(world, "official").get("/documents"))
    database = world.runtime.database
    person = factories.add_person(database, world.company, name="New", email="new@org.example", nation="FRA")
    factories.add_role(database, person, "partner", start=BEGINNING)
    world.people["new"] = person
    new = Browser.of(world, "new")
    assert "Ask your security officer" in text_of(new.get("/documents"))
    assert "You are in no programme yet." in text_of(new.get("/deliveries"))
    assert "You are in no programme yet" in text_of(new.get("/send"))


def test_many_programmes_are_found_by_a_part_of_the_name(world: World) -> None:
    database = world.runtime.database
    for number in range(60):
        other = factories.add_programme(database, world.organisation, f"Numbered {number:02}")
        factories.add_membership(database, world.people["official"], other, start=BEGINNING)
    world.deposited()
    official = Browser.of(world, "official")
    page = official.get("/documents")
    assert 'name="programme_name"' in page.text
    assert "Numbered 59" not in page.text
    found = official.post("/documents/programmes", {"words": "number 4"})
    assert found.json == {
        "names": ["Numbered 04", "Numbered 14", "Numbered 24", "Numbered 34"]
        + [f"Numbered {number}" for number in (*range(40, 50), 54)]
    }
    chosen = official.post("/documents/filter", {"programme_name": "numbered 07"})
    assert "umbered" not in chosen.location
    assert "Programme" in chips(official.get(chosen.location))
    several = official.post("/documents/filter", {"programme_name": "numbered"})
    assert several.status_code == 400
    assert "60 programmes have this in their name." in text_of(several)


# One document


def test_a_document_leads_back_to_the_list_that_one_came_from(world: World) -> None:
    document = world.deposited()
    official = Browser.of(world, "official")
    for came_from, back in (
        ("http://localhost/documents?sort=size&at=26", f"/documents?sort=size&amp;at=26#d-{document}"),
        ("http://localhost/documents", f"/documents#d-{document}"),
        ("https://elsewhere.example/documents?sort=size", "/documents"),
        ("http://localhost/documents/search", "/documents"),
        ("", "/documents"),
    ):
        page = official.get(f"/documents/{document}", headers={"Referer": came_from})
        assert f'<a href="{back}"><bdi>Documents</bdi></a>' in page.text, came_from


def test_a_document_says_why_it_opens_and_where_that_is_recorded(world: World) -> None:
    document = world.deposited(name="plan.txt")
    page = Browser.of(world, "official").get(f"/documents/{document}")
    entry = world.runtime.log.size() - 1
    said = text_of(page)
    assert "every rule that applies permits it" in said
    assert "You are a member of the programme." in said
    assert f"recorded as entry {entry:,}." in said
    assert "View and download allowed" in said
    assert "plan.txt" in said


def test_an_older_version_says_so_and_leads_to_the_newest(world: World) -> None:
    document = world.deposited(name="one.txt")
    answer = world.client.put(
        f"/api/v1/documents/{document}/content",
        data=b"Second",
        headers=world.headers("partner", **{"Content-Type": "application/octet-stream"}),
    )
    assert answer.status_code == 201
    page = Browser.of(world, "official").get(f"/documents/{document}/versions/1")
    assert "This is version 1 of 2." in text_of(page)
    assert links_of(page, "Open the newest version") == [f"/documents/{document}"]
    assert f"/documents/{document}/versions/1/content" in page.text


@pytest.mark.parametrize(
    "title",
    ["x" * 200, "\u05ea\u05d5\u05db\u05e0\u05d9\u05ea (2026)", "<script>alert(1)</script>", "A\u0301 & B"],
)
def test_any_title_stands_apart_from_the_text_around_it(world: World, title: str) -> None:
    document = world.deposited(title=title)
    partner = Browser.of(world, "partner")
    for path in (
        "/deliveries",
        "/documents",
        f"/documents/{document}",
        f"/documents/{document}/versions/1/receipt",
    ):
        page = partner.get(path)
        assert page.status_code == 200
        shown = re.findall(r"<bdi>(.*?)</bdi>", page.text)
        assert any(one.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for one in shown)
        assert "<script>alert" not in page.text


def cleared_until(world: World, period: timedelta) -> Browser:
    """Return the visit of an official whose clearance ends after this time, or ended before."""
    database, now = world.runtime.database, world.runtime.clock()
    person = factories.add_person(
        database, world.organisation, name="Lapsed", email="lapsed@org.example", nation="FRA"
    )
    factories.add_role(database, person, "official", start=BEGINNING)
    factories.add_membership(database, person, world.programme, start=BEGINNING)
    factories.add_clearance(
        database, person, ("RESTRICTED",), {"Context": ["NATO"]}, start=BEGINNING, end=now + period
    )
    world.people["lapsed"] = person
    return Browser.of(world, "lapsed")


@pytest.mark.parametrize(
    ("days", "said"), [(-1, "Your clearance ended on"), (9, "Your clearance ends on"), (90, "")]
)
def test_the_list_says_that_a_clearance_has_ended_or_ends_soon(world: World, days: int, said: str) -> None:
    page = text_of(cleared_until(world, timedelta(days=days)).get("/documents"))
    assert said in page
    assert ("Ask your security officer" in page) == bool(said)


def test_a_denial_that_one_may_know_of_says_what_is_missing_and_what_to_do(world: World) -> None:
    document = world.deposited(label="NATO RESTRICTED", title="Harbour plan")
    lapsed = cleared_until(world, -HOUR)
    for path in ("", "/versions/1/content", "/versions/1/receipt"):
        page = lapsed.get(f"/documents/{document}{path}")
        said = text_of(page)
        entry = world.runtime.log.size() - 1
        assert page.status_code == 403
        assert "You cannot open this document today" in said
        assert "Your clearance ended on" in said
        assert "clearance-in-force" in said
        assert "The officer renews your clearance" in said
        assert f"entry {entry:,}" in said
        assert document in said
        assert "Harbour" not in page.text
        assert world.runtime.log.record(entry).fields["decision"] == "deny"


def test_out_of_reach_reads_like_absent(world: World) -> None:
    document = world.deposited()
    other = Browser.of(world, "other")
    beyond, absent = (text_of(other.get(f"/documents/{one}")) for one in (document, ABSENT))
    assert "There is no such document, or it is not open to you." in beyond
    assert re.sub("Number of this request: [0-9a-f-]+", "", beyond) == re.sub(
        "Number of this request: [0-9a-f-]+", "", absent
    )


# Receipts


def test_a_receipt_waits_for_a_checkpoint_and_is_then_proved(world: World) -> None:
    document = world.deposited()
    path = f"/documents/{document}/versions/1/receipt"
    partner = Browser.of(world, "partner")
    assert "Waits for the next checkpoint" in text_of(partner.get(path))
    assert partner.get(f"{path}.json").json["proof"] is None
    world.runtime.log.checkpoint()
    assert "Proof verified" in text_of(partner.get(path))
    answer = partner.get(f"{path}.json")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    receipt = answer.json
    assert receipt["document"] == document
    assert receipt["proof"]["checkpoint"].count("\n") >= 4


def test_a_version_that_is_not_there_has_no_receipt(world: World) -> None:
    document = world.deposited()
    page = Browser.of(world, "partner").get(f"/documents/{document}/versions/9/receipt")
    assert page.status_code == 404
    assert "This document has no version 9." in text_of(page)


# A partner's first page


def test_deliveries_say_who_opened_them_and_leave_colleagues_out(world: World) -> None:
    read, unread = world.deposited(title="Read"), world.deposited(title="Unread")
    for who in ("official", "partner"):
        world.get(f"/documents/{read}/content", who)
    world.get(f"/documents/{unread}/content", "partner")
    said = text_of(Browser.of(world, "partner").get("/deliveries"))
    assert "2 documents sent in 1 programme. Last opened by Programme Office, today" in said
    assert said.count("Not opened yet") == 1
    assert "Opened by Programme Office" in said
    assert "Official" not in said


# What pages cost


def test_no_page_of_partner_or_official_asks_more_than_twelve_queries_or_weighs_more_than_30_kb(
    world: World,
) -> None:
    for number in range(30):
        world.deposited(title=f"Interface control document, part {number}", label="NATO RESTRICTED")
    document = world.deposited()
    world.get(f"/documents/{document}/content", "official")
    for who, paths in {
        "official": ("/documents", "/documents?view=new&since=2020-01-01", f"/documents/{document}"),
        "partner": (
            "/deliveries",
            "/documents",
            "/send",
            f"/documents/{document}",
            f"/documents/{document}/send",
            f"/documents/{document}/versions/1/receipt",
        ),
    }.items():
        browser = Browser.of(world, who)
        browser.get("/documents")
        for path in paths:
            with queries(world) as asked:
                page = browser.get(path)
            assert page.status_code == 200
            selects = [one for one in asked if not one.startswith("BEGIN")]
            assert len(selects) <= 12, (path, selects)
            assert len(gzip.compress(page.data)) <= 30_000, path
