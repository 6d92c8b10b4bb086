"""The filter of the access log over HTTP: chips, names that become ids, and what cannot be read."""

from __future__ import annotations

import html
import re

import pytest

from tests.portal.web.auditors import auditor, document, fields_of, world
from tests.portal.web.visitors import Visitor, text_of
from tests.portal.worlds import World

__all__ = ["auditor", "document", "world"]


def test_every_filter_has_a_chip_that_takes_it_off(world: World, auditor: Visitor, document: str) -> None:
    person = world.people["official"]
    page = auditor.get(
        f"/audit?person={person}&document={document}&programme={world.programme}"
        f"&organisation={world.organisation}&action=document.read&decision=permit&label=NATO+RESTRICTED"
    )
    chips = re.findall(r'<span class="chip">(.*?)</span>', page.text)
    words = [" ".join(re.sub(r"<[^>]*>", " ", chip).split()) for chip in chips]
    assert words == [
        "Person Official",
        "Programme Harbour Shield",
        "Organisation Programme Office",
        f"Document {document[:8]}",
        "Action Downloads",
        "Decision permitted",
        "Label NATO RESTRICTED",
    ]
    removes = [html.unescape(re.search(r'href="([^"]+)"', chip)[1]) for chip in chips]  # type: ignore[index]
    for url in removes:
        assert len(re.findall('class="chip"', auditor.get(url).text)) == len(chips) - 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=yesterday", "This is not a time"),
        ("from=2026-11-24&to=2026-11-23", "The end is not after the beginning"),
        ("action=document.steal", "The log has no such action"),
        ("decision=perhaps", "Choose permitted, refused"),
        ("person=../etc", "This is not an id of the log"),
        ("last=century", "Choose one of the periods"),
        ("label=%00", "Write the marking"),
        ("from=0001-01-01T00:00%2B12:00", "This is not a time"),
    ],
)
def test_what_cannot_be_read_is_told_in_the_form_and_the_rest_kept(
    world: World, auditor: Visitor, query: str, words: str
) -> None:
    before = world.runtime.log.size()
    page = auditor.get(f"/audit?{query}&programme={world.programme}")
    assert page.status_code == 400
    assert words in text_of(page)
    assert fields_of(page.text)["programme"] == world.programme
    refused, offered = (
        world.runtime.log.record(seq).fields for seq in range(before, world.runtime.log.size())
    )
    assert (refused["action"], refused["details"]["problem"]) == ("request.refused", "invalid")
    assert (offered["action"], offered["details"]["filters"]) == ("log.search", ["offer"])


def test_a_person_is_chosen_by_name_and_no_address_carries_it(world: World, auditor: Visitor) -> None:
    filled = fields_of(auditor.get("/audit?last=24h&decision=permit").text)
    answer = auditor.post("/audit/filter", **{**filled, "who": "offícial"})
    assert answer.status_code == 303
    assert answer.location == f"/audit?last=24h&person={world.people['official']}&decision=permit"
    kept = fields_of(auditor.get(answer.location).text)
    assert (kept["who"], kept["person"]) == ("Official", world.people["official"])
    assert auditor.post("/audit/filter", **kept).location == answer.location
    assert "person" not in auditor.post("/audit/filter", **{**kept, "who": ""}).location


def test_several_people_of_a_name_are_offered_and_the_rest_of_the_filter_is_kept(
    world: World, auditor: Visitor
) -> None:
    filled = fields_of(auditor.get("/audit?decision=deny").text)
    page = auditor.post("/audit/filter", **{**filled, "who": "officer"})
    assert "Which person?" in text_of(page)
    assert "Officer One" in text_of(page)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
    hidden.pop("csrf_token")
    chosen = auditor.post("/audit/filter", **hidden, person=world.people["officer"])
    assert chosen.location == f"/audit?last=7d&person={world.people['officer']}&decision=deny"


def test_nobody_of_that_name_is_told_in_the_form(auditor: Visitor) -> None:
    filled = fields_of(auditor.get("/audit?decision=deny").text)
    page = auditor.post("/audit/filter", **{**filled, "who": "Nobody At All", "what": "ffffffff"})
    assert page.status_code == 400
    assert "Nobody with an account has this name" in text_of(page)
    assert "no document with this number" in text_of(page)
    kept = fields_of(page.text)
    assert (kept["who"], kept["what"], kept["decision"]) == ("Nobody At All", "ffffffff", "deny")


def test_a_document_is_chosen_by_the_beginning_of_its_number(auditor: Visitor, document: str) -> None:
    filled = fields_of(auditor.get("/audit").text)
    assert document in auditor.post("/audit/filter", **{**filled, "what": document[:10].upper()}).location


def test_an_own_period_is_taken_in_utc_and_comes_back_as_it_was(auditor: Visitor) -> None:
    filled = fields_of(auditor.get("/audit").text)
    own = {**filled, "last": "own", "from": "2026-01-01T00:00", "to": "2026-01-02T12:30"}
    answer = auditor.post("/audit/filter", **own)
    page = auditor.get(answer.location)
    assert "from 1 Jan 2026, 00:00 UTC until 2 Jan 2026, 12:30 UTC" in text_of(page)
    kept = fields_of(page.text)
    assert (kept["last"], kept["from"], kept["to"]) == ("own", "2026-01-01T00:00", "2026-01-02T12:30")
    assert auditor.post("/audit/filter", **{**kept, "last": "31d"}).location == "/audit?last=31d"
