from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crypto.translog import checkpoint as notes
from crypto.translog.note import Ed25519Signer
from crypto.translog.proofs import check_consistency, check_inclusion
from crypto.translog.tree import EMPTY_ROOT, leaf_hash
from portal.audit import AuditLog, open_log_engine
from portal.errors import Invalid, NotFound, Tampered, Unavailable
from tests.crypto.translog.naive import mth
from tests.portal.audit.support import ORIGIN, SIGNER, VERIFIERS, Place, read

pytestmark = pytest.mark.both


def fill(log: AuditLog, count: int) -> None:
    done = 0
    while done < count:
        step = min(400, count - done)
        log.append_all([read(f"p{number % 5}", f"d{number % 7}") for number in range(step)])
        done += step


def test_a_checkpoint_signs_the_root_over_the_stored_leaves(log: AuditLog, where: Place) -> None:
    assert log.latest_checkpoint() is None
    assert log.checkpoint().checkpoint.root == EMPTY_ROOT
    for count in (1, 255, 1, 300, 1):
        fill(log, count)
        signed = log.checkpoint()
        leaves = [log.record(seq).leaf for seq in range(log.size())]
        assert notes.verified(signed.note, VERIFIERS) == signed.checkpoint
        assert (signed.checkpoint.origin, signed.size) == (ORIGIN, len(leaves))
        assert signed.checkpoint.root == mth(leaves)
        assert log.latest_checkpoint() == signed == log.checkpoint()
        assert where.anchor.read_bytes() == signed.note


def test_every_record_has_an_inclusion_proof(log: AuditLog) -> None:
    fill(log, 300)
    for seq in (0, 1, 255, 256, 299):
        proof = log.inclusion_proof(seq)
        signed = proof.signed.checkpoint
        assert proof.leaf_hash == leaf_hash(log.record(seq).leaf)
        check_inclusion(proof.hashes, seq, signed.size, proof.leaf_hash, signed.root)
    receipt = log.append(read())
    assert log.inclusion_proof(receipt.seq).signed.size == 301
    for seq in (-1, 301):
        with pytest.raises(NotFound):
            log.inclusion_proof(seq)


def test_any_two_checkpoints_have_a_consistency_proof(log: AuditLog) -> None:
    sizes = []
    for count in (1, 6, 250, 100):
        fill(log, count)
        sizes.append(log.checkpoint().checkpoint)
    for old in sizes:
        for new in sizes[sizes.index(old) :]:
            proof = log.consistency_proof(old.size, new.size)
            check_consistency(proof, old.size, new.size, old.root, new.root)
    for old_size, new_size in ((2, 1), (-1, 4), (1, 9999)):
        with pytest.raises(NotFound):
            log.consistency_proof(old_size, new_size)


def test_a_log_of_several_runs_of_tiles_keeps_its_root(log: AuditLog) -> None:
    fill(log, 17_000)
    signed = log.checkpoint()
    assert signed.checkpoint.root == mth(
        [leaf[:-1] for leaf in b"".join(log.export("jsonl")).splitlines(True)[:-1]]
    )


@pytest.mark.on_file
def test_a_restored_older_log_is_refused_at_the_start(log: AuditLog, where: Place, tmp_path: Path) -> None:
    fill(log, 10)
    log.checkpoint()
    log.close()
    where.engine.dispose()
    shutil.copy(tmp_path / "log.db", tmp_path / "backup.db")
    newer = where.open()
    fill(newer, 5)
    newer.checkpoint()
    newer.close()
    where.engine.dispose()
    restored = open_log_engine(tmp_path / "backup.db")
    with pytest.raises(Unavailable, match="older than its anchor") as refusal:
        Place(tmp_path, restored, where.clock, where.sealer).open()
    assert refusal.value.mend
    restored.dispose()


@pytest.mark.on_file
def test_another_log_than_the_anchored_one_is_refused_at_the_start(log: AuditLog, where: Place) -> None:
    fill(log, 10)
    log.checkpoint()
    log.close()
    where.tamper("UPDATE tiles SET hashes = zeroblob(320)")
    with pytest.raises(Tampered):
        where.open()


def test_a_false_or_missing_anchor_is_refused_at_the_start(log: AuditLog, where: Place) -> None:
    log.append(read())
    signed = log.checkpoint()
    log.close()
    for false in (
        b"",
        signed.note[:-3],
        signed.note.replace(b"\n1\n", b"\n0\n"),
        notes.sign(signed.checkpoint, Ed25519Signer.from_seed(ORIGIN, bytes(32))),
    ):
        where.anchor.write_bytes(false)
        with pytest.raises(Tampered):
            where.open()
    where.anchor.unlink()
    with pytest.raises(Unavailable, match="missing"):
        where.open()
    where.anchor.write_bytes(signed.note)
    where.open().close()


def test_the_anchor_never_goes_back(log: AuditLog, where: Place) -> None:
    fill(log, 3)
    old = log.checkpoint()
    fill(log, 3)
    new = log.checkpoint()
    where.tamper("DELETE FROM checkpoints WHERE size = 6")
    assert log.latest_checkpoint() == old
    assert log.checkpoint() == new
    assert where.anchor.read_bytes() == new.note


def test_an_anchor_that_cannot_be_written_stops_the_checkpoint(log: AuditLog, where: Place) -> None:
    log.append(read())
    where.anchor.parent.write_text("a file where the folder should be")
    with pytest.raises(Unavailable):
        log.checkpoint()
    assert log.latest_checkpoint() is None


def test_damaged_tiles_are_not_signed_over(log: AuditLog, where: Place) -> None:
    fill(log, 5)
    where.tamper("UPDATE tree SET size = 3")
    with pytest.raises(Tampered):
        log.checkpoint()


@pytest.mark.on_file
def test_a_stored_checkpoint_that_was_changed_is_noticed(log: AuditLog, where: Place) -> None:
    log.append(read())
    log.checkpoint()
    where.tamper("UPDATE checkpoints SET note = replace(CAST(note AS TEXT), 'test', 'tent')")
    with pytest.raises(Tampered):
        log.latest_checkpoint()


def test_the_signing_key_bears_the_log_s_origin(where: Place) -> None:
    with pytest.raises(Invalid):
        AuditLog(
            where.engine,
            clock=where.clock,
            node="n",
            sealer=where.sealer,
            signer=SIGNER,
            origin="other.test/log",
            anchor=where.anchor,
        )
