"""A key backup opens for its recipients or its passphrase alone, and holds all that opens the ring."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyrage
import pytest

from crypto.backup import BackupError, KeyBackup, read_backup, write_backup
from crypto.errors import Damaged, KeyUnavailable
from crypto.keyring import DekContext, Domain
from crypto.keys import Dek
from crypto.providers.file import FileRootKey, LooseRootKey, create_root_key_file
from crypto.providers.token import TokenRootKey
from crypto.unwrapping import unwrap_dek
from tests.crypto.support import NOW, MemoryStore, new_root, ring_of
from tests.key_services import softhsm

DOMAIN = Domain("NATO SECRET", "programme")
CONTEXT = DekContext("document", 1, b"l" * 32, b"p" * 32)


@pytest.fixture(scope="module")
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def backup_of(root: FileRootKey, store: MemoryStore, *identities: pyrage.x25519.Identity) -> bytes:
    recipients = [str(identity.to_public()) for identity in identities]
    return write_backup(root, store.load(), installation="portal", created=NOW, recipients=recipients)


def test_a_backup_opens_what_the_ring_sealed(tmp_path: Path, identity: pyrage.x25519.Identity) -> None:
    root, store = new_root(tmp_path), MemoryStore()
    dek = Dek.generate()
    ring = ring_of(root, store)
    wrapped = ring.wrap_dek(dek, DOMAIN, CONTEXT)
    signer = ring.signer("log-signing")
    backup = read_backup(backup_of(root, store, identity), identity=str(identity))
    assert (backup.installation, backup.provider, backup.created) == ("portal", "file", NOW)
    assert unwrap_dek(backup.ring(), wrapped, DOMAIN, CONTEXT).material == dek.material
    assert backup.ring().signer("log-signing").public_key == signer.public_key
    assert create_root_key_file(tmp_path / "again.key", backup.root_text) == root.id
    assert FileRootKey(tmp_path / "again.key").id == root.id


def test_a_backup_opens_for_each_of_its_recipients_and_for_nobody_else(
    tmp_path: Path, identity: pyrage.x25519.Identity
) -> None:
    root, store = new_root(tmp_path), MemoryStore()
    ring_of(root, store).sealing("row")
    second = pyrage.x25519.Identity.generate()
    blob = backup_of(root, store, identity, second)
    for one in (str(identity), f"# created: today\n{second}\n"):
        assert len(read_backup(blob, identity=one).keys) == 1
    with pytest.raises(BackupError, match="does not open"):
        read_backup(blob, identity=str(pyrage.x25519.Identity.generate()))


def test_a_backup_under_a_passphrase_opens_with_it_alone(tmp_path: Path) -> None:
    root, store = new_root(tmp_path), MemoryStore()
    ring_of(root, store).sealing("row")
    blob = write_backup(root, store.load(), installation="portal", created=NOW, passphrase="right")
    assert len(read_backup(blob, passphrase="right").keys) == 1
    with pytest.raises(BackupError):
        read_backup(blob, passphrase="wrong")


def test_a_backup_that_was_altered_or_cut_is_refused(
    tmp_path: Path, identity: pyrage.x25519.Identity
) -> None:
    root, store = new_root(tmp_path), MemoryStore()
    ring_of(root, store).sealing("row")
    blob = backup_of(root, store, identity)
    for index in range(0, len(blob), 41):
        with pytest.raises(BackupError):
            read_backup(blob[:index] + bytes((blob[index] ^ 1,)) + blob[index + 1 :], identity=str(identity))
        with pytest.raises(BackupError):
            read_backup(blob[:index], identity=str(identity))


def test_a_backup_of_something_else_is_told_apart(identity: pyrage.x25519.Identity) -> None:
    for plain in (
        b"",
        b"[]",
        b'{"format": "strongroom-key-backup-2"}',
        b'{"format": "strongroom-key-backup-1"}',
    ):
        blob = pyrage.encrypt(plain, [identity.to_public()])
        with pytest.raises(Damaged):
            read_backup(blob, identity=str(identity))


def test_what_a_backup_is_made_for_must_be_one_thing_that_fits(tmp_path: Path) -> None:
    root = new_root(tmp_path)
    for recipients, passphrase in (((), ""), (("age1x",), "both"), (("age1nobody",), "")):
        with pytest.raises(BackupError):
            write_backup(
                root, (), installation="portal", created=NOW, recipients=recipients, passphrase=passphrase
            )
    for identity, passphrase in (("", ""), ("AGE-SECRET-KEY-1", "both"), ("AGE-SECRET-KEY-1", "")):
        with pytest.raises(BackupError):
            read_backup(b"", identity=identity, passphrase=passphrase)


def test_a_backup_of_a_token_is_wrapped_anew_by_a_recovery_key(
    tmp_path: Path, identity: pyrage.x25519.Identity
) -> None:
    token, store = TokenRootKey(softhsm(tmp_path, "backup")), MemoryStore()
    token.create()
    ring = ring_of(token, store)
    dek = Dek.generate()
    wrapped = ring.wrap_dek(dek, DOMAIN, CONTEXT)
    blob = write_backup(
        token, store.load(), installation="portal", created=NOW, recipients=[str(identity.to_public())]
    )
    backup = read_backup(blob, identity=str(identity))
    assert backup.provider == "pkcs11"
    assert backup.root().id != token.id
    assert unwrap_dek(backup.ring(), wrapped, DOMAIN, CONTEXT).material == dek.material


def test_a_backup_makes_no_keys_and_shows_none(tmp_path: Path) -> None:
    text = LooseRootKey.new_text()
    backup = KeyBackup("portal", "file", NOW, text, ())
    with pytest.raises(KeyUnavailable):
        backup.ring().sealing("row")
    assert text.decode().split(":")[2][:20] not in repr(backup)
    with pytest.raises(TypeError):
        pickle.dumps(backup)


pytestmark = pytest.mark.xdist_group("key-services")
