"""Facts of the published streaming AEAD format (Google Tink `AES256_GCM_HKDF_1MB`): sizes, keys and nonces.

A stream is a header of 40 bytes (its length 0x28, a salt of 32, a nonce prefix of 7) and segments, each a piece of
AES-256-GCM ciphertext and its tag. The header counts as part of segment 0, so segment `i` always stands at byte
`i * 1 MiB`. A segment's nonce is the prefix, the segment's number (u32 big-endian) and 1 for the last segment, else
0; so no segment can be moved, dropped or repeated, nor the stream cut. The key of a stream is HKDF-SHA256
(RFC 5869) of the given key with the salt, and the associated data as `info`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.errors import Damaged
from crypto.keys import KEY_BYTES, Secret

SEGMENT = 1 << 20
SALT = 32
NONCE_PREFIX = 7
HEADER = 1 + SALT + NONCE_PREFIX
TAG = 16
PLAIN = SEGMENT - TAG
PLAIN_FIRST = PLAIN - HEADER
SHORTEST = HEADER + TAG


def stream_key(key: Secret | bytes, salt: bytes, associated_data: bytes) -> bytes:
    """Derive the key of one stream; raises ValueError unless `key` is 32 bytes."""
    material = key.material if isinstance(key, Secret) else key
    if len(material) != KEY_BYTES:
        raise ValueError(f"a stream's key is {KEY_BYTES} bytes")
    return HKDF(hashes.SHA256(), KEY_BYTES, salt, associated_data).derive(material)


def nonce(prefix: bytes, index: int, last: bool) -> bytes:
    """Return the nonce of a segment; raises OverflowError past 2^32 segments (4 PiB)."""
    return prefix + index.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def parse_header(header: bytes | memoryview) -> tuple[bytes, bytes]:
    """Return salt and nonce prefix; raises Damaged when this is no header."""
    if len(header) < HEADER:
        raise Damaged("the stream is cut off in its header")
    if header[0] != HEADER:
        raise Damaged("the stream does not begin with a header of this format")
    return bytes(header[1 : 1 + SALT]), bytes(header[1 + SALT : HEADER])


def locate(position: int) -> tuple[int, int]:
    """Return the segment in which a plaintext byte stands, and its offset there."""
    if position < PLAIN_FIRST:
        return 0, position
    index, offset = divmod(position - PLAIN_FIRST, PLAIN)
    return index + 1, offset


def ciphertext_length(plaintext_length: int) -> int:
    """Return how many bytes a stream of this many plaintext bytes takes."""
    segments = locate(plaintext_length - 1)[0] + 1 if plaintext_length else 1
    return HEADER + plaintext_length + segments * TAG


@dataclass(frozen=True, slots=True)
class Layout:
    """What a stream's length tells: how many segments, and of how many plaintext bytes."""

    total: int
    segments: int
    size: int

    @classmethod
    def of(cls, total: int) -> Layout:
        """Return the layout of a stream of `total` bytes; raises Damaged when no stream is that long."""
        segments = -(-total // SEGMENT)
        if total < SHORTEST or total - (segments - 1) * SEGMENT < TAG:
            raise Damaged(f"the stream is cut off: none is {total} bytes long")
        return cls(total, segments, total - HEADER - segments * TAG)

    def bounds(self, index: int) -> tuple[int, int]:
        """Return where a segment's ciphertext begins and ends in the stream."""
        return max(index * SEGMENT, HEADER), min((index + 1) * SEGMENT, self.total)
