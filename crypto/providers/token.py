"""The root key in a PKCS#11 token: an AES key that is never extracted, used with CKM_AES_GCM.

A wrapped key is laid out as that of a key file, `0x01 ‖ id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, the id being the
key's CKA_ID, so that it can be moved with the key. Versions are keys of the labels LABEL, LABEL.2, LABEL.3, ….
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass, exceptions

from crypto import envelope
from crypto.errors import Damaged, KeyUnavailable
from crypto.keys import NONCE_BYTES, NeverCopied
from crypto.providers.contract import SigningKeys
from crypto.providers.secret_file import read_secret

_Found = TypeVar("_Found")
_TAG_BITS = 128
_TAG_BYTES = 16
_ED25519 = bytes.fromhex("130c656477617264733235353139")
"""PrintableString "edwards25519": how PKCS#11 3.0 names the curve."""
_NOT_OURS = (
    exceptions.EncryptedDataInvalid,
    exceptions.EncryptedDataLenRange,
    exceptions.GeneralError,  # SoftHSM's word for a tag that does not hold
    exceptions.FunctionFailed,
)
_SESSION_OVER = (
    exceptions.SessionHandleInvalid,
    exceptions.SessionClosed,
    exceptions.UserNotLoggedIn,
    exceptions.DeviceRemoved,
    exceptions.TokenNotPresent,
    exceptions.ObjectHandleInvalid,
    exceptions.KeyHandleInvalid,
)


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Which key: the vendor's module, the token's label, the file with its PIN (mode 0600), the key's label."""

    module: Path
    token: str
    pin_file: Path
    label: str = "strongroom-root"


class TokenRootKey(NeverCopied):
    """A root key that a PKCS#11 token holds. Nothing is asked of it before the first use."""

    __slots__ = ("_keys", "_lock", "_pid", "_place", "_refused", "_session", "signing")

    kind = "pkcs11"
    protected = True
    signing: SigningKeys | None

    def __init__(self, place: TokenPlace, *, holds_signing_keys: bool = False) -> None:
        self._place = place
        self._lock = threading.RLock()
        self._session: Any = None
        self._keys: list[Any] = []
        self._pid = 0
        self._refused = b""
        self.signing = _TokenSigning(self) if holds_signing_keys else None

    @property
    def id(self) -> str:
        """The newest key's id."""
        return self._use(lambda: bytes(self._keys[0].id).hex())

    def create(self) -> None:
        """Make the root key in the token, unless it is there."""
        with self._lock, self._told():
            self._open()
            if not self._keys:
                self._make(self._place.label)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key in the token, bound to `context`."""
        nonce = os.urandom(NONCE_BYTES)

        def wrap() -> bytes:
            root = self._keys[0]
            sealed = root.encrypt(
                key, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, context, _TAG_BITS)
            )
            return envelope.prefix(envelope.WRAPPED, bytes(root.id).hex()) + nonce + bytes(sealed)

        return self._use(wrap)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Decrypt a key in the token; raises Damaged when blob, root key or context differ."""
        key_id = bytes.fromhex(envelope.key_id_of(blob, envelope.WRAPPED))
        start = envelope.PREFIX_BYTES + NONCE_BYTES
        if len(blob) < start + _TAG_BYTES:
            raise Damaged("a wrapped key is cut off")
        params = GCMParams(blob[envelope.PREFIX_BYTES : start], context, _TAG_BITS)

        def unwrap() -> bytes:
            root = self._holding(key_id)
            try:
                return bytes(root.decrypt(blob[start:], mechanism=Mechanism.AES_GCM, mechanism_param=params))
            except _NOT_OURS:
                raise Damaged("a wrapped key does not open in this place") from None

        return self._use(unwrap)

    def is_current(self, blob: bytes) -> bool:
        """Tell whether the newest key wrapped `blob`."""
        return envelope.key_id_of(blob, envelope.WRAPPED) == self.id

    def rotate(self) -> None:
        """Make a new key in the token."""

        def rotate() -> None:
            self._find()
            self._make(f"{self._place.label}.{_number(self._place.label, self._keys[0].label) + 1}")

        self._use(rotate)

    def retire(self) -> int:
        """Destroy every root key of the token but the newest."""

        def retire() -> int:
            self._find()
            old = self._keys[1:]
            for key in old:
                key.destroy()
            self._find()
            return len(old)

        return self._use(retire)

    def check(self) -> None:
        """Wrap and unwrap something."""
        self.unwrap(self.wrap(b"strongroom check", b""), b"")

    def lock(self) -> None:
        """Log out of the token."""
        with self._lock, self._told():
            self._forget()
            self._library().reinitialize()

    def unlock(self, secret: str) -> None:
        """Log in with `secret` as the PIN; raises KeyUnavailable when the token refuses it."""
        with self._lock, self._told():
            self._forget()
            # A process is logged in as a whole: while it is, a token takes any PIN.
            self._library().reinitialize()
            self._token().open(rw=True, user_pin=secret).close()

    def _make(self, label: str) -> None:
        self._session.generate_key(
            KeyType.AES,
            256,
            label=label,
            id=bytes.fromhex(envelope.new_key_id()),
            store=True,
            template={
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.ENCRYPT: True,
                Attribute.DECRYPT: True,
            },
        )
        self._find()

    def _find(self) -> None:
        found = self._session.get_objects(
            {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES}
        )
        label = self._place.label
        keys = [(_number(label, key.label), key) for key in found]
        self._keys = [
            key for number, key in sorted(keys, key=lambda item: -item[0]) if number and len(key.id) == 8
        ]

    def _holding(self, key_id: bytes) -> Any:
        for _ in range(2):
            for key in self._keys:
                if bytes(key.id) == key_id:
                    return key
            self._find()  # another node may have rotated
        raise Damaged("a wrapped key names another root key")

    def _use(self, work: Callable[[], _Found]) -> _Found:
        """Do `work` with an open session; one that has ended is opened anew, once."""
        with self._lock, self._told():
            for last in (False, True):
                self._open()
                if not self._keys:
                    raise KeyUnavailable(f"the token has no key with the label {self._place.label!r}")
                try:
                    return work()
                except _SESSION_OVER:
                    self._forget()
                    if last:
                        raise
            raise AssertionError("unreachable")

    def _open(self) -> None:
        if self._session is not None and self._pid == os.getpid():
            return
        pin = read_secret(self._place.pin_file, "PIN")
        digest = hashlib.sha256(pin.encode()).digest()
        if digest == self._refused:
            # A token locks itself after a few wrong PINs: one that it refused is not tried again.
            raise KeyUnavailable(
                f"the token refuses the PIN in {self._place.pin_file}: put the right one there"
            )
        token = self._token()
        try:
            self._session = token.open(rw=True, user_pin=pin)
        except exceptions.UserAlreadyLoggedIn:
            self._session = token.open(rw=True)
        except exceptions.PinIncorrect:
            self._refused = digest
            raise
        self._pid = os.getpid()
        self._find()

    def _token(self) -> Any:
        library = self._library()
        if self._pid not in (0, os.getpid()):
            library.reinitialize()  # a forked process has no session of its own yet
        try:
            return library.get_token(token_label=self._place.token)
        except exceptions.NoSuchToken:
            library.reinitialize()  # it may have come since the module was loaded
            return library.get_token(token_label=self._place.token)

    def _library(self) -> Any:
        try:
            return pkcs11.lib(str(self._place.module))
        except RuntimeError:
            raise KeyUnavailable(f"the PKCS#11 module {self._place.module} cannot be loaded") from None

    def _forget(self) -> None:
        session, self._session, self._keys = self._session, None, []
        if session is not None:
            with suppress(exceptions.PKCS11Error):
                session.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except exceptions.NoSuchToken:
            raise KeyUnavailable(
                f"the token {self._place.token!r} is not there: plug it in, or correct its label"
            ) from None
        except exceptions.PKCS11Error as fault:
            self._forget()
            raise KeyUnavailable(
                f"the token {self._place.token!r} refuses ({type(fault).__name__})"
            ) from None

    def __repr__(self) -> str:
        return "<TokenRootKey>"


class _TokenSigning:
    """Ed25519 keys of the same token, by CKA_ID."""

    def __init__(self, root: TokenRootKey) -> None:
        self._root = root

    def create(self, key_id: str) -> bytes:
        """Make a key pair in the token and return its public half."""

        def create() -> bytes:
            curve = self._root._session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True
            )
            public, _ = curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                label=f"{self._root._place.label}-signing",
                id=bytes.fromhex(key_id),
            )
            return bytes(public[Attribute.EC_POINT])[-32:]

        return self._root._use(create)

    def sign(self, key_id: str, message: bytes) -> bytes:
        """Let the token sign."""

        def sign() -> bytes:
            key = self._root._session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key_id))
            return bytes(key.sign(message, mechanism=Mechanism.EDDSA))

        return self._root._use(sign)


def _number(label: str, found: object) -> int:
    """Return which version of the root key a label names, 0 when none."""
    match = re.fullmatch(re.escape(label) + r"(?:\.([1-9][0-9]{0,8}))?", str(found or ""))
    return 0 if match is None else int(match[1] or 1)
