"""What the tests of the log share: a log in a folder, opened as each process opens it, and ordinary events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, make_url, text

from crypto.keyring import KeyRing
from crypto.providers.file import FileRootKey, create_root_key_file
from crypto.sealed import ValueSealer
from crypto.translog.note import Ed25519Signer, Verifier
from crypto.translog.verify import Report
from portal.audit import AuditLog, Event, create_log, open_log_engine
from portal.audit.verify import verify_log
from tests.portal.factories import KeyList

ORIGIN = "strongroom.test/log"
SIGNER = Ed25519Signer.from_seed(ORIGIN, bytes(range(32)))
VERIFIERS = (Verifier.parse(SIGNER.vkey),)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StepClock:
    """A clock that the test sets; each look moves it on by a millisecond."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass
class Place:
    """A folder with a log in it."""

    folder: Path
    engine: Engine
    clock: Callable[[], datetime]
    sealer: ValueSealer
    owner: Engine | None = None

    @property
    def anchor(self) -> Path:
        return self.folder / "outside" / "anchor"

    def open(self, *, wait: float = 5.0) -> AuditLog:
        return AuditLog(
            self.engine,
            clock=self.clock,
            node="node-1",
            sealer=self.sealer,
            signer=SIGNER,
            origin=ORIGIN,
            anchor=self.anchor,
            wait=wait,
        )

    def verify(self) -> Report:
        return verify_log(self.engine, VERIFIERS, anchor=self.anchor)

    def tamper(self, *statements: str, **values: Any) -> None:
        """Do what somebody with write access to the file, or the owner's rights, can do: triggers do not stop them."""
        engine = self.owner or self.engine
        with engine.connect().execution_options(audit_write=5.0) as connection, connection.begin():
            if engine.dialect.name == "sqlite":
                for name in ("update", "delete", "replace"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS leaves_no_{name}"))
            else:
                connection.execute(text("ALTER TABLE leaves DISABLE TRIGGER USER"))
            for statement in statements:
                connection.execute(text(statement), values)


def place(folder: Path, clock: Callable[[], datetime], server: str | None = None) -> Place:
    """Make a log in a file, or open the one that `server` (a URL) has for its two roles; the owner made it."""
    key = folder / "root.key"
    if not key.exists():
        create_root_key_file(key)
    engine = open_log_engine(folder / "log.db" if server is None else as_role(server, APPENDER))
    if server is None:
        create_log(engine)
    owner = None if server is None else open_log_engine(server)
    sealer = ValueSealer(KeyRing(FileRootKey(key), KeyList(), now=clock))
    return Place(folder, engine, clock, sealer, owner)


APPENDER, KEEPER = "log_appender", "log_keeper"


def as_role(url: str, role: str) -> str:
    """Return the URL under which a role signs in to the same database."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def read(person: str = "p1", document: str = "d1", **more: Any) -> Event:
    return Event(
        "document.read",
        **{
            "actor": person,
            "document": document,
            "version": 1,
            "role": "official",
            "programme": "prog-1",
            "organisation": "org-1",
            "label": "NATO SECRET",
            "decision": "permit",
            "policy": "ab" * 32,
            **more,
        },
    )


def outcome(intent: int, person: str = "p1", document: str = "d1", **more: Any) -> Event:
    return read(person, document, **{"completes": intent, "outcome": "complete", "bytes_handed": 5, **more})
