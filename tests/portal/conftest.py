"""Real parts for the portal's tests: a key file, two SQLite databases and the log, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.keyring import KeyRing
from crypto.providers.file import FileRootKey, create_root_key_file
from crypto.sealed import RowSealer, ValueSealer
from crypto.translog.note import Ed25519Signer
from portal.audit import AuditLog, create_log, open_log_engine
from portal.models import Base, Seals
from portal.models.database import Database, make_engine
from tests.portal.factories import KeyList, SettableClock

ORIGIN = "strongroom.test/log"


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands at `factories.START` until a test moves it."""
    return SettableClock()


@pytest.fixture
def ring(tmp_path: Path, clock: SettableClock) -> KeyRing:
    """A key ring under a root key in a file."""
    path = tmp_path / "root.key"
    create_root_key_file(path)
    return KeyRing(FileRootKey(path), KeyList(), now=clock)


@pytest.fixture
def seals(ring: KeyRing) -> Seals:
    """What seals and checks rows and columns."""
    return Seals(RowSealer(ring), ValueSealer(ring))


@pytest.fixture
def database(tmp_path: Path, seals: Seals) -> Iterator[Database]:
    """An empty business database with all its tables."""
    database = Database(make_engine(f"sqlite:///{tmp_path / 'portal.db'}"), seals)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def audit_log(tmp_path: Path, clock: SettableClock, seals: Seals) -> Iterator[AuditLog]:
    """An empty access log."""
    engine = open_log_engine(tmp_path / "log.db")
    create_log(engine)
    log = AuditLog(
        engine,
        clock=clock,
        node="test",
        sealer=seals.values,
        signer=Ed25519Signer(ORIGIN, Ed25519PrivateKey.generate()),
        origin=ORIGIN,
        anchor=tmp_path / "anchor" / "checkpoint",
    )
    yield log
    log.close()
    engine.dispose()
