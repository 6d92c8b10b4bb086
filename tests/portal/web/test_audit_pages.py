"""The auditor's pages over HTTP, on a whole installation."""

from __future__ import annotations

import hashlib
import html
import json
import re

import pytest
from sqlalchemy import event, text

from portal.audit import Event
from tests.portal import factories
from tests.portal.web.auditors import auditor, document, entries, world
from tests.portal.web.visitors import Visitor, doors_of, links_of, sign_in, text_of
from tests.portal.worlds import ABSENT, World

__all__ = ["auditor", "document", "world"]


# The timeline


def test_an_intent_and_its_outcome_are_one_entry(world: World, auditor: Visitor, document: str) -> None:
    page = auditor.get(f"/audit?last=all&document={document}&action=document.read&decision=permit")
    intents = world.records(action="document.read", document=document, decision="permit")
    shown = entries(page.text)
    assert len(shown) == len(intents) == 3
    last = intents[-1]
    end = next(one for one in world.records(action="document.read") if one.get("completes") == last["seq"])
    assert f"Restricted downloaded document {document[:8]}" in shown[0]
    assert "Complete · 11 bytes handed over · version 1" in shown[0]
    assert f"Entry {last['seq']:,} ended in {end['seq']:,}" in shown[0]
    assert "NATO RESTRICTED" in shown[0]


def test_a_refusal_says_why_in_words_and_no_rule_by_its_id(auditor: Visitor, document: str) -> None:
    page = auditor.get(f"/audit?document={document}&decision=deny")
    [shown] = entries(page.text)
    assert f"Other was refused permission to download document {document[:8]}" in shown
    assert "Not released to their organisation" in shown
    assert "releasable" not in shown
    assert 'class="entry refused"' in page.text


def test_routine_entries_are_left_out_until_asked_for_and_refusals_never(
    world: World, auditor: Visitor
) -> None:
    world.get("/documents", "official")
    world.get("/audit/records", "official")
    plain = auditor.get("/audit")
    assert "Auditor signed in" not in text_of(plain)
    assert "looked at a list of documents" not in text_of(plain)
    assert "Official was refused permission to look at the access log" in text_of(plain)
    assert "are left out; refusals never are" in text_of(plain)
    [show] = links_of(plain, "Show them")
    full = auditor.get(show)
    assert "Auditor signed in" in text_of(full)
    assert "Official looked at a list of documents" in text_of(full)
    assert auditor.get(links_of(full, "Leave them out")[0]).status_code == 200
    asked = auditor.get("/audit?action=session.open")
    assert "Auditor signed in" in text_of(asked)


def test_an_intent_without_an_end_reads_as_uncertain(world: World, auditor: Visitor, document: str) -> None:
    receipt = world.runtime.log.append(
        Event(
            "document.read", actor=world.people["official"], document=document, decision="permit", version=1
        )
    )
    page = auditor.get("/audit?decision=unsure")
    assert any("began to download" in one and "read it as disclosed" in one for one in entries(page.text))
    assert 'class="entry unsure"' in page.text
    health = auditor.get("/audit/health")
    assert f"the oldest is entry {receipt.seq:,}" in text_of(health)
    assert "Uncertain 1 read as disclosed" in text_of(auditor.get(f"/audit/documents/{document}"))
    world.runtime.log.append(
        Event(
            "document.read",
            actor=world.people["official"],
            document=document,
            version=1,
            completes=receipt.seq,
            outcome="unknown",
        )
    )
    again = auditor.get("/audit?decision=unsure")
    assert "Closed without a known end: read it as disclosed" in text_of(again)


def test_a_look_is_one_leaf_with_what_it_showed(world: World, auditor: Visitor) -> None:
    before = world.runtime.log.size()
    page = auditor.get("/audit?last=all")
    shown = re.findall(r'<span class="visually-hidden">Entry </span>([\d,]+)', page.text)
    numbers = "\n".join(one.replace(",", "") for one in shown)
    [look] = [world.runtime.log.record(seq).fields for seq in range(before, world.runtime.log.size())]
    assert look["action"] == "log.search"
    assert look["details"]["shown_digest"] == hashlib.sha256(numbers.encode()).hexdigest()


def test_pages_follow_by_key_and_lose_nothing(world: World, auditor: Visitor) -> None:
    seen: list[str] = []
    url = "/audit?last=all&limit=7&routine=1"
    whole = len(entries(auditor.get("/audit?last=all&limit=200&routine=1").text))
    while url:
        page = auditor.get(url)
        seen += re.findall(r'<span class="visually-hidden">Entry </span>([\d,]+)', page.text)
        url = (links_of(page, "Older") or [""])[0] and links_of(page, "Older")[0] + "&limit=7"
    assert len(set(seen)) == len(seen) >= whole
    assert links_of(page, "Back to newest")


@pytest.mark.usefixtures("document")
def test_the_chart_has_a_table_with_the_same_figures_that_leads_to_each_period(auditor: Visitor) -> None:
    page = auditor.get("/audit?last=24h")
    accesses = int(re.search(r"([\d,]+) access(?:es)?", page.text)[1].replace(",", ""))  # type: ignore[index]
    cells = re.findall(r'<tr><th scope="row" class="num">.*?<td class="end num">([\d,]+)</td>', page.text)
    assert sum(int(one.replace(",", "")) for one in cells) == accesses > 0
    hour = auditor.get(
        html.unescape(re.findall(r'<th scope="row" class="num"><a href="([^"]+)"', page.text)[-1])
    )
    assert "Your period" in text_of(hour)
    assert "Remove filter: time" in hour.text


def test_an_empty_period_and_a_filter_that_nothing_meets_say_so(auditor: Visitor) -> None:
    quiet = auditor.get("/audit?from=2020-01-01&to=2020-01-02")
    assert "Nothing matches" in text_of(quiet)
    nothing = auditor.get(f"/audit?person={ABSENT}")
    assert "Nothing matches" in text_of(nothing)
    assert "/audit?last=all" in links_of(nothing, "Clear filters")


# One entry


def test_an_entry_shows_its_exact_bytes_hash_and_proof(world: World, auditor: Visitor, document: str) -> None:
    world.runtime.log.checkpoint()
    record = world.records(action="document.read", document=document, decision="permit")[0]
    leaf = world.runtime.log.record(record["seq"]).leaf
    page = auditor.get(f"/audit/entries/{record['seq']}")
    assert html.unescape(re.search(r'<pre class="record"[^>]*>(.*?)</pre>', page.text)[1]).encode() == leaf  # type: ignore[index]
    assert (
        f'data-copy="{html.escape(leaf.decode()).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}"'
        in page.text
    )
    digest = hashlib.sha256(b"\0" + leaf).hexdigest()
    assert f'data-copy="{digest}"' in page.text
    assert "Proof verified" in text_of(page)
    assert f"Official downloaded document {document[:8]}" in text_of(page)
    assert record["session"] in page.text
    assert "a password and a second factor" in text_of(page)


def test_an_intent_and_its_outcome_lead_to_each_other(world: World, auditor: Visitor, document: str) -> None:
    end = next(one for one in world.records(action="document.read", document=document) if "completes" in one)
    intent = end["completes"]
    assert f"/audit/entries/{end['seq']}" in links_of(auditor.get(f"/audit/entries/{intent}"), "entry")
    page = auditor.get(f"/audit/entries/{end['seq']}")
    assert f"This record states the end of entry {intent:,}" in text_of(page)
    assert f"/audit/entries/{intent}" in links_of(page, "entry")


def test_neighbours_of_the_same_person_and_document_are_one_click_away(
    world: World, auditor: Visitor, document: str
) -> None:
    about = [one["seq"] for one in world.records(document=document)]
    page = auditor.get(f"/audit/entries/{about[1]}")
    assert f"Of this document: record 2 of {len(about)}" in text_of(page)
    assert f"/audit/entries/{about[0]}" in links_of(page, "The one before")
    assert f"/audit/entries/{about[2]}" in links_of(page, "The next one")


def test_an_entry_that_no_checkpoint_covers_says_so_and_one_that_is_not_there_is_no_page(
    world: World, auditor: Visitor
) -> None:
    seq = world.runtime.log.append(Event("portal.stop")).seq
    page = auditor.get(f"/audit/entries/{seq}")
    assert "Waits for the next checkpoint" in text_of(page)
    assert "The portal stopped" in text_of(page)
    assert auditor.get("/audit/entries/99999999").status_code == 404


# Tracing


def test_a_document_shows_who_has_seen_it_and_never_its_title(
    world: World, auditor: Visitor, document: str
) -> None:
    page = auditor.get(f"/audit/documents/{document}")
    told = text_of(page)
    assert f"Who has seen {document[:8]}" in told
    assert "NATO RESTRICTED" in told
    assert "Sarrazin" in told
    assert "Harbour Shield" in told
    assert "People who read it 2 in 1 organisation" in told
    assert "Official Programme Office" in told
    assert "Other Other Company" in told
    assert "Version 1 Text · 11 bytes" in told
    assert "radar" not in page.text
    assert "deliverable.txt" not in page.text
    [look] = world.records(action="log.search", document=None)[-1:]
    assert look["details"]["document"] == document


def test_a_person_shows_what_they_did_read_and_were_refused(
    world: World, auditor: Visitor, document: str
) -> None:
    told = text_of(auditor.get(f"/audit/people/{world.people['other']}"))
    assert "Other Company" in told
    assert "Refusals of documents 1 1 document" in told
    assert "They have read no document" in told
    reader = auditor.get(f"/audit/people/{world.people['official']}")
    assert f"{document[:8]} Sarrazin · Harbour Shield NATO RESTRICTED" in text_of(reader)
    assert f"/audit?last=all&person={world.people['official']}&document={document}" in links_of(
        reader, "Entries"
    )


def test_people_and_documents_are_listed_the_latest_first(
    world: World, auditor: Visitor, document: str
) -> None:
    world.get(f"/documents/{document}", "restricted")
    people = auditor.get("/audit/people?limit=1")
    assert "Restricted" in text_of(people)
    following = auditor.get(links_of(people, "Earlier")[0])
    assert "Official" in text_of(following)
    assert document[:8] in text_of(auditor.get("/audit/documents"))


@pytest.mark.parametrize("room", ["people", "documents"])
def test_what_nothing_speaks_of_is_not_found(auditor: Visitor, room: str) -> None:
    assert auditor.get(f"/audit/{room}/{ABSENT}").status_code == 404


def test_search_leads_straight_to_the_one_thing_that_is_meant(
    world: World, auditor: Visitor, document: str
) -> None:
    for words, place in (
        ("restricted", f"/audit/people/{world.people['restricted']}"),
        (document, f"/audit/documents/{document}"),
        ("1,0", None),
        ("Other", f"/audit/people/{world.people['other']}"),
    ):
        sought = auditor.post("/audit/find", q=words)
        assert words not in sought.location
        answer = auditor.get(sought.location)
        if place is not None:
            assert (answer.status_code, answer.location) == (302, place)
    assert auditor.get(auditor.post("/audit/find", q="7").location).location == "/audit/entries/7"
    several = auditor.get(auditor.post("/audit/find", q="OFFICER").location)
    assert "Officer One Programme Office" in text_of(several)
    nothing = auditor.get(auditor.post("/audit/find", q="xyzzy").location)
    assert "Nothing matches" in text_of(nothing)
    assert auditor.post("/audit/find", q=" ").location == "/audit/people"
    found = world.records(action="log.search")[-1]
    assert (found["details"]["filters"], "query" in found["commitments"]) == (["find"], True)


# Export and health


def test_an_export_says_what_it_holds_and_holds_that(world: World, auditor: Visitor, document: str) -> None:
    offer = auditor.get(f"/audit/export?document={document}&decision=permit&last=all")
    told = text_of(offer)
    count = int(re.search(r"Records ([\d,]+) as of", told)[1])  # type: ignore[index]
    assert f"Document {document[:8]}" in told
    assert "Decision permitted" in told
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', offer.text))
    lines = auditor.client.get(
        "/audit/export/download", query_string={**fields, "format": "jsonl"}
    ).data.splitlines()
    assert json.loads(lines[-1])["footer"]["records"] == len(lines) - 1 == count
    intent, end = world.records(action="log.export")[-2:]
    assert (intent["details"]["document"], end["outcome"]) == (document, "complete")
    whole = text_of(auditor.get("/audit/export"))
    assert "none: the whole log" in whole
    relative = auditor.get("/audit/export?last=24h")
    assert re.search(r'name="from" value="20\d\d-', relative.text)
    assert "is not a filter of exports" in text_of(auditor.get("/audit/export?decision=unsure"))


def test_health_says_what_is_signed_and_what_does_not_hold(world: World, auditor: Visitor) -> None:
    size = world.runtime.log.checkpoint().size
    told = text_of(auditor.get("/audit/health"))
    assert "Signed and anchored" in told
    assert f"{size:,} of " in told
    assert f"holds checkpoint {size:,}" in told
    anchor = world.runtime.settings.anchor_file
    kept = anchor.read_bytes()
    anchor.unlink()
    try:
        assert "The log's anchor is missing" in text_of(auditor.get("/audit/health"))
        anchor.write_bytes(kept.replace(b"\n\n", b"\n\nx", 1))
        assert "The log does not hold" in text_of(auditor.get("/audit"))
    finally:
        anchor.write_bytes(kept)


# What holds for all of them


def test_no_page_asks_the_database_more_than_twelve_times(
    world: World, auditor: Visitor, document: str
) -> None:
    statements: list[str] = []
    engine = world.runtime.database.engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        for path in (
            "/audit?last=all&limit=200&routine=1",
            f"/audit/documents/{document}",
            f"/audit/people/{world.people['official']}",
            "/audit/people",
            "/audit/documents",
            "/audit/entries/30",
            "/audit/export",
            "/audit/health",
            "/audit/filter",
        ):
            statements.clear()
            assert auditor.get(path).status_code == 200
            assert len(statements) <= 12, (path, statements)
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_no_other_role_enters(world: World) -> None:
    official = sign_in(world, "official")
    for method, path in doors_of(world, "audit"):
        there = path.replace("<int:seq>", "0")
        answer = official.client.open(there, method=method, data={"csrf_token": official.token})
        assert answer.status_code == 403, (method, path)


def test_a_forged_name_closes_no_page_and_is_reported(world: World, auditor: Visitor) -> None:
    person = factories.add_person(
        world.runtime.database, world.company, name="Forged", email="forged@org.example", nation="FRA"
    )
    world.runtime.log.append(Event("document.list", actor=person, decision="deny", rule="role-permits"))
    with world.runtime.database.engine.begin() as connection:
        connection.execute(text("UPDATE people SET nation = 'BEL' WHERE id = :id"), {"id": person})
    page = auditor.get("/audit")
    assert page.status_code == 200
    assert f"somebody whose name is gone ({person[:8]})" in text_of(page)
    assert world.records(action="tamper.detected")[-1]["details"]["row"] == person


def test_a_record_that_was_altered_fails_its_proof(world: World, auditor: Visitor) -> None:
    seq = world.runtime.log.append(Event("portal.tidied", details={"objects": 1})).seq
    world.runtime.log.checkpoint()
    engine = world.runtime.log_engine
    with engine.begin() as connection:
        kept = connection.execute(text("SELECT leaf FROM leaves WHERE seq = :seq"), {"seq": seq}).scalar_one()

        def put(leaf: bytes) -> None:
            connection.execute(text("DROP TRIGGER IF EXISTS leaves_no_update"))
            connection.execute(
                text("UPDATE leaves SET leaf = :leaf WHERE seq = :seq"), {"leaf": leaf, "seq": seq}
            )

        put(kept.replace(b'"objects":1', b'"objects":2'))
    page = auditor.get(f"/audit/entries/{seq}")
    assert "Proof fails" in text_of(page)
    assert "Its bytes do not lead to the signed root" in text_of(page)
