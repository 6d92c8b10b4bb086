"""Commands that act as a person: users, organisations, programmes, clearances, the audit log; by token and by role."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.demonstration import Demo, strongroom


def _lines(demo: Demo, *arguments: str, role: str) -> list[str]:
    done = demo.run(*arguments, role=role)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def newcomer(demo: Demo) -> str:
    """An account of a new organisation, created from the command line; its e-mail address."""
    company = _lines(
        demo, "organisations", "create", "--name=Baltwerk", "--nation=DEU", role="administrator"
    )[0]
    created = _lines(
        demo,
        "users",
        "create",
        f"--organisation={company}",
        "--name=Jana Koch",
        "--email=jana.koch@baltwerk.example",
        "--nation=DEU",
        role="administrator",
    )
    assert created[1].startswith(f"{demo.url}/welcome/")
    return "jana.koch@baltwerk.example"


def test_an_officer_clears_a_newcomer(demo: Demo, newcomer: str) -> None:
    programme = demo.programmes[2]["id"]
    _lines(demo, "users", "grant", newcomer, "--role=partner", role="officer")
    _lines(demo, "users", "grant", newcomer, f"--programme={programme}", role="officer")
    grant = _lines(
        demo,
        "clearances",
        "grant",
        newcomer,
        "--up-to=CONFIDENTIAL",
        "--category=Context=NATO",
        "--category=Releasable To=NATO",
        "--authority=National Security Authority",
        "--until=2099-01-01",
        role="officer",
    )[0]
    listed = [
        json.loads(line) for line in _lines(demo, "clearances", "list", newcomer, "--json", role="officer")
    ]
    assert [item["id"] for item in listed] == [grant]
    assert sorted(listed[0]["classifications"]) == ["CONFIDENTIAL", "RESTRICTED", "UNCLASSIFIED"]
    _lines(demo, "clearances", "end", grant, role="officer")
    assert "ended" in "".join(_lines(demo, "clearances", "list", newcomer, role="officer"))


def test_an_administrator_lists_locks_and_unlocks(demo: Demo, newcomer: str) -> None:
    assert newcomer in "".join(_lines(demo, "users", "list", role="administrator"))
    _lines(demo, "users", "lock", newcomer, role="administrator")
    state = _lines(demo, "users", "list", "--json", f"--email={newcomer}", role="administrator")
    assert json.loads(state[0])["active"] is False
    _lines(demo, "users", "unlock", newcomer, role="administrator")
    assert _lines(demo, "users", "invite", newcomer, role="administrator")[0].startswith(demo.url)


def test_programmes_are_created_and_listed(demo: Demo) -> None:
    organisations = _lines(demo, "organisations", "list", "--json", role="administrator")
    office = next(
        item["id"] for item in map(json.loads, organisations) if item["name"] == "Capability Programme Office"
    )
    created = _lines(
        demo, "programmes", "create", "--name=Quiet Tide", f"--lead={office}", role="administrator"
    )[0]
    assert created in "".join(_lines(demo, "programmes", "list", role="administrator"))


@pytest.mark.parametrize(
    ("role", "arguments"),
    [
        ("official", ("users", "list")),
        ("administrator", ("clearances", "list", "ingrid.halvorsen@cpo.example")),
        ("officer", ("users", "grant", "lukas.brandt@cpo.example", "--role=auditor")),
        ("partner", ("audit", "export", "--out=-")),
        ("administrator", ("audit", "export", "--out=-")),
    ],
)
def test_a_token_opens_only_what_its_role_has(demo: Demo, role: str, arguments: tuple[str, ...]) -> None:
    done = demo.run(*arguments, role=role)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")


def test_a_forged_token_is_refused_and_a_missing_one_asked_for(demo: Demo) -> None:
    forged = demo.run("users", "list", "--token=srt_forged")
    assert (forged.returncode, forged.stdout) == (1, "")
    assert demo.run("users", "list").returncode == 2


def test_an_export_of_everything_verifies_against_the_anchor(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "log.jsonl"
    _lines(demo, "audit", "export", f"--out={out}", role="auditor")
    lines = out.read_text().splitlines()
    assert json.loads(lines[0])["seq"] == 0
    anchor = demo.data / "anchor" / "checkpoint"
    verified = strongroom(
        "audit", "verify", str(out), "--whole", f"--checkpoint={anchor}", f"--data={demo.data}"
    )
    assert verified.returncode == 0, verified.stderr
    assert "checkpoint" in verified.stdout
    damaged = tmp_path / "damaged.jsonl"
    lines[6], lines[7] = lines[7], lines[6]
    damaged.write_text("\n".join(lines) + "\n")
    refused = strongroom("audit", "verify", "--whole", str(damaged))
    assert refused.returncode == 1
    assert "line 7 " in refused.stderr.lower()


def test_an_export_is_narrowed_and_written_as_csv(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "denials.csv"
    _lines(demo, "audit", "export", "--format=csv", "--decision=deny", f"--out={out}", role="auditor")
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[:-1]
    assert {row["decision"] for row in rows[:-1]} == {"deny"}
    assert out.stat().st_mode & 0o077 == 0


def test_an_export_goes_to_standard_output(demo: Demo) -> None:
    lines = _lines(demo, "audit", "export", "--action=account.create", "--to=2099-01-01", role="auditor")
    assert {json.loads(line)["action"] for line in lines[:-1]} == {"account.create"}
    assert "footer" in json.loads(lines[-1])


def test_the_log_of_a_running_portal_verifies(demo: Demo) -> None:
    done = demo.run("audit", "verify")
    assert done.returncode == 0, done.stderr
