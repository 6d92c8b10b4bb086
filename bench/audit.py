"""The access log: appends of 64 callers, export and verification, on both databases: `python -m bench.audit`."""

from __future__ import annotations

import io
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from bench.postgresql import program, served
from crypto.translog.note import Ed25519Signer
from crypto.translog.verify import verify_jsonl
from portal.audit import AuditLog, Event, create_log, open_log_engine
from portal.clock import system_clock

_CALLERS = 64
_ORIGIN = "bench.example/log"


class _NoSealer:
    """These events have nothing private."""

    def seal(self, context: tuple[str, ...], plaintext: bytes) -> bytes:
        return plaintext

    def open(self, context: tuple[str, ...], blob: bytes) -> bytes:
        return blob


def _event(person: int, turn: int) -> Event:
    return Event(
        "document.read",
        actor=f"person-{person}",
        document=f"document-{turn % 997}",
        version=1,
        role="official",
        programme="programme-1",
        organisation="organisation-1",
        label="NATO SECRET",
        decision="permit",
        policy="ab" * 32,
    )


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _measure(where: str, engine: Engine, folder: Path, each: int) -> None:
    create_log(engine)
    log = AuditLog(
        engine,
        clock=system_clock,
        node="bench",
        sealer=_NoSealer(),
        signer=Ed25519Signer.from_seed(_ORIGIN, bytes(32)),
        origin=_ORIGIN,
        anchor=folder / "anchor",
        wait=30,
    )

    def call(person: int) -> None:
        for turn in range(each):
            log.append(_event(person, turn))

    def crowd() -> None:
        callers = [threading.Thread(target=call, args=(person,)) for person in range(_CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    records = _CALLERS * each
    out = io.BytesIO()
    print(f"{where:12} {records / _timed(crowd):10,.0f} appends a second, {_CALLERS} callers")
    print(f"{'':12} {records / _timed(lambda: out.writelines(log.export('jsonl'))):10,.0f} exported a second")
    out.seek(0)
    print(f"{'':12} {records / _timed(lambda: verify_jsonl(out, whole=True)):10,.0f} verified a second")
    log.close()
    engine.dispose()


def main(each: int = 1000) -> None:
    """Measure both databases; PostgreSQL where it is installed."""
    with tempfile.TemporaryDirectory() as name:
        _measure("SQLite", open_log_engine(Path(name) / "log.db"), Path(name), each)
    if program("initdb"):
        with served() as url, tempfile.TemporaryDirectory() as name:
            _measure("PostgreSQL", open_log_engine(url), Path(name), each)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
