"""Every provider of the root key keeps the same contract: file, PKCS#11 token, Transit engine; signing keys too."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import Damaged, KeyUnavailable
from crypto.keyring import KeyRing
from crypto.providers.contract import RootKey
from crypto.providers.file import FileRootKey, create_root_key_file
from crypto.providers.token import TokenPlace, TokenRootKey
from crypto.providers.transit import TransitRootKey
from tests.crypto.support import KEY, NOW, MemoryStore
from tests.key_services import PIN, Bao, secret_file, softhsm

pytestmark = pytest.mark.xdist_group("key-services")
Open: TypeAlias = Callable[[], RootKey]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> TokenPlace:
    return softhsm(tmp_path_factory.mktemp("softhsm"), "strongroom")


@pytest.fixture(params=["file", "pkcs11", "pkcs11-signing", "transit", "transit-signing"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return what opens one fresh root key, as another node would, each time it is called."""
    kind, _, signing = request.param.partition("-")
    number = next(_numbers)
    if kind == "file":
        create_root_key_file(tmp_path / "root.key")
        return lambda: FileRootKey(tmp_path / "root.key")
    if kind == "pkcs11":
        place = dataclasses.replace(request.getfixturevalue("token"), label=f"root-{number}")
        TokenRootKey(place).create()
        return lambda: TokenRootKey(place, holds_signing_keys=bool(signing))
    where = request.getfixturevalue("bao").place(f"root-{number}")
    TransitRootKey(where).create()
    return lambda: TransitRootKey(where, holds_signing_keys=bool(signing))


def test_what_a_provider_wrapped_another_node_opens(opening: Open) -> None:
    blob = opening().wrap(KEY, b"context")
    other = opening()
    assert other.unwrap(blob, b"context") == KEY
    assert other.wrap(KEY, b"context") != blob
    assert KEY not in blob
    assert blob[1:9].hex() == other.id


def test_another_context_is_refused_as_damage(opening: Open) -> None:
    root = opening()
    with pytest.raises(Damaged):
        root.unwrap(root.wrap(KEY, b"context"), b"other")


def test_an_altered_or_cut_wrapping_is_refused_as_damage(opening: Open) -> None:
    root = opening()
    blob = root.wrap(KEY, b"context")
    for index in (0, 1, 8, 9, 15, 20, 22, len(blob) - 20, len(blob) - 3):
        altered = bytearray(blob)
        altered[index] ^= 1
        with pytest.raises(Damaged):
            root.unwrap(bytes(altered), b"context")
    for length in (0, 5, 9, 12, 21, 30, len(blob) - 4):
        with pytest.raises(Damaged):
            root.unwrap(blob[:length], b"context")
    assert root.unwrap(blob, b"context") == KEY


def test_a_new_version_wraps_and_the_old_one_opens_until_it_is_retired(opening: Open) -> None:
    root, other = opening(), opening()
    old = root.wrap(KEY, b"context")
    assert root.is_current(old)
    root.rotate()
    new = root.wrap(KEY, b"context")
    assert (root.is_current(old), root.is_current(new)) == (False, True)
    # A node that has it open already learns of the new version by meeting it.
    assert other.unwrap(new, b"context") == other.unwrap(old, b"context") == KEY
    assert root.retire() == 1
    assert root.unwrap(new, b"context") == KEY
    with pytest.raises(Damaged):
        opening().unwrap(old, b"context")


def test_a_provider_checks_itself_and_comes_back_after_it_was_locked(opening: Open) -> None:
    root = opening()
    blob = root.wrap(KEY, b"context")
    root.check()
    root.lock()
    assert root.unwrap(blob, b"context") == KEY


def test_a_provider_under_a_secret_takes_the_right_one_only(
    opening: Open, request: pytest.FixtureRequest
) -> None:
    root = opening()
    with pytest.raises(KeyUnavailable):
        root.unlock("not the secret")
    if root.protected:
        place = root._place  # type: ignore[attr-defined]
        root.unlock(PIN if root.kind == "pkcs11" else place.secret_file.read_text().strip())


def test_signing_keys_sign_alike_wherever_they_are(opening: Open) -> None:
    store = MemoryStore()
    signer = KeyRing(opening(), store, now=lambda: NOW).signer("log-signing")
    other = KeyRing(opening(), store, now=lambda: NOW)
    (same,) = other.signers("log-signing")
    assert same.public_key == signer.public_key
    key = Ed25519PublicKey.from_public_bytes(signer.public_key)
    key.verify(signer.sign(b"checkpoint"), b"checkpoint")
    key.verify(same.sign(b"checkpoint"), b"checkpoint")
    with pytest.raises(InvalidSignature):
        key.verify(same.sign(b"another"), b"checkpoint")
    assert other.signer("receipt-signing").public_key != signer.public_key


def test_threads_share_a_provider(opening: Open) -> None:
    root = opening()

    def both(number: int) -> bytes:
        return root.unwrap(root.wrap(bytes((number,)) * 32, b"context"), b"context")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(both, range(32))) == [bytes((number,)) * 32 for number in range(32)]


def test_a_printed_provider_shows_no_secret(opening: Open) -> None:
    assert len(f"{opening()!r}") < 60


def test_a_token_is_not_asked_again_with_a_pin_that_it_refused(token: TokenPlace, tmp_path: Path) -> None:
    place = dataclasses.replace(token, label="careful", pin_file=secret_file(tmp_path / "pin", "wrong"))
    root = TokenRootKey(place)
    root.lock()  # while this process is logged in, a token takes any PIN
    with pytest.raises(KeyUnavailable, match="PinIncorrect"):
        root.check()
    with pytest.raises(KeyUnavailable, match="put the right one there"):
        root.check()
    place.pin_file.write_text(PIN)
    root.create()
    root.check()


@pytest.mark.parametrize("fault", ["token", "module", "pin"])
def test_a_token_that_cannot_be_used_is_told_with_its_name(
    token: TokenPlace, tmp_path: Path, fault: str
) -> None:
    wrong = {
        "token": dataclasses.replace(token, token="absent"),
        "module": dataclasses.replace(token, module=tmp_path / "absent.so"),
        "pin": dataclasses.replace(token, pin_file=tmp_path / "absent"),
    }
    with pytest.raises(KeyUnavailable, match="absent"):
        TokenRootKey(wrong[fault]).check()


def test_a_pin_that_others_can_read_is_refused(token: TokenPlace, tmp_path: Path) -> None:
    path = secret_file(tmp_path / "pin", PIN)
    path.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        TokenRootKey(dataclasses.replace(token, pin_file=path)).check()


def test_a_token_of_the_key_server_that_ended_is_renewed(bao: Bao) -> None:
    root = TransitRootKey(bao.place("renewed"))
    root.create()
    blob = root.wrap(KEY, b"context")
    bao.revoke_tokens()
    assert root.unwrap(blob, b"context") == KEY


def test_a_key_server_is_away_while_it_is_stopped_or_sealed_and_then_used_again(bao: Bao) -> None:
    root = TransitRootKey(bao.place("away", timeout=2.0))
    root.create()
    blob = root.wrap(KEY, b"context")
    bao.admin.sys.seal()
    with pytest.raises(KeyUnavailable, match="sealed"):
        root.unwrap(blob, b"context")
    bao.stop()
    with pytest.raises(KeyUnavailable, match="does not answer"):
        root.unwrap(blob, b"context")
    bao.start()
    assert root.unwrap(blob, b"context") == KEY


def test_a_role_that_the_key_server_does_not_know_is_no_damage(bao: Bao, tmp_path: Path) -> None:
    place = dataclasses.replace(bao.place("unknown"), secret_file=secret_file(tmp_path / "secret", "nobody"))
    with pytest.raises(KeyUnavailable):
        TransitRootKey(place).check()
    made, absent = TransitRootKey(bao.place("made")), TransitRootKey(bao.place("never-made"))
    made.create()
    blob = made.wrap(KEY, b"context")
    with pytest.raises(KeyUnavailable):
        absent.unwrap(blob[:1] + bytes.fromhex(absent.id) + blob[9:], b"context")
