"""The portal under each provider of the root key: created, serving, refusing while the provider is away, recovering."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.audit import Event
from portal.clock import system_clock
from portal.errors import Unavailable
from portal.services.runtime import open_portal
from portal.settings import Settings
from tests.key_services import Bao, softhsm
from tests.portal.worlds import build_world

STRONGROOM = str(Path(sys.executable).with_name("strongroom"))
pytestmark = pytest.mark.xdist_group("key-services")


def transit(bao: Bao, key: str, **more: Any) -> dict[str, Any]:
    place = bao.place(key)
    return {
        "key_provider": "transit",
        "transit_url": place.url,
        "transit_key": key,
        "transit_role_file": place.role_file,
        "transit_secret_file": place.secret_file,
        **more,
    }


def test_a_portal_whose_key_server_is_away_opens_nothing_and_recovers_by_itself(
    bao: Bao, tmp_path: Path
) -> None:
    world = build_world(tmp_path / "data", **transit(bao, "outage", key_cache_seconds=1))
    document = world.deposited(b"kept under a key server")
    assert world.get(f"/documents/{document}/content", "official").data == b"kept under a key server"
    bao.stop()
    time.sleep(1.1)  # longer than opened keys are kept
    for answer in (world.get(f"/documents/{document}/content", "official"), world.deposit(b"later")):
        assert answer.status_code == 503
        assert answer.json["detail"] == "The keys are out of reach, so nothing was opened."
        assert "Try again" in answer.json["mend"]
        assert answer.headers["Retry-After"]
    try:
        with pytest.raises(Unavailable, match="does not answer") as refused:
            open_portal(world.runtime.settings)
        assert "key server" in refused.value.mend
    finally:
        bao.start()
    end = time.monotonic() + 20
    while (answer := world.get(f"/documents/{document}/content", "official")).status_code == 503:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert answer.data == b"kept under a key server"
    assert world.deposited(b"after the outage")
    world.runtime.log.checkpoint()
    world.runtime.close()


def test_a_rotation_waits_while_the_key_server_is_away_and_then_goes_on(
    bao: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build_world(tmp_path / "data", **transit(bao, "rotating", key_cache_seconds=3600))
    document = world.deposited(b"content")
    rotations = world.runtime.rotations
    ordered = [
        rotations.order(kind, domain, Event(action="keys.rotate"))
        for kind, domain in (("root", ""), ("kek", f"{world.programme}/SECRET"))
    ]
    assert rotations._step(
        ordered[0]
    )  # the new version of the root key is there, nothing is wrapped by it yet
    bao.stop()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match="the rotation waits"):
                rotations.work()
        assert world.get(f"/documents/{document}/content", "official").data == b"content"
    finally:
        bao.start()
    time.sleep(2.1)  # a provider that did not answer is left alone for two seconds
    rotations.work()
    monkeypatch.setattr(rotations, "_clock", lambda: system_clock() + timedelta(hours=2))
    rotations.work()
    assert [(view.state, view.failed) for view in map(rotations.one, ordered)] == [("done", 0)] * 2
    root = world.runtime.ring.root
    assert all(root.is_current(key.wrapped) for key in world.runtime.ring.stored())
    assert world.get(f"/documents/{document}/content", "official").data == b"content"
    world.runtime.close()


def test_keys_that_were_opened_serve_on_for_as_long_as_they_may_be_kept(bao: Bao, tmp_path: Path) -> None:
    world = build_world(tmp_path / "data", **transit(bao, "kept", key_cache_seconds=3600))
    document = world.deposited(b"kept")
    bao.stop()
    try:
        assert world.get(f"/documents/{document}/content", "official").data == b"kept"
    finally:
        bao.start()
    world.runtime.close()


def test_a_portal_works_with_a_token_that_signs_its_log(tmp_path: Path) -> None:
    place = softhsm(tmp_path, "portal")
    world = build_world(
        tmp_path / "data",
        key_provider="pkcs11",
        signing_keys="provider",
        pkcs11_module=place.module,
        pkcs11_token="portal",
        pkcs11_pin_file=place.pin_file,
    )
    document = world.deposited(b"under a token")
    world.runtime.log.checkpoint()
    world.runtime.close()
    again = open_portal(world.runtime.settings)
    assert again.log.latest_checkpoint() is not None
    again.close()
    assert document


def test_init_and_doctor_name_the_key_server(bao: Bao, tmp_path: Path) -> None:
    settings = transit(bao, "by-command")
    options = [f"--setting={name}={value}" for name, value in settings.items()]
    command = [
        STRONGROOM, "init", "--data", str(tmp_path / "data"), "--demonstration",
        "--organisation", "Office", "--nation", "BEL", "--officer", "A One <a@mod.example>",
        "--officer", "B Two <b@mod.example>", "--administrator", "C Three <c@mod.example>", *options,
    ]  # fmt: skip
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "its root key is in the key server" in made.stdout
    found = doctor(tmp_path / "data")
    assert "Transit" in found
    assert "FAULT" not in found
    assert not (tmp_path / "data" / "keys" / "root.key").exists()


def doctor(data: Path) -> str:
    command = [STRONGROOM, "doctor", "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "200"}).stdout


def test_only_the_provider_that_is_used_is_imported() -> None:
    code = "import portal.services.runtime, sys; print({'hvac', 'pkcs11', 'pyrage'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("chosen", "word"),
    [
        ({"key_provider": "cloud"}, "file, pkcs11, transit"),
        ({"key_provider": "pkcs11"}, "pkcs11_module"),
        ({"key_provider": "transit"}, "transit_url"),
        ({"signing_keys": "provider"}, "a key file cannot sign"),
        ({"key_cache_seconds": "0"}, "key_cache_seconds"),
    ],
)
def test_a_setting_of_the_keys_that_cannot_be_stops_the_start(
    tmp_path: Path, chosen: dict[str, str], word: str
) -> None:
    from portal.settings import SettingsError, load_settings

    environment = {f"STRONGROOM_{name.upper()}": value for name, value in chosen.items()}
    with pytest.raises(SettingsError, match=word):
        load_settings(environment, tmp_path)


def test_the_default_provider_is_the_file(tmp_path: Path) -> None:
    assert Settings(data=tmp_path).key_provider == "file"
