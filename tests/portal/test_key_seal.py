"""Sealed keys open nothing on any node, until the provider's secret unseals them; a forged leaf does not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crypto.errors import KeyUnavailable
from portal.app import create_app
from portal.audit import Event
from portal.errors import Conflict, Invalid
from portal.services.runtime import open_portal
from tests.key_services import PIN, softhsm
from tests.portal.worlds import build_world

pytestmark = pytest.mark.xdist_group("key-services")


def test_a_seal_reaches_every_node_and_ends_with_the_secret_alone(tmp_path: Path) -> None:
    place = softhsm(tmp_path, "sealing")
    world = build_world(
        tmp_path / "data",
        key_provider="pkcs11",
        pkcs11_module=place.module,
        pkcs11_token="sealing",
        pkcs11_pin_file=place.pin_file,
    )
    document = world.deposited(b"content")
    content = f"/api/v1/documents/{document}/content"
    other = open_portal(world.runtime.settings)
    node = create_app(other).test_client()
    headers = world.headers("official")
    assert node.get(content, headers=headers, buffered=True).data == b"content"
    with pytest.raises(Conflict, match="not sealed"):
        other.key_seal.unseal(PIN)

    world.runtime.key_seal.seal(Event(action="keys.seal"))
    time.sleep(0.6)  # longer than a node goes without looking
    for client in (world.client, node):
        answer = client.get(content, headers=headers)
        assert (answer.status_code, answer.json["title"]) == (503, "Not available now")
        assert client.get("/sign-in").status_code in (200, 503)
    with pytest.raises(Conflict, match="already"):
        other.key_seal.seal(Event(action="keys.seal"))
    with pytest.raises(Invalid, match="does not take this secret"):
        world.runtime.key_seal.unseal("314159")

    sealed_by = next(record["seq"] for record in world.records(action="keys.seal"))
    for details in ({"record": sealed_by, "proof": "00" * 32}, {"record": sealed_by}):
        world.runtime.log.append(Event(action="keys.unseal", details=details))
        other.key_seal.look(now=True)
        assert other.key_seal.sealed
        assert other.ring.sealed
    # A node that starts while the keys are sealed, with its PIN at hand, does not open them either.
    started = open_portal(world.runtime.settings)
    assert started.key_seal.sealed
    with pytest.raises(KeyUnavailable, match="sealed"):
        started.ring.sealing("row")
    started.close()

    world.runtime.key_seal.unseal(PIN)
    time.sleep(0.6)
    for client in (world.client, node):
        assert client.get(content, headers=headers, buffered=True).data == b"content"
    other.close()
    world.runtime.close()
