"""Encrypted and signed envelopes that libmagic takes for mere octets: OpenPGP, CMS (PKCS #7), age."""

from __future__ import annotations

import re

from portal.scanning.facts import ContentFacts, Notice, NoticeKind

_ENCRYPTED = Notice(NoticeKind.ENCRYPTED, "The content is encrypted: nothing can look into it.")
_SIGNED = Notice(NoticeKind.SIGNED, "The content is digitally signed.")
_PKCS7 = bytes.fromhex("06092a864886f70d0107")
_AUTHENTICATED = bytes.fromhex("060b2a864886f70d0109100117")
_CMS_SIGNED, _CMS_SEALING = 2, frozenset({3, 4, 6})
# RFC 9580, 9.1: algorithms that can encrypt a session key.
_KEY_ALGORITHMS = frozenset({1, 2, 16, 18, 25, 26})
_ARMOUR = re.compile(
    rb"-----BEGIN (?:PGP (MESSAGE|SIGNATURE|SIGNED MESSAGE|PUBLIC KEY BLOCK|PRIVATE KEY BLOCK)|(PKCS7|CMS))-----"
)
_ARMOURED = {
    b"MESSAGE": ContentFacts("application/pgp-encrypted", (_ENCRYPTED,)),
    b"SIGNATURE": ContentFacts("application/pgp-signature", (_SIGNED,)),
    b"SIGNED MESSAGE": ContentFacts("text/plain", (_SIGNED,)),
    b"PUBLIC KEY BLOCK": ContentFacts("application/pgp-keys"),
    b"PRIVATE KEY BLOCK": ContentFacts("application/pgp-keys"),
}


def recognise(head: bytes) -> ContentFacts | None:
    """Return what the envelope is that begins with `head`, or None when it is none of these."""
    if (armour := _ARMOUR.match(head.lstrip(b"\xef\xbb\xbf\r\n\t "))) is not None:
        return ContentFacts("application/pkcs7-mime") if armour[2] else _ARMOURED[armour[1]]
    if head.startswith((b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        return ContentFacts("application/octet-stream", (_ENCRYPTED,))
    return _cms(head) or _openpgp(head)


def _cms(head: bytes) -> ContentFacts | None:
    """ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, … } (RFC 5652, 3), DER or BER."""
    if head[:1] != b"\x30" or len(head) < 32:
        return None
    length_octets = head[1] & 0x7F if head[1] & 0x80 else 0
    if length_octets > 8:
        return None
    content_type = head[2 + length_octets :]
    if content_type.startswith(_AUTHENTICATED):
        return ContentFacts("application/pkcs7-mime", (_ENCRYPTED,))
    if not content_type.startswith(_PKCS7):
        return None
    kind = content_type[len(_PKCS7)]
    if kind == _CMS_SIGNED:
        return ContentFacts("application/pkcs7-mime", (_SIGNED,))
    return ContentFacts("application/pkcs7-mime", (_ENCRYPTED,) if kind in _CMS_SEALING else ())


def _openpgp(head: bytes) -> ContentFacts | None:
    """A message that begins with an encrypted session key packet (RFC 9580, 4.2, 5.1 and 5.3)."""
    if len(head) < 16 or not head[0] & 0x80:
        return None
    if head[0] & 0x40:
        tag = head[0] & 0x3F
        body = head[2 if head[1] < 192 else 3 if head[1] < 224 else 6 :]
    else:
        tag = head[0] >> 2 & 0x0F
        body = head[(2, 3, 5, 1)[head[0] & 3] :]
    public_key = tag == 1 and ((body[0] == 3 and body[9] in _KEY_ALGORITHMS) or body[0] == 6)
    passphrase = tag == 3 and ((body[0] == 4 and 1 <= body[1] <= 13 and body[2] <= 4) or body[0] == 6)
    if public_key or passphrase:
        return ContentFacts("application/pgp-encrypted", (_ENCRYPTED,))
    return None
