"""Our streams and those of the `tink` package are the same format: each reads what the other wrote."""

from __future__ import annotations

import base64
import io
import json

import pytest

from crypto.parts import part_context
from tests.crypto.support import FIRST, KEY, REST, content, decrypted, encrypted

tink = pytest.importorskip("tink", reason="the tink package is not installed: interoperability is not shown")
from tink import json_proto_keyset_format, secret_key_access, streaming_aead  # noqa: E402

CONTEXTS = (b"", b"context", part_context("document", 1, 1))
LENGTHS = sorted({0, 1, 5 << 20, *(FIRST + n * REST + off for n in range(5) for off in (-1, 0, 1))})
"""Nothing, one byte, one less and one more than every boundary of segments up to five MiB, and five MiB."""


class Kept(io.BytesIO):
    """A sink that stays readable when Tink closes it."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def primitive() -> streaming_aead.StreamingAead:
    """Tink's streaming AEAD over our test key: the key message of `AesGcmHkdfStreamingKey`, output prefix RAW."""
    streaming_aead.register()
    message = bytes.fromhex("120808808040102018031a20") + KEY
    keyset = {
        "primaryKeyId": 1,
        "key": [
            {
                "keyData": {
                    "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
                    "value": base64.b64encode(message).decode(),
                    "keyMaterialType": "SYMMETRIC",
                },
                "status": "ENABLED",
                "keyId": 1,
                "outputPrefixType": "RAW",
            }
        ],
    }
    handle = json_proto_keyset_format.parse(json.dumps(keyset), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("context", CONTEXTS)
def test_tink_reads_what_we_write(
    primitive: streaming_aead.StreamingAead, length: int, context: bytes
) -> None:
    plain = content(length)
    with primitive.new_decrypting_stream(io.BytesIO(encrypted(plain, KEY, context)), context) as reader:
        assert reader.read() == plain


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("context", CONTEXTS)
def test_we_read_what_tink_writes(
    primitive: streaming_aead.StreamingAead, length: int, context: bytes
) -> None:
    plain = content(length)
    sink = Kept()
    with primitive.new_encrypting_stream(sink, context) as writer:
        writer.write(plain)
    assert len(sink.getvalue()) == len(encrypted(plain, KEY, context))
    assert decrypted(sink.getvalue(), KEY, context) == plain
