from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.translog import checkpoint, note
from crypto.translog.checkpoint import Checkpoint
from crypto.translog.errors import Malformed, SignatureFailed
from crypto.translog.note import Ed25519Signer, Verifier

SIGNER = Ed25519Signer.from_seed("log.example/strongroom", bytes(range(32)))
OTHER = Ed25519Signer.from_seed("witness.example", bytes(range(1, 33)))
VERIFIER = Verifier.parse(SIGNER.vkey)
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"

# The example that golang.org/x/mod/sumdb/note documents.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_signed_by_another_implementation_verifies() -> None:
    verifier = Verifier.parse(GO_VKEY)
    assert verifier.vkey == GO_VKEY
    opened = note.verified(GO_NOTE.encode(), [verifier])
    assert opened.text.decode() == TEXT
    assert opened.encode() == GO_NOTE.encode()


def test_a_key_s_id_is_bound_to_its_name() -> None:
    public = VERIFIER.public_key
    expected = hashlib.sha256(b"log.example/strongroom\n\x01" + public).digest()[:4]
    assert VERIFIER.key_id == expected
    key = base64.b64encode(b"\x01" + public).decode()
    renamed = f"else.example+{expected.hex()}+{key}"
    with pytest.raises(Malformed, match="id"):
        Verifier.parse(renamed)


def test_signed_text_comes_back_with_the_trusted_signatures_alone() -> None:
    raw = note.sign(TEXT.encode(), SIGNER, OTHER)
    assert len(note.parse(raw).signatures) == 2
    opened = note.verified(raw, [VERIFIER])
    assert [signature.name for signature in opened.signatures] == ["log.example/strongroom"]


def test_a_false_signature_by_a_trusted_key_is_refused_beside_a_good_one() -> None:
    good = note.parse(note.sign(TEXT.encode(), SIGNER, OTHER))
    false = note.Signature(good.signatures[1].name, good.signatures[1].key_id, bytes(64))
    raw = note.Note(good.text, (good.signatures[0], false)).encode()
    with pytest.raises(SignatureFailed, match=r"witness\.example"):
        note.verified(raw, [VERIFIER, Verifier.parse(OTHER.vkey)])


def test_a_note_without_a_trusted_signature_is_refused() -> None:
    with pytest.raises(SignatureFailed):
        note.verified(note.sign(TEXT.encode(), OTHER), [VERIFIER])


def test_every_changed_bit_of_a_signed_note_is_noticed() -> None:
    raw = note.sign(b"log.example/strongroom\n5\n", SIGNER)
    for position in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[position] ^= 1 << bit
            with pytest.raises((Malformed, SignatureFailed)):
                note.verified(bytes(changed), [VERIFIER])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- name AAAAAAAA\n",
        "text\n\n— name\n".encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— na+me AAAAAAAA\n".encode(),
        "text\n\n— name AAAAAAA*\n".encode(),
        "text\n\n— name AAAAAAAA".encode(),
        "te\rxt\n\n— name AAAAAAAA\n".encode(),
        b"\xff\n\n",
        bytes(1_000_001),
        b"text\n\n" + "— name AAAAAAAA\n".encode() * 101,
    ],
)
def test_what_is_not_a_note_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        note.parse(raw)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_parsers_only_ever_refuse(raw: bytes) -> None:
    for parse in (note.parse, checkpoint.parse_text, lambda data: Verifier.parse(data.decode("latin-1"))):
        try:
            parse(raw)
        except Malformed:
            continue


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(
        lambda name: "+" not in name
    ),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_checkpoints_read_back(origin: str, size: int, root: bytes) -> None:
    signer = Ed25519Signer.from_seed(origin, root)
    value = Checkpoint(origin, size, root)
    assert checkpoint.parse_text(value.text()) == value
    assert checkpoint.verified(checkpoint.sign(value, signer), [Verifier.parse(signer.vkey)]) == value


def test_a_witness_alone_does_not_make_a_checkpoint() -> None:
    value = Checkpoint("log.example/strongroom", 1, bytes(32), ("extension",))
    with pytest.raises(SignatureFailed):
        checkpoint.verified(checkpoint.sign(value, OTHER), [VERIFIER, Verifier.parse(OTHER.vkey)])
    both = checkpoint.sign(value, OTHER, SIGNER)
    assert checkpoint.verified(both, [VERIFIER, Verifier.parse(OTHER.vkey)]) == value


@pytest.mark.parametrize("size", ["", "-1", "+1", "01", "1 ", "1.0", "9223372036854775808", "٣", "9" * 30])
def test_a_size_that_is_no_plain_number_is_refused(size: str) -> None:
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(Malformed):
        checkpoint.parse_text(f"origin\n{size}\n{root}\n".encode())


@pytest.mark.parametrize("root", ["", "AAAA", "é", base64.b64encode(bytes(33)).decode()])
def test_a_root_that_is_no_hash_is_refused(root: str) -> None:
    with pytest.raises(Malformed):
        checkpoint.parse_text(f"origin\n5\n{root}\n".encode())


def test_a_signer_shows_its_name_and_key_id_alone() -> None:
    assert repr(SIGNER) == f"Ed25519Signer('log.example/strongroom', {VERIFIER.key_id.hex()})"
    with pytest.raises(Malformed):
        Ed25519Signer.from_seed("two words", bytes(32))
    with pytest.raises(Malformed):
        note.sign(b"no newline", SIGNER)
