"""The log in plain words: every action, rule and problem that a record can carry has its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from policies.rules import RULES
from portal.audit.catalogue import CATALOGUE
from portal.audit.reading import Record
from portal.audit.search import LogEntry
from portal.http import problems
from portal.services.log_names import Names
from portal.web import audit_choices, audit_entries, audit_words
from tests.portal.worlds import World, build_world

NAMES = Names(
    {"p-1": "Ana <Ribeiro>", "p-2": "Tomasz Wilk"}, {"o-1": "Kestrel"}, {"g-1": "Harbour Watch"}, {}
)
PERSONS_SUBJECT = re.compile(
    r"^(Ana <Ribeiro>|The portal|A request of Ana|A sign-in|An API token|Stored|The clock)"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    world: World = build_world(tmp_path_factory.mktemp("words") / "data")
    yield world.app
    world.runtime.close()


def entry(action: str, outcome: str | None = None, **more: Any) -> LogEntry:
    """Return an entry of an action that carries every field that sentences speak of."""
    fields: dict[str, Any] = {
        "seq": 7,
        "time": "2026-11-24T09:51:18.000000Z",
        "action": action,
        "actor": "p-1",
        "target": "o-1" if action.startswith("organisation.") else "p-2",
        "organisation": "o-1",
        "programme": "g-1",
        "document": "77970d81-45e7-4412-88fe-5b1f3b03bb57",
        "version": 2,
        "assurance": 2,
        "details": {"role": "official", "record": 3},
        **more,
    }
    record = Record(7, b"", {name: value for name, value in fields.items() if value is not None})
    end = (
        Record(8, b"", {"seq": 8, "time": fields["time"], "action": action, "outcome": outcome})
        if outcome
        else None
    )
    return LogEntry(record, end, outcome == "unknown")


def said(app: Flask, one: LogEntry) -> str:
    with app.test_request_context():
        html = str(audit_entries.sentence(one, NAMES))
    assert "{" not in html
    assert "Ana <" not in html
    return re.sub(r"<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">")


def test_words_are_those_of_the_catalogue_neither_more_nor_fewer() -> None:
    grouped = [action for actions in audit_choices.GROUPS.values() for action in actions]
    assert sorted(grouped) == sorted(CATALOGUE)
    assert sorted(audit_words.DEEDS) == sorted(CATALOGUE)
    assert sorted(audit_choices.CHOICES) == sorted(CATALOGUE)
    assert len(set(audit_choices.CHOICES.values())) == len(CATALOGUE)


@pytest.mark.parametrize("action", sorted(CATALOGUE))
def test_every_action_is_a_plain_sentence_done_refused_and_uncertain(app: Flask, action: str) -> None:
    done = said(app, entry(action, "complete", decision="permit"))
    assert PERSONS_SUBJECT.match(done), done
    assert action not in done
    assert not done.endswith(".")
    refused = said(app, entry(action, decision="deny", rule="need-to-know"))
    assert "refused" in refused or isinstance(audit_words.DEEDS[action], audit_words.Happening)
    with app.test_request_context():
        view = audit_entries.view(entry(action, decision="deny", rule="need-to-know"), NAMES)
    assert (view["kind"], view["sub"].partition(" · ")[0]) == ("refused", "Not a member of the programme")
    if CATALOGUE[action].outcomes:
        assert said(app, entry(action, "unknown")).startswith("Ana <Ribeiro> began to ")
        assert said(app, entry(action, "aborted")).startswith("Ana <Ribeiro> began to ")
        assert said(app, entry(action, "failed")).endswith(", which failed")


@pytest.mark.parametrize("action", sorted(CATALOGUE))
def test_every_action_is_a_sentence_even_where_its_record_says_next_to_nothing(
    app: Flask, action: str
) -> None:
    bare = entry(
        action, actor=None, target=None, programme=None, document=None, organisation=None, version=None
    )
    bare.record.fields.pop("details")
    assert said(app, bare)


def test_sentences_read_as_people_would_write_them(app: Flask) -> None:
    assert said(app, entry("document.read", "complete")) == "Ana <Ribeiro> downloaded document 77970d81"
    assert (
        said(app, entry("document.preview", decision="deny"))
        == "Ana <Ribeiro> was refused permission to view document 77970d81"
    )
    assert (
        said(app, entry("document.version", "complete"))
        == "Ana <Ribeiro> sent version 2 of document 77970d81"
    )
    assert said(app, entry("grant.role", "complete")) == "Ana <Ribeiro> gave Tomasz Wilk the role official"
    withdrawn = entry("grant.clearance", "complete", details={"withdrawn": True})
    assert said(app, withdrawn) == "Ana <Ribeiro> withdrew a clearance of Tomasz Wilk"
    themselves = entry("account.activate", "complete", target="p-1")
    assert said(app, themselves) == "Ana <Ribeiro> activated the account of themselves"
    gone = entry("session.open", actor="3f2a7777-0000-4000-8000-000000000000")
    assert said(app, gone) == "somebody whose name is gone (3f2a7777) signed in"


def test_every_rule_and_every_problem_is_said_in_words() -> None:
    assert RULES.keys() <= audit_words.RULES.keys()
    assert set(problems._TYPES.values()) <= audit_words.PROBLEMS.keys()
    for fields in ({"rule": "no-self-grant"}, {"details": {"problem": "wrong-code"}}):
        assert " " in audit_words.why_refused(fields)
    assert (
        audit_words.why_refused({"details": {"problem": "role-permits"}}) == audit_words.RULES["role-permits"]
    )
    assert audit_words.why_refused({}) == ""


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 2), (1, 2), (7, 8), (9, 10), (22, 24), (61, 80), (100, 100), (101, 120), (99_999, 100_000)],
)
def test_a_chart_ends_at_a_round_number_that_halves(most: int, top: int) -> None:
    assert audit_entries.nice(most) == top
    assert top % 2 == 0
