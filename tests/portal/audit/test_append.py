from __future__ import annotations

import contextlib
import copy
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from portal.audit import AuditLog, Event, Receipt
from portal.audit.append import Committer
from portal.errors import Conflict, Invalid, Tampered, Unavailable
from tests.portal.audit.support import START, Place, StepClock, outcome, read

pytestmark = pytest.mark.both

ROOT = Path(__file__).parents[3]


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.portal.audit.writer", str(folder), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def locked(where: Place) -> Iterator[None]:
    """Somebody else holds the log's write lock."""
    other = sqlite3.connect(where.folder / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.rollback()
    other.close()


def test_64_threads_get_dense_and_unique_numbers(log: AuditLog, where: Place) -> None:
    seqs: list[int] = []

    def work(number: int) -> None:
        seqs.extend(log.append(read(f"p{number}", f"d{step}")).seq for step in range(25))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seqs) == list(range(1600))
    assert where.verify().ok


def test_a_receipt_says_what_was_committed(log: AuditLog) -> None:
    event = read("p9", "d9", session="s9")
    receipt = log.append(event)
    assert (receipt.seq, receipt.action, receipt.actor, receipt.document) == (0, "document.read", "p9", "d9")
    assert (receipt.session, receipt.version, receipt.decision, receipt.completes) == (
        "s9",
        1,
        "permit",
        None,
    )
    assert receipt.event is event
    assert receipt.time == START + timedelta(milliseconds=1)
    assert log.record(0).leaf == receipt.leaf
    assert repr(receipt) == "Receipt(seq=0, action='document.read')"


def test_nobody_else_makes_changes_copies_or_keeps_a_receipt(log: AuditLog) -> None:
    receipt = log.append(read())
    for attempt in (
        lambda: Receipt(object(), read(), 0, START, b""),
        lambda: type("Other", (Receipt,), {}),
        lambda: copy.copy(receipt),
        lambda: copy.deepcopy(receipt),
        lambda: pickle.dumps(receipt),
    ):
        with pytest.raises(TypeError):
            attempt()
    for name in ("seq", "leaf", "new"):
        with pytest.raises(AttributeError):
            setattr(receipt, name, 1)
    with pytest.raises(AttributeError):
        del receipt.seq


def test_several_records_stand_together_or_not_at_all(log: AuditLog) -> None:
    assert [receipt.seq for receipt in log.append_all([read(), read("p2"), read("p3")])] == [0, 1, 2]
    assert log.append_all([]) == ()
    with pytest.raises(Conflict):
        log.append_all([read("p4"), outcome(0), outcome(0)])
    assert log.size() == 3
    assert [receipt.seq for receipt in log.append_all([read("p4"), outcome(0)])] == [3, 4]
    assert log.record(3).get("subjects")["person:p4"] == [1, -1]


def test_an_intent_has_one_outcome_and_stays_settled(log: AuditLog, clock: StepClock) -> None:
    intent = log.append(read())
    denied = log.append(read(decision="deny"))
    assert log.open_intents(intent.time) == ()
    assert log.open_intents(clock.now + timedelta(seconds=1)) == (intent.seq,)
    assert log.append(outcome(intent.seq, outcome="unknown")).completes == intent.seq
    assert log.open_intents(clock.now + timedelta(days=1)) == ()
    for wrong in (intent.seq, denied.seq, 2, 999):
        with pytest.raises(Conflict):
            log.append(outcome(wrong))


def test_an_outcome_belongs_to_an_intent_of_its_own_action(log: AuditLog) -> None:
    intent = log.append(read())
    with pytest.raises(Invalid):
        log.append(Event("document.preview", completes=intent.seq, outcome="complete"))
    assert log.append(outcome(intent.seq)).seq == 1


def test_an_intent_may_be_completed_in_its_own_transaction(
    log: AuditLog, clock: StepClock, where: Place
) -> None:
    assert len(log.append_all([read(), outcome(0)])) == 2
    assert log.open_intents(clock.now + timedelta(days=1)) == ()
    assert where.verify().ok


def test_time_never_goes_back_and_the_jump_is_recorded_once(
    log: AuditLog, clock: StepClock, where: Place
) -> None:
    first = log.append(read())
    clock.now -= timedelta(hours=1)
    second = log.append(read())
    third = log.append(read())
    assert first.time == second.time == third.time
    assert (second.seq, third.seq) == (2, 3)
    jump = log.record(1)
    assert jump.action == "clock.jump"
    assert jump.get("details") == {
        "last": "2026-03-01T12:00:00.001000Z",
        "clock": "2026-03-01T11:00:00.002000Z",
    }
    clock.now += timedelta(hours=2)
    assert log.append(read()).time > third.time
    assert where.verify().ok


def test_a_slewing_clock_is_held_still_without_a_record(log: AuditLog, clock: StepClock) -> None:
    log.append(read())
    clock.now -= timedelta(milliseconds=500)
    log.append(read())
    assert log.size() == 2


@pytest.mark.on_file
def test_a_locked_log_refuses_after_the_bounded_wait_and_then_goes_on(where: Place) -> None:
    log = where.open(wait=0.2)
    with locked(where), pytest.raises(Unavailable):
        log.append(read())
    assert log.append(read()).seq == 0
    log.close()


@pytest.mark.on_file
def test_whoever_waits_behind_a_locked_log_is_refused_and_leaves_nothing(where: Place) -> None:
    log = where.open(wait=0.3)
    refused: list[Exception] = []

    def work() -> None:
        try:
            log.append(read())
        except Unavailable as error:
            refused.append(error)

    with locked(where):
        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(refused) == 20
    assert len({id(error) for error in refused}) == 20
    log.close()
    assert log.size() == 0


def test_a_closed_log_commits_what_was_queued_and_takes_no_more(where: Place) -> None:
    log = where.open()
    log.append(read())
    log.close()
    log.close()
    with pytest.raises(Unavailable):
        log.append(read())
    assert log.size() == 1


def test_the_thread_starts_with_the_first_append_and_ends_with_the_log(where: Place) -> None:
    others = set(threading.enumerate())  # Other tests' logs may be open.

    def running() -> bool:
        return any(thread.name == "audit-committer" for thread in set(threading.enumerate()) - others)

    log = where.open()
    assert not running()
    log.append(read())
    assert running()
    log.close()
    assert not running()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_appends_with_a_thread_of_its_own(log: AuditLog, where: Place) -> None:
    log.append(read("parent"))
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = 0 if log.append(read("child")).seq == 1 else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert log.append(read("parent")).seq == 2
    assert log.record(2).get("subjects")["document:d1"] == [3, 1]
    assert where.verify().ok


def test_two_processes_append_to_one_log(where: Place) -> None:
    writers = [writer(where.folder, name, 40) for name in ("a", "b")]
    seqs = [int(line) for process in writers for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in writers] == [0, 0]
    assert sorted(seqs) == list(range(640))
    assert where.verify().ok


@pytest.mark.on_file
def test_a_killed_process_leaves_a_log_that_verifies_and_holds_every_receipt(where: Place) -> None:
    log = where.open()
    for attempt in range(4):
        process = writer(where.folder, f"k{attempt}", 0)
        assert process.stdout is not None
        seqs = [int(process.stdout.readline()) for _ in range(30 + 37 * attempt)]
        process.send_signal(signal.SIGKILL)
        seqs += [int(line) for line in process.communicate()[0].split("\n")[:-1]]
        assert max(seqs) < log.size()
        report = where.verify()
        assert report.ok, report.findings
        log.append(read())
    log.close()
    assert where.verify().ok


@pytest.mark.on_file
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaves SET leaf = x'00' WHERE seq = 0",
        "DELETE FROM leaves",
        "INSERT OR REPLACE INTO leaves VALUES (0, x'00')",
        "REPLACE INTO leaves VALUES (0, x'00')",
    ],
)
def test_the_database_refuses_to_change_a_leaf(log: AuditLog, where: Place, statement: str) -> None:
    receipt = log.append(read())
    with where.engine.connect() as connection, connection.begin(), pytest.raises(IntegrityError):
        connection.exec_driver_sql(statement)
    assert log.record(0).leaf == receipt.leaf


def test_a_head_that_was_set_back_stops_the_log(log: AuditLog, where: Place) -> None:
    log.append(read())
    where.tamper("UPDATE head SET size = 0")
    with pytest.raises(Tampered):
        log.append(read())


def test_a_missing_head_or_database_stops_the_log(log: AuditLog, where: Place) -> None:
    where.tamper("DELETE FROM head")
    with pytest.raises(Tampered):
        log.append(read())
    where.tamper("DROP TABLE head")
    with pytest.raises(Unavailable):
        log.append(read())


def test_a_clock_that_fails_refuses_the_append_and_not_the_next(where: Place) -> None:
    def broken() -> None:
        raise RuntimeError("no time")

    committer = Committer(where.engine, clock=broken, node="n", sealer=where.sealer)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        committer.append(read())
    committer.close()
    log = where.open()
    assert json.loads(log.append(read()).leaf)["seq"] == 0
    log.close()
