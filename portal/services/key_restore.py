"""Putting keys back from a backup: the root key into its provider, the ring's keys into the database."""

from __future__ import annotations

from dataclasses import dataclass

from crypto.backup import BackupError, KeyBackup, read_backup
from crypto.errors import Damaged
from crypto.keyring import WrappedKey, opens, rewrapped
from crypto.providers.contract import RootKey
from crypto.providers.file import create_root_key_file
from portal.audit import Event
from portal.errors import Conflict, Invalid
from portal.models.database import make_engine
from portal.models.keystore import DatabaseKeyStore
from portal.services.root_keys import ROOT_KEY_FILE, create_root, open_root
from portal.services.runtime import open_portal
from portal.settings import Settings


@dataclass(frozen=True, slots=True)
class Restored:
    """How many keys came back, how many were there and open, and which of the database's do not open."""

    restored: int
    kept: int
    lost: tuple[str, ...]


def restore(settings: Settings, blob: bytes, *, identity: str = "", passphrase: str = "") -> Restored:
    """Restore the keys of an installation; a key that opens already is left as it is.

    Raises Invalid when the backup does not open, Conflict when it is of another installation, Unavailable.
    """
    try:
        backup = read_backup(blob, identity=identity, passphrase=passphrase)
    except (BackupError, Damaged) as fault:
        raise Invalid(f"{fault}.", mend="Give the backup's own identity or passphrase.") from None
    if backup.installation != settings.name:
        raise Conflict(
            f"The backup is of {backup.installation}, this installation is {settings.name}.",
            mend="Give the backup of this installation, or correct the setting `name`.",
        )
    root = _root(settings, backup)
    engine = make_engine(settings.portal_database)
    try:
        found = _ring(DatabaseKeyStore(engine), root, backup)
    finally:
        engine.dispose()
    runtime = open_portal(settings)
    try:
        details = {"provider": root.kind, "done": found.restored, "failed": len(found.lost)}
        runtime.log.append(Event(action="keys.restore", details=details))
    finally:
        runtime.close()
    return found


def _root(settings: Settings, backup: KeyBackup) -> RootKey:
    path = settings.key_folder / ROOT_KEY_FILE
    if settings.key_provider == "file":
        if not path.exists():
            settings.key_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_root_key_file(path, backup.root_text)
    else:
        create_root(settings)
    return open_root(settings)


def _ring(store: DatabaseKeyStore, root: RootKey, backup: KeyBackup) -> Restored:
    there = {key.id: key for key in store.load()}
    old, known = backup.root(), {key.id for key in backup.keys}
    changed: list[WrappedKey] = []
    kept = 0
    for key in backup.keys:
        present = there.get(key.id)
        if present is not None and (not present.wrapped or opens(present, root)):
            kept += 1  # a key that was destroyed since stays so
            continue
        fresh = rewrapped(key, old, root)
        if present is None:
            store.add(fresh)
        changed.append(fresh)
    store.replace(changed)
    lost = [key.id for key in there.values() if key.id not in known and key.wrapped and not opens(key, root)]
    return Restored(len(changed), kept, tuple(lost))
