"""`strongroom keys`: inventory, rotation, backup, and a restore after the root key is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner, Result

from crypto.backup import read_backup
from crypto.providers.file import create_root_key_file
from portal.cli.keys import keys
from portal.errors import Conflict, Invalid, NotPermitted, Unavailable
from portal.services.runtime import open_portal
from tests.portal.worlds import World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("keys") / "data")
    settings = built.runtime.settings
    lines = ["demonstration = true", "argon2_memory = 64", "argon2_rounds = 1"]
    (settings.data / "settings.toml").write_text("\n".join(lines))
    yield built
    built.runtime.close()


def run(world: World, *arguments: str, who: str = "administrator", token: bool = True) -> Result:
    where = ["--data", str(world.runtime.settings.data)]
    acting = ["--token", world.tokens[who]] if token else []
    return CliRunner().invoke(keys, [arguments[0], *where, *acting, *arguments[1:]])


def test_the_inventory_names_every_key_and_its_next_rotation(world: World) -> None:
    world.deposited(b"content")
    facts = json.loads(run(world, "status", "--json").stdout)
    (kek,) = [key for key in facts["keys"] if key["kind"] == "kek"]
    assert (kek["documents"], kek["classification"], kek["state"]) == (1, "SECRET", "active")
    assert kek["due"] > kek["created"]
    assert facts["provider"] == "file"
    table = run(world, "status").stdout
    assert kek["id"] in table
    assert "Next rotation" in table


def test_only_an_administrator_uses_the_command(world: World) -> None:
    for command in (("status",), ("rotate", "row")):
        assert isinstance(run(world, *command, who="officer").exception, NotPermitted)


def test_a_rotation_is_carried_as_far_as_it_can_be(world: World) -> None:
    world.deposited(b"content")
    told = run(world, "rotate", "kek")
    assert told.exit_code == 0, told.exception
    assert "waiting until no node can use the older version" in told.stdout
    again = run(world, "rotate", "kek")
    assert "under way" in again.stderr
    assert "making" in run(world, "rotate", "pack", "--no-wait").stdout


def test_keys_come_back_from_a_backup_when_the_root_key_is_lost(world: World, tmp_path: Path) -> None:
    document = world.deposited(b"precious")
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(str(identity))
    out = tmp_path / "keys.age"
    made = run(world, "backup", "--out", str(out), "--recipient", str(identity.to_public()))
    assert made.exit_code == 0, made.exception
    assert out.stat().st_mode & 0o077 == 0
    assert len(read_backup(out.read_bytes(), identity=str(identity)).keys) > 5
    assert world.records(action="keys.backup")
    assert isinstance(run(world, "backup", "--out", str(out), "--recipient", "age1x").exception, Invalid)
    settings = world.runtime.settings
    (settings.key_folder / "root.key").unlink()
    with pytest.raises(Unavailable):
        open_portal(settings)
    back = ("restore", "--file", str(out), "--identity", str(tmp_path / "identity"))
    told = run(world, *back, token=False)
    assert told.exit_code == 0, told.exception
    again = open_portal(settings)
    assert again.ring.sealing("row").id == world.runtime.ring.sealing("row").id
    again.close()
    assert world.get(f"/documents/{document}/content", "official").data == b"precious"
    assert world.records(action="keys.restore")
    # A new root key instead of the lost one: the ring is wrapped anew by it.
    (settings.key_folder / "root.key").unlink()
    create_root_key_file(settings.key_folder / "root.key")
    assert run(world, *back, token=False).exit_code == 0
    open_portal(settings).close()


def test_a_backup_that_does_not_fit_restores_nothing(world: World, tmp_path: Path) -> None:
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    out = tmp_path / "keys.age"
    run(world, "backup", "--out", str(out), "--recipient", str(identity.to_public()))
    (tmp_path / "identity").write_text(str(other))
    wrong = run(world, "restore", "--file", str(out), "--identity", str(tmp_path / "identity"), token=False)
    assert isinstance(wrong.exception, Invalid)
    (tmp_path / "identity").write_text(str(identity))
    settings = world.runtime.settings.data / "settings.toml"
    settings.write_text(settings.read_text() + '\nname = "another.example"\n')
    foreign = run(world, "restore", "--file", str(out), "--identity", str(tmp_path / "identity"), token=False)
    assert isinstance(foreign.exception, Conflict)


def test_a_version_is_encrypted_anew_by_its_name(world: World) -> None:
    document = world.deposited(b"exposed")
    assert f"1 of 1: {document}/1" in run(world, "reencrypt", f"{document}/1").stdout
    assert isinstance(run(world, "reencrypt", document).exception, Invalid)
