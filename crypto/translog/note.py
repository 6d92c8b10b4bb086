"""Signed notes (C2SP signed-note): a text, an empty line, and lines that each carry one signature.

A note is UTF-8, its text ends in a newline, and a signature line is `— NAME BASE64` where the bytes are a
4-byte key id followed by the signature. The id of an Ed25519 key is the start of SHA-256(NAME ‖ 0x0A ‖ 0x01
‖ public key), so that a name and a key belong together. A verifier key line (vkey) is `NAME+ID in
hexadecimal+BASE64(0x01 ‖ public key)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.translog.errors import Malformed, SignatureFailed

MAX_NOTE = 1_000_000
"""The largest note that is parsed, in bytes."""

MAX_SIGNATURES = 100

_ED25519 = b"\x01"
_DASH = "— "


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who claims to have signed, with which key, and what."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """Write the line, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


class NoteSigner(Protocol):
    """What signs notes under one name: `Ed25519Signer`, or a key that never leaves its token."""

    @property
    def name(self) -> str:
        """The key's name; for a log's own key, the log's origin."""
        ...

    @property
    def vkey(self) -> str:
        """The verifier key line that checks these signatures."""
        ...

    def sign(self, text: bytes) -> Signature:
        """Sign the note's text."""
        ...


def check_name(name: str) -> str:
    """Return `name` if it may name a key (not empty, no space, no plus sign); raises Malformed."""
    if not name or "+" in name or not name.isprintable() or any(letter.isspace() for letter in name):
        raise Malformed("a key's name is printable, without spaces and plus signs")
    return name


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the 4-byte id of an Ed25519 key of 32 bytes under a name."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


class Ed25519Signer:
    """Signs notes with an Ed25519 private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.name = check_name(name)
        self._key = key
        self._public = key.public_key().public_bytes_raw()
        self._id = key_id(name, self._public)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Ed25519Signer:
        """Make a signer from the 32 bytes of an Ed25519 private key (RFC 8032)."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.name!r}, {self._id.hex()})"

    @property
    def vkey(self) -> str:
        """The verifier key line."""
        return Verifier(self.name, self._public).vkey

    def sign(self, text: bytes) -> Signature:
        """Sign the note's text."""
        return Signature(self.name, self._id, self._key.sign(text))


@dataclass(frozen=True, slots=True)
class Verifier:
    """A trusted Ed25519 public key (32 bytes) under its name."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4-byte id that signature lines carry."""
        return key_id(self.name, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key line."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a verifier key line; raises Malformed, also when its id does not belong to its key."""
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3:
            raise Malformed("a verifier key is NAME+ID+KEY")
        name, shown, encoded = parts
        raw = _base64(encoded, "the verifier key")
        if len(raw) != 33 or raw[:1] != _ED25519:
            raise Malformed("the verifier key is not an Ed25519 key")
        verifier = cls(check_name(name), raw[1:])
        if shown != verifier.key_id.hex():
            raise Malformed(f"the verifier key's id is {verifier.key_id.hex()}, not {shown[:16]}")
        return verifier

    def holds(self, text: bytes, signature: Signature) -> bool:
        """Tell whether `signature` is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature.value, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: nothing in it is trusted until `verified` has returned it."""

    text: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """Write the note."""
        return self.text + b"\n" + "".join(signature.line() for signature in self.signatures).encode()


def sign(text: bytes, *signers: NoteSigner) -> bytes:
    """Write `text` (ending in a newline, no empty line at its end) as a note signed by all `signers`."""
    if not text.endswith(b"\n"):
        raise Malformed("a note's text ends in a newline")
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()


def parse(raw: bytes) -> Note:
    """Read a note without trusting it; raises Malformed."""
    if len(raw) > MAX_NOTE:
        raise Malformed("the note is too long")
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("the note is not UTF-8") from error
    if any(letter < " " and letter != "\n" for letter in decoded):
        raise Malformed("the note holds control characters")
    split = decoded.rfind("\n\n")
    if split < 0 or not decoded.endswith("\n"):
        raise Malformed("the note has no signatures")
    text, block = decoded[: split + 1], decoded[split + 2 :]
    lines = block.split("\n")[:-1]
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise Malformed("the note has no signatures, or too many")
    return Note(text.encode(), tuple(_signature(line) for line in lines))


def verified(raw: bytes, verifiers: Iterable[Verifier]) -> Note:
    """Read a note and keep the signatures of trusted keys alone.

    Lines of unknown keys are passed over. Raises Malformed, and SignatureFailed when a trusted key's line
    does not verify or when there is none.
    """
    note = parse(raw)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    good: dict[tuple[str, bytes], Signature] = {}
    for signature in note.signatures:
        who = signature.name, signature.key_id
        verifier = known.get(who)
        if verifier is None or who in good:
            continue
        if not verifier.holds(note.text, signature):
            raise SignatureFailed(f"the signature by {signature.name} ({signature.key_id.hex()}) is false")
        good[who] = signature
    if not good:
        raise SignatureFailed("no trusted key has signed the note")
    return Note(note.text, tuple(good.values()))


def _signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise Malformed("a line of the note's signatures is not one")
    name, separator, encoded = line[len(_DASH) :].partition(" ")
    raw = _base64(encoded, "a signature") if separator else b""
    if len(raw) < 5:
        raise Malformed("a signature is too short")
    return Signature(check_name(name), raw[:4], raw[4:])


def _base64(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Malformed(f"{what} is not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise Malformed(f"{what} is not base64 in its one form")
    return raw
