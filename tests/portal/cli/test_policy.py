"""`strongroom policy` and `strongroom rules`, as security officers on a whole installation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policies import SHIPPED
from tests.demonstration import strongroom
from tests.portal import factories
from tests.portal.worlds import BEGINNING, World, build_world
from tests.shared import POLICIES

SPIF = SHIPPED.read_bytes()
NO_SECRET = SPIF.replace(b'name="SECRET" lacv="4"', b'name="SECRET" obsolete="true" lacv="4"')


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("command") / "data")
    yield built
    built.runtime.close()


Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(world: World) -> Run:
    def call(*arguments: str, who: str = "officer", expected: int = 0) -> str:
        environment = {
            "STRONGROOM_DATA": str(world.runtime.settings.data),
            "STRONGROOM_TOKEN": world.tokens[who],
            "STRONGROOM_DEMONSTRATION": "true",
        }
        done = strongroom(*arguments, environment=environment)
        assert done.returncode == expected, done.stderr
        return done.stdout if expected == 0 else done.stderr

    return call


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("new") / "policy.xml"
    path.write_bytes(NO_SECRET)
    return str(path)


def test_a_file_is_checked_as_strictly_as_by_the_portal() -> None:
    good = strongroom("policy", "check", str(POLICIES / "nato-spif-v79.xml"), "--json")
    assert json.loads(good.stdout)["name"] == "NATO"
    bad = strongroom("policy", "check", str(POLICIES / "ACME-SPIF-example.xml"))
    assert (bad.returncode, "line " in bad.stderr.lower()) == (1, True)


def test_two_files_are_compared_item_by_item(new: str) -> None:
    done = strongroom("policy", "diff", str(SHIPPED), new)
    assert done.stdout == "Classification SECRET: obsolete was “no” and is “yes”.\n"
    [line] = strongroom("policy", "diff", str(SHIPPED), new, "--json").stdout.splitlines()
    assert json.loads(line)["fact"] == "obsolete"
    same = strongroom("policy", "diff", str(SHIPPED), str(SHIPPED))
    assert same.stdout == "Nothing that decides or shows differs.\n"


def test_with_an_installation_it_names_who_loses_what(world: World, run: Run, new: str) -> None:
    world.deposited(label="NATO SECRET")
    told = run("policy", "diff", str(SHIPPED), new)
    assert "NATO SECRET (1 documents): The classification SECRET is obsolete." in told
    assert "Lose: Harbour Shield, NATO SECRET: 2 people" in told
    assert "  Official (1)" in told
    lines = [json.loads(line) for line in run("policy", "diff", str(SHIPPED), new, "--json").splitlines()]
    assert {line["person"] for line in lines if "person" in line} == {
        world.people["official"],
        world.people["partner"],
    }
    assert "Nobody gains or loses a document." in run("policy", "diff", str(SHIPPED), str(SHIPPED))


def test_a_decision_is_explained_with_the_least_that_would_change_it(world: World, run: Run) -> None:
    document = world.deposited(label="NATO SECRET")
    told = run("policy", "explain", "restricted@org.example", document)
    assert told.startswith("Refused: document.read of NATO SECRET")
    assert "The least that would have to change:" in told
    assert "adds SECRET to one that is held" in told
    facts = json.loads(run("policy", "explain", world.people["official"], document, "--json"))
    assert (facts["permitted"], len(facts["verdicts"]), facts["mends"]) == (True, 15, [])
    assert "role does not include" in run("policy", "explain", "x", document, who="auditor", expected=1)


def test_two_officers_put_a_policy_into_force(world: World, run: Run, new: str, tmp_path: Path) -> None:
    lesser = tmp_path / "policy.xml"
    lesser.write_bytes(
        SPIF.replace(b'name="TOP SECRET" lacv="5"', b'name="TOP SECRET" obsolete="true" lacv="5"')
    )
    proposal = run("policy", "propose", str(lesser), "--reason=Asked for").strip()
    [listed] = map(json.loads, run("policy", "proposals", "--json").splitlines())
    assert (listed["id"], listed["outcome"]) == (proposal, "")
    assert "second person" in run("policy", "activate", proposal, expected=1)
    run("policy", "approve", proposal, f"--digest={listed['digest']}", who="officer-second")
    assert "Officer Two" in run("policy", "proposals")
    run("policy", "activate", proposal)
    shown = json.loads(run("policy", "show", "--json"))
    assert [item["obsolete"] for item in shown["classifications"]] == [False] * 4 + [True]
    assert "SHA-256" in run("policy", "show")
    other = run("policy", "propose", new, "--reason=Asked for").strip()
    run("policy", "withdraw", other)


def test_premises_are_kept_from_the_command_line(world: World, run: Run) -> None:
    [held] = [
        item
        for item in map(json.loads, run("rules", "premises", "list", "--json").splitlines())
        if item["organisation_id"] == world.other_company
    ]
    run("rules", "premises", "end", held["id"])
    made = run("rules", "premises", "grant", world.other_company, "--up-to=SECRET", "--authority=NSA").strip()
    assert made in run("rules", "premises", "list")


def test_instructions_are_kept_from_the_command_line(world: World, run: Run, tmp_path: Path) -> None:
    text = tmp_path / "instruction.txt"
    text.write_text("Lock it away.\n")
    made = run(
        "rules", "instructions", "issue", str(text), "--title=Handling", "--level=CONFIDENTIAL"
    ).strip()
    run("rules", "instructions", "acknowledged", made, world.people["official"])
    assert "Handling" in run("rules", "instructions", "list")
    run("rules", "instructions", "end", made)
    [item] = map(json.loads, run("rules", "instructions", "list", "--json").splitlines())
    assert item["state"] == "ended"


def test_levels_are_kept_from_the_command_line(run: Run) -> None:
    handling = run("rules", "levels", "set", "TOP SECRET", "handling", "view-only").strip()
    run("rules", "levels", "set", "TOP SECRET", "networks", "192.0.2.0/24,2001:db8::/32")
    run("rules", "levels", "set", "TOP SECRET", "hours", "0,1,2,3,4:07:00-19:00@Europe/Brussels")
    run("rules", "levels", "set", "CONFIDENTIAL", "hours", "00:00-00:00@UTC")
    told = {
        (item["classification"], item["kind"]): item["value"]
        for item in map(json.loads, run("rules", "levels", "list", "--json").splitlines())
    }
    assert told["TOP SECRET", "networks"] == ["192.0.2.0/24", "2001:db8::/32"]
    assert told["TOP SECRET", "hours"][0]["days"] == [0, 1, 2, 3, 4]
    assert told["CONFIDENTIAL", "hours"][0]["days"] == [0, 1, 2, 3, 4, 5, 6]
    run("rules", "levels", "end", handling)
    assert "ended" in run("rules", "levels", "list")
    wrong = run("rules", "levels", "set", "SECRET", "hours", "always", expected=2)
    assert "START-END@ZONE" in wrong


def test_a_document_is_released_and_its_originators_consent_kept(world: World, run: Run) -> None:
    factories.add_clearance(
        world.runtime.database,
        world.people["officer"],
        ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"),
        {"Context": ["NATO"]},
        start=BEGINNING,
    )
    document = world.deposited(label="NATO RESTRICTED")
    to = f"organisation:{world.other_company}"
    command = ("rules", "documents")
    run(*command, "control", document, "--reason=Clause 7")
    refused = run(*command, "release", document, to, "--reason=Asked for", expected=1)
    assert "has not agreed" in refused
    run(*command, "consent", document, "--reference=Letter 17")
    made = json.loads(run(*command, "release", document, to, "--reason=Asked for", "--json"))["id"]
    assert world.get(f"/documents/{document}/content", "other").status_code == 200
    told = run(*command, "show", document)
    for words in ("Other Company", "Letter 17", "Clause 7", "with the consent of its originator only", made):
        assert words in told
    assert json.loads(run(*command, "end", "releases", made, "--json")) == {"id": made, "outcome": "ended"}
    facts = json.loads(run(*command, "show", document, "--json"))
    assert (facts["controlled"], facts["releases"][0]["state"]) == (True, "ended")
    assert "is not person:ID" in run(*command, "release", document, "mars", "--reason=x", expected=2)


def test_actions_say_what_they_did_as_json_when_asked(run: Run, new: str) -> None:
    made = json.loads(run("policy", "propose", new, "--reason=Why", "--json"))["proposal"]
    [view] = [
        item
        for item in map(json.loads, run("policy", "proposals", "--json").splitlines())
        if item["id"] == made
    ]
    approval = ("policy", "approve", made, f"--digest={view['digest']}", "--json")
    assert json.loads(run(*approval, who="officer-second"))["outcome"] == "approved"
    assert json.loads(run("policy", "withdraw", made, "--json")) == {"proposal": made, "outcome": "withdrawn"}
