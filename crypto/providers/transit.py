"""The root key in the Transit engine of Vault or OpenBao, reached as an AppRole.

The root key is a key of type `aes256-gcm96` that never leaves the server. A wrapped key is
`0x07 ‖ id (8) ‖ the server's ciphertext (vault:vN:…)`; the context goes with it as associated data.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import hvac
import requests
from hvac import exceptions

from crypto import envelope
from crypto.errors import Damaged, KeyUnavailable
from crypto.keys import NeverCopied
from crypto.providers.contract import SigningKeys
from crypto.providers.secret_file import read_secret

_Found = TypeVar("_Found")
_NOT_OURS = re.compile(
    r"authentication failed|invalid ciphertext|ciphertext or signature version is disallowed", re.I
)
_CIPHERTEXT = re.compile(rb"vault:v([0-9]+):[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class TransitPlace:
    """Where the key is: the server, the engine's mount, the key's name, and who asks.

    `role_file` and `secret_file` hold the AppRole's role id and secret id, mode 0600; `authority` is the file of the
    certificate authority, None for the system's; `timeout` is in seconds.
    """

    url: str
    role_file: Path
    secret_file: Path
    mount: str = "transit"
    key: str = "strongroom"
    authority: Path | None = None
    timeout: float = 5.0


class TransitRootKey(NeverCopied):
    """A root key that a Vault or OpenBao server holds. Nothing is asked of it before the first use."""

    __slots__ = ("_client", "_lock", "_place", "id", "signing")

    kind = "transit"
    protected = True
    signing: SigningKeys | None

    def __init__(self, place: TransitPlace, *, holds_signing_keys: bool = False) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._client: hvac.Client | None = None
        self.id = hashlib.sha256(f"transit\0{place.mount}\0{place.key}".encode()).hexdigest()[:16]
        self.signing = _TransitSigning(self) if holds_signing_keys else None

    def create(self) -> None:
        """Make the root key on the server, unless it is there."""
        place = self._place
        self._ask(
            lambda client: client.secrets.transit.create_key(
                name=place.key, key_type="aes256-gcm96", mount_point=place.mount
            )
        )

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key on the server, bound to `context`."""
        found = self._ask(
            lambda client: client.secrets.transit.encrypt_data(
                name=self._place.key,
                plaintext=_text(key),
                associated_data=_text(context),
                mount_point=self._place.mount,
            )
        )
        return envelope.prefix(envelope.TRANSIT, self.id) + str(found["data"]["ciphertext"]).encode()

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt a key on the server; raises Damaged when blob, root key or context differ."""
        ciphertext = self._ciphertext(blob)
        found = self._ask(
            lambda client: client.secrets.transit.decrypt_data(
                name=self._place.key,
                ciphertext=ciphertext.decode(),
                associated_data=_text(context),
                mount_point=self._place.mount,
            )
        )
        return base64.b64decode(found["data"]["plaintext"])

    def is_current(self, blob: bytes) -> bool:
        """Tell whether the key's newest version wrapped `blob`."""
        match = _CIPHERTEXT.fullmatch(self._ciphertext(blob))
        return match is not None and int(match[1]) == self._newest()

    def rotate(self) -> None:
        """Make a new version of the key on the server."""
        self._ask(
            lambda client: client.secrets.transit.rotate_key(
                name=self._place.key, mount_point=self._place.mount
            )
        )

    def retire(self) -> int:
        """Let the server open with the newest version only, and forget the older ones."""
        newest = self._newest()
        name, mount = self._place.key, self._place.mount
        before = self._key()["min_decryption_version"]
        for least in ({"min_decryption_version": newest}, {"min_encryption_version": newest}):
            self._ask(partial(_configure, name=name, mount_point=mount, **least))
        self._ask(
            lambda client: client.secrets.transit.trim_key(name=name, min_version=newest, mount_point=mount)
        )
        return int(newest - before)

    def check(self) -> None:
        """Wrap and unwrap something."""
        self.unwrap(self.wrap(b"strongroom check", b""), b"")

    def lock(self) -> None:
        """Give the token back and forget it."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            try:
                client.auth.token.revoke_self()
            except (exceptions.VaultError, requests.RequestException):
                return  # a server that is away ends the token by its time

    def unlock(self, secret: str) -> None:
        """Sign in with `secret` as the AppRole's secret id; raises KeyUnavailable when the server refuses it."""
        self._told(lambda: self._signed_in(secret).auth.token.revoke_self())

    def _newest(self) -> int:
        return int(self._key()["latest_version"])

    def _key(self) -> Any:
        return self._ask(
            lambda client: client.secrets.transit.read_key(
                name=self._place.key, mount_point=self._place.mount
            )
        )["data"]

    def _ciphertext(self, blob: bytes) -> bytes:
        ciphertext = blob[envelope.PREFIX_BYTES :]
        named = envelope.key_id_of(blob, envelope.TRANSIT)
        if named != self.id or _CIPHERTEXT.fullmatch(ciphertext) is None:
            raise Damaged("a wrapped key names another root key or format")
        return ciphertext

    def _ask(self, question: Callable[[hvac.Client], _Found]) -> _Found:
        """Ask the server; a token that has ended is renewed once."""

        def ask() -> _Found:
            client = self._client_now()
            try:
                return question(client)
            except exceptions.Forbidden:
                with self._lock:
                    if self._client is client:
                        self._client = None
                return question(self._client_now())

        return self._told(ask)

    def _told(self, ask: Callable[[], _Found]) -> _Found:
        try:
            return ask()
        except exceptions.InvalidRequest as fault:
            if _NOT_OURS.search(str(fault)):
                raise Damaged("a wrapped key does not open in this place") from None
            raise KeyUnavailable(self._words("refused the request", fault)) from None
        except exceptions.VaultError as fault:
            raise KeyUnavailable(self._words("refused or is sealed", fault)) from None
        except requests.RequestException as fault:
            reason = type(fault).__name__
            raise KeyUnavailable(f"the key server {self._place.url} does not answer ({reason})") from None

    def _words(self, what: str, fault: exceptions.VaultError) -> str:
        errors = ", ".join(str(error) for error in fault.errors or ())
        return f"the key server {self._place.url} {what} ({errors or type(fault).__name__})"

    def _client_now(self) -> hvac.Client:
        with self._lock:
            if self._client is None:
                self._client = self._signed_in(read_secret(self._place.secret_file, "AppRole's secret id"))
            return self._client

    def _signed_in(self, secret: str) -> hvac.Client:
        place = self._place
        session = requests.Session()
        # The key server is reached directly: what a proxy or a .netrc in the environment says is not for keys.
        session.trust_env = False
        session.verify = str(place.authority) if place.authority else True
        client = hvac.Client(
            url=place.url, token="", session=session, verify=session.verify, timeout=place.timeout
        )
        client.auth.approle.login(read_secret(place.role_file, "AppRole's role id"), secret)
        return client

    def __repr__(self) -> str:
        return f"<TransitRootKey {self.id}>"


class _TransitSigning:
    """Ed25519 keys of the same engine, named after the root key."""

    def __init__(self, root: TransitRootKey) -> None:
        self._root = root

    def create(self, key_id: str) -> bytes:
        """Make a key on the server and return its public half."""
        name, mount = self._name(key_id), self._root._place.mount
        self._root._ask(
            lambda client: client.secrets.transit.create_key(name=name, key_type="ed25519", mount_point=mount)
        )
        found = self._root._ask(lambda client: client.secrets.transit.read_key(name=name, mount_point=mount))
        return base64.b64decode(found["data"]["keys"]["1"]["public_key"])

    def sign(self, key_id: str, message: bytes) -> bytes:
        """Let the server sign."""
        name, mount = self._name(key_id), self._root._place.mount
        found = self._root._ask(
            lambda client: client.secrets.transit.sign_data(
                name=name, hash_input=_text(message), mount_point=mount
            )
        )
        return base64.b64decode(str(found["data"]["signature"]).rsplit(":", 1)[1])

    def _name(self, key_id: str) -> str:
        return f"{self._root._place.key}-signing-{key_id}"


def _configure(client: hvac.Client, **values: Any) -> None:
    client.secrets.transit.update_key_configuration(**values)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
