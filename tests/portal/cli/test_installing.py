"""`init`, `migrate`, `doctor`, `policy`, `serve`: an installation from nothing, and what refuses to begin."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crypto.translog.checkpoint import verified
from crypto.translog.note import Verifier
from policies import SHIPPED
from tests.demonstration import free_port, strongroom, strongroom_process
from tests.shared import POLICIES

PEOPLE = (
    "--organisation=Ministry of Defence",
    "--nation=NLD",
    "--officer=Anna de Vries <anna@mod.example>",
    "--officer=Bram Bakker <bram@mod.example>",
    "--administrator=Carla Smit <carla@mod.example>",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An installation that `init` made, keys and anchor outside its data, and what it printed."""
    folder = tmp_path_factory.mktemp("installed")
    done = strongroom(
        "init",
        f"--data={folder / 'data'}",
        f"--keys={folder / 'keys'}",
        f"--anchor={folder / 'anchor' / 'checkpoint'}",
        "--name=portal.mod.example",
        "--public-url=https://portal.mod.example",
        *PEOPLE,
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def _doctor(data: Path) -> tuple[int, dict[str, list[str]]]:
    done = strongroom("doctor", "--json", f"--data={data}")
    states: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout):
        states.setdefault(finding["check"], []).append(finding["state"])
    return done.returncode, states


def test_each_first_person_gets_a_link_of_their_own(installed: tuple[Path, str]) -> None:
    links = re.findall(r"https://portal\.mod\.example/welcome/(\S+)", installed[1])
    assert len(set(links)) == 3


def test_keys_lie_where_they_were_put(installed: tuple[Path, str]) -> None:
    folder = installed[0]
    assert (folder / "keys" / "root.key").stat().st_mode & 0o777 == 0o600
    assert not list((folder / "data").glob("**/root.key"))
    assert (folder / "anchor" / "checkpoint").exists()


def test_a_sound_installation_has_no_faults(installed: tuple[Path, str]) -> None:
    status, states = _doctor(installed[0] / "data")
    assert status == 0
    assert {"places", "permissions", "schema", "installation", "policy", "log", "clock"} <= states.keys()
    assert not any("fault" in found for found in states.values())


def test_its_log_verifies(installed: tuple[Path, str]) -> None:
    done = strongroom("audit", "verify", "--json", f"--data={installed[0] / 'data'}")
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"]


def test_the_printed_key_alone_opens_the_log_s_checkpoint(installed: tuple[Path, str]) -> None:
    printed = strongroom("audit", "key", f"--data={installed[0] / 'data'}")
    assert printed.returncode == 0
    verifiers = [Verifier.parse(line) for line in printed.stdout.splitlines()]
    checkpoint = verified((installed[0] / "anchor" / "checkpoint").read_bytes(), verifiers)
    assert checkpoint.size > 0


def test_the_log_s_tables_can_be_prepared_again(installed: tuple[Path, str]) -> None:
    done = strongroom("audit", "prepare", f"--data={installed[0] / 'data'}")
    assert done.returncode == 0, done.stderr


def test_nothing_is_created_twice(installed: tuple[Path, str]) -> None:
    before = (installed[0] / "keys" / "root.key").read_bytes()
    done = strongroom("init", f"--data={installed[0] / 'data'}", *PEOPLE)
    assert done.returncode == 1
    assert (installed[0] / "keys" / "root.key").read_bytes() == before


def test_migrating_what_is_new_changes_nothing(installed: tuple[Path, str]) -> None:
    assert strongroom("migrate", f"--data={installed[0] / 'data'}").returncode == 0


def test_the_active_policy_is_shown(installed: tuple[Path, str]) -> None:
    done = strongroom("policy", "show", "--json", f"--data={installed[0] / 'data'}")
    assert json.loads(done.stdout)["name"] == "NATO"


def test_keys_inside_the_data_folder_are_refused(tmp_path: Path) -> None:
    done = strongroom("init", f"--data={tmp_path / 'data'}", *PEOPLE)
    assert done.returncode == 1
    assert "inside the data folder" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ("--officer=Anna de Vries <anna@mod.example>", "Two security officers"),
        ("--officer=nobody", "is no person"),
        ("--nation=Netherlands", "nation"),
    ],
)
def test_people_who_cannot_be_are_refused_before_anything_is_created(
    tmp_path: Path, instead: str, told: str
) -> None:
    arguments = [instead, *(item for item in PEOPLE if not item.startswith(instead.partition("=")[0] + "="))]
    done = strongroom("init", f"--data={tmp_path / 'data'}", "--demonstration", *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / "data").exists()


def test_doctor_names_what_is_open_to_others_and_what_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert strongroom("init", f"--data={data}", "--demonstration", *PEOPLE).returncode == 0
    data.chmod(0o755)
    status, states = _doctor(data)
    assert status == 1
    assert "fault" in states["permissions"]
    data.chmod(0o700)
    (data / "keys" / "root.key").rename(tmp_path / "root.key")
    status, states = _doctor(data)
    assert status == 1
    assert states["installation"] == ["fault"]


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("doctor",), ("migrate",), ("audit", "verify")])
def test_where_nothing_is_nothing_begins(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = strongroom(*command, f"--data={tmp_path / 'nothing'}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "nothing").exists()


def test_serving_refuses_an_installation_whose_key_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert strongroom("init", f"--data={data}", "--demonstration", *PEOPLE).returncode == 0
    (data / "keys" / "root.key").unlink()
    done = strongroom_process("serve", f"--data={data}", f"--port={free_port()}")
    assert done.returncode == 1
    assert "root key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("colour = 3\n")
    done = strongroom("doctor", f"--data={tmp_path}")
    assert done.returncode == 1
    assert "colour" in done.stderr
    assert "settings.toml" in done.stderr


def test_a_policy_file_is_checked_strictly(tmp_path: Path) -> None:
    assert strongroom("policy", "check", str(SHIPPED)).returncode == 0
    wrong = tmp_path / "wrong.xml"
    wrong.write_text("<spif/>")
    done = strongroom("policy", "check", str(wrong))
    assert done.returncode == 1
    assert "ine 1" in done.stderr


def test_a_published_policy_is_told_of_in_words() -> None:
    for path in sorted(POLICIES.glob("*.xml")):
        done = strongroom("policy", "check", str(path))
        assert "Traceback" not in done.stderr


def test_unknown_commands_end_with_status_2() -> None:
    assert strongroom("frobnicate").returncode == 2
    assert strongroom("serve").returncode == 2


def test_a_portal_of_a_newer_version_names_the_command_that_brings_its_database_up_to_date(
    installed: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(installed[0] / "data", tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / "portal.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0003_circumstances'")
        database.commit()
    done = strongroom("worker", f"--data={tmp_path / 'data'}")
    assert done.returncode != 0
    assert "strongroom migrate" in done.stderr
