"""`strongroom demo` as scripts call it."""

from __future__ import annotations

import json
import re
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.identity import totp
from tests.demonstration import Demo, free_port, start_demo, strongroom

ROLES = [
    "partner",
    "partner-other",
    "official",
    "official-restricted",
    "officer",
    "officer-second",
    "auditor",
    "auditor-second",
    "administrator",
    "official-lapsed",
]


def _titles(demo: Demo, role: str) -> set[str]:
    answer = demo.ask(role, "GET", "/documents", params={"limit": "200"})
    assert answer.status_code == 200
    return {item["title"] for item in answer.json()["items"]}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Demo, int]:
    """The folder of a demonstration that was started and stopped by SIGTERM, and its exit status."""
    folder = tmp_path_factory.mktemp("stopped")
    demo = start_demo(folder)
    return folder, demo, demo.stop()


def test_the_report_has_the_shape_that_scripts_rely_on(demo: Demo) -> None:
    assert demo.facts.keys() == {"url", "programmes", "people"}
    assert re.fullmatch(r"http://localhost:\d+", demo.url)
    assert [set(programme) for programme in demo.programmes] == [{"id", "name"}] * 3
    assert [person["role"] for person in demo.facts["people"]] == ROLES
    for person in demo.facts["people"]:
        assert set(person) == {"role", "id", "email", "password", "totp_secret", "token"}
        assert all(isinstance(value, str) and value for value in person.values())


def test_every_token_holds_and_belongs_to_its_role(demo: Demo) -> None:
    for role in ROLES:
        allowed = role.startswith("auditor")
        assert (demo.ask(role, "GET", "/audit/records").status_code == 200) == allowed


def test_members_of_the_first_programme_see_it(demo: Demo) -> None:
    first = demo.programmes[0]["id"]
    for role in ("partner", "partner-other", "official", "official-restricted"):
        found = demo.ask(role, "GET", "/programmes").json()["items"]
        assert first in {programme["id"] for programme in found}


def test_documents_are_seen_by_clearance_and_company(demo: Demo) -> None:
    official, restricted = _titles(demo, "official"), _titles(demo, "official-restricted")
    partner, other = _titles(demo, "partner"), _titles(demo, "partner-other")
    assert "Vulnerability assessment, coastal node" in official & partner
    assert "Vulnerability assessment, coastal node" not in restricted | other
    assert "Logistic support analysis, coastal node" in restricted
    assert partner.isdisjoint(other)
    assert len(official) >= 12


def test_secret_is_within_reach_of_the_tokens(demo: Demo) -> None:
    answer = demo.ask("official", "GET", "/documents", params={"label": "NATO SECRET"})
    document = answer.json()["items"][0]["id"]
    assert demo.ask("official", "GET", f"/documents/{document}/content").status_code == 200
    assert demo.ask("official-restricted", "GET", f"/documents/{document}/content").status_code == 404


def test_a_first_sign_in_finds_its_code_unused(demo: Demo) -> None:
    code = demo.run("demo", "--code", "administrator")
    now, secret = datetime.now(UTC), demo.people["administrator"]["totp_secret"]
    around = [now - timedelta(seconds=totp.STEP), now]
    assert code.stdout.strip() in {totp.code_at(secret, moment) for moment in around}


def test_what_others_on_the_machine_can_read(demo: Demo) -> None:
    assert demo.data.stat().st_mode & 0o077 == 0
    for name in ("demo.json", "settings.toml", "portal.db", "log.db"):
        assert (demo.data / name).stat().st_mode & 0o077 == 0


def test_a_second_process_does_not_serve_the_same_folder(demo: Demo) -> None:
    refused = demo.run("demo", "--port", str(free_port()))
    assert refused.returncode == 1
    assert "another process serves" in refused.stderr.lower()


def test_a_taken_port_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = strongroom("demo", f"--data={tmp_path / 'new'}", f"--port={port}")
    assert refused.returncode == 1
    assert f":{port}" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_sigterm_ends_it_in_order(stopped: tuple[Path, Demo, int]) -> None:
    folder, demo, status = stopped
    assert status == 0
    verified = strongroom("audit", "verify", f"--data={demo.data}")
    assert verified.returncode == 0, verified.stderr
    output = (folder / "output").read_text()
    assert "Traceback" not in output
    assert '"errors"' not in output


def test_the_second_start_finds_the_same_world_on_another_port(stopped: tuple[Path, Demo, int]) -> None:
    folder, first, _ = stopped
    again = start_demo(folder)
    try:
        assert again.url != first.url
        assert {**again.facts, "url": ""} == {**first.facts, "url": ""}
        assert _titles(again, "official")
        assert again.url in (again.data / "settings.toml").read_text()
    finally:
        assert again.stop() == 0


def test_a_start_that_was_broken_off_is_begun_anew(stopped: tuple[Path, Demo, int], tmp_path: Path) -> None:
    shutil.copytree(stopped[1].data, tmp_path / "demo")
    (tmp_path / "demo" / "demo.unfinished").touch()
    anew = start_demo(tmp_path)
    try:
        assert anew.token("official") != stopped[1].token("official")
        assert _titles(anew, "official")
    finally:
        anew.stop()


def test_an_installation_that_is_no_demonstration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "portal.db").write_bytes(b"something of value")
    refused = strongroom("demo", f"--data={tmp_path}", f"--port={free_port()}")
    assert refused.returncode == 1
    assert (tmp_path / "portal.db").read_bytes() == b"something of value"


def test_the_kept_sign_ins_are_those_of_the_report(demo: Demo) -> None:
    kept = json.loads((demo.data / "demo.json").read_text())
    assert {person["token"] for person in kept["people"]} == {
        person["token"] for person in demo.people.values()
    }
