"""A certificate of destruction says two dates, and holds only as it was signed."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.certificates import DestructionCertificate, KeyNoteSigner, read_certificate, sign_certificate
from crypto.errors import Damaged
from crypto.translog.note import Verifier
from tests.crypto.support import NOW, MemoryStore, new_root, ring_of

CERTIFICATE = DestructionCertificate(
    installation="portal.mod.example",
    subject="document:0001",
    label="NATO SECRET",
    digest="ab" * 32,
    key="0011223344556677 v3",
    destroyed=NOW,
    backups_end=NOW + timedelta(days=455),
    ordered_by="one",
    approved_by="two",
    log_entry=4711,
)


@pytest.fixture
def signer(tmp_path: Path) -> KeyNoteSigner:
    ring = ring_of(new_root(tmp_path), MemoryStore())
    return KeyNoteSigner("portal.mod.example", ring.signer("receipt-signing"))


def test_a_certificate_reads_back_as_it_was_signed(signer: KeyNoteSigner) -> None:
    raw = sign_certificate(CERTIFICATE, signer)
    assert read_certificate(raw, [Verifier.parse(signer.vkey)]) == CERTIFICATE
    assert b"\ndestroyed: 2026-11-24T12:00:00+00:00\nbackups_end: 2028-02-22T12:00:00+00:00\n" in raw


def test_a_certificate_that_was_altered_at_any_byte_is_refused(signer: KeyNoteSigner) -> None:
    raw = sign_certificate(CERTIFICATE, signer)
    for index in range(0, len(raw), 7):
        altered = raw[:index] + bytes((raw[index] ^ 1,)) + raw[index + 1 :]
        with pytest.raises(Damaged):
            read_certificate(altered, [Verifier.parse(signer.vkey)])


def test_a_certificate_of_another_signer_is_refused(signer: KeyNoteSigner, tmp_path: Path) -> None:
    other = ring_of(new_root(tmp_path, "other.key"), MemoryStore()).signer("receipt-signing")
    with pytest.raises(Damaged, match="no trusted key"):
        read_certificate(
            sign_certificate(CERTIFICATE, signer), [Verifier("portal.mod.example", other.public_key)]
        )


def test_a_line_cannot_be_smuggled_into_a_certificate(signer: KeyNoteSigner) -> None:
    with pytest.raises(ValueError, match="label"):
        sign_certificate(dataclasses.replace(CERTIFICATE, label="A\nlog_entry: 1"), signer)
