"""The root key's provider, as settings choose it: imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from crypto.errors import KeyUnavailable
from crypto.keyring import KeyRing
from crypto.providers.contract import RootKey
from crypto.providers.file import FileRootKey, create_root_key_file
from portal.errors import Unavailable
from portal.models.keystore import DatabaseKeyStore
from portal.settings import Settings

ROOT_KEY_FILE = "root.key"
MENDS = {
    "file": "Put the key file back, mode 0600.",
    "pkcs11": "See that the token is there and its PIN is right, then `strongroom doctor`.",
    "transit": "See that the key server runs, is unsealed and takes the AppRole, then `strongroom doctor`.",
}
"""What to do when a provider does not open, by its kind."""


def open_root(settings: Settings) -> RootKey:
    """Return the root key that the settings name; raises Unavailable when it cannot be used now."""
    try:
        root = _root(settings, create=False)
        root.check()
    except KeyUnavailable as fault:
        raise unavailable(fault, settings) from fault
    return root


def create_root(settings: Settings) -> None:
    """Make a new root key where the settings say; raises Unavailable, FileExistsError when a key file is there."""
    try:
        _root(settings, create=True).check()
    except KeyUnavailable as fault:
        raise unavailable(fault, settings) from fault


def open_ring(settings: Settings, engine: Engine, now: Callable[[], datetime]) -> KeyRing:
    """Return the key ring of an installation's database; raises Unavailable."""
    keep = float(settings.key_cache_seconds)
    return KeyRing(open_root(settings), DatabaseKeyStore(engine), now=now, keep=keep)


def unavailable(fault: KeyUnavailable, settings: Settings) -> Unavailable:
    """Return what people are told when the root key cannot be used."""
    return Unavailable(f"The root key cannot be used: {fault}.", mend=MENDS[settings.key_provider])


def _root(settings: Settings, *, create: bool) -> RootKey:
    held = settings.signing_keys == "provider"
    if settings.key_provider == "pkcs11":
        from crypto.providers.token import TokenPlace, TokenRootKey

        token = TokenRootKey(
            TokenPlace(
                settings.pkcs11_module or settings.key_folder,
                settings.pkcs11_token,
                settings.pkcs11_pin_file or settings.key_folder / "pin",
                settings.pkcs11_label,
            ),
            holds_signing_keys=held,
        )
        if create:
            token.create()
        return token
    if settings.key_provider == "transit":
        from crypto.providers.transit import TransitPlace, TransitRootKey

        transit = TransitRootKey(
            TransitPlace(
                settings.transit_url,
                settings.transit_role_file or settings.key_folder / "role-id",
                settings.transit_secret_file or settings.key_folder / "secret-id",
                settings.transit_mount,
                settings.transit_key,
                settings.transit_authority,
            ),
            holds_signing_keys=held,
        )
        if create:
            transit.create()
        return transit
    path = settings.key_folder / ROOT_KEY_FILE
    if create:
        create_root_key_file(path)
    return FileRootKey(path)
