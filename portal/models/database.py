"""The business database: engines, reading and writing sessions, and changes that the log knows of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from portal.errors import Unavailable
from portal.models import sealing
from portal.models.sealing import Seals


class PortalSession(Session):
    """A session whose rows are sealed and checked; see `portal.models.sealing`."""


sealing.install(PortalSession)


_WAIT = 10
"""Seconds that a transaction waits for another one's lock, and a request for a connection."""

_FAULTS = (DatabaseError, NoConnection)
_WRITERS = 0x5374726F6E67
"""The PostgreSQL advisory lock of whoever writes: any number that no other program of this database uses."""


def make_engine(url: str) -> Engine:
    """Return an engine for SQLite or PostgreSQL (`postgresql://…`), on which one transaction writes at a time.

    SQLite gets WAL, full synchronisation, foreign keys and explicit transactions.
    """
    parsed = make_url(url)
    # Without hide_parameters a database error would carry rows' values into the operational log.
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            _with_driver(parsed),
            pool_size=16,
            max_overflow=16,
            pool_timeout=_WAIT,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"options": f"-c lock_timeout={_WAIT}s -c timezone=UTC"},
        )
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    engine = create_engine(parsed, pool_size=32, max_overflow=64, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _begin_postgresql(connection: Connection) -> None:
    # Numbers and counters are read and then written: as on SQLite, writers take turns, and readers never wait.
    if connection.get_execution_options().get("immediate", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    # Text that is not UTF-8 was not written by the portal: it is read, so that its row's seal refuses it.
    connection.text_factory = _text
    for pragma in (
        f"busy_timeout={_WAIT * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class Database:
    """Sessions on the business database; `seals` check what they load and seal what they write."""

    def __init__(self, engine: Engine, seals: Seals) -> None:
        self.engine = engine
        self.seals = seals
        self._writing = engine.execution_options(immediate=True)
        # A session reads one state from its first query to its last; SQLite does so by itself.
        self._reading = engine
        if engine.dialect.name == "postgresql":
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session that only reads; raises Unavailable when the database does not answer."""
        session = PortalSession(self._reading, expire_on_commit=False, autoflush=False)
        session.info["seals"] = self.seals
        try:
            yield session
        except _FAULTS as fault:
            if _is_down(fault):
                raise _unavailable() from fault
            raise
        finally:
            session.close()

    @contextmanager
    def write(self, log_entry: int | None = None) -> Iterator[Session]:
        """Yield a session in one writing transaction, committed at the end, rolled back on any error.

        `log_entry` is the intent under which sealed rows are changed; without it no sealed row can be added.
        Raises Unavailable when the database does not answer or is locked.
        """
        session = PortalSession(self._writing, expire_on_commit=False)
        session.info["seals"] = self.seals
        if log_entry is not None:
            session.info["log_entry"] = log_entry
        try:
            yield session
            session.commit()
        except _FAULTS as fault:
            session.rollback()
            if _is_down(fault):
                raise _unavailable() from fault
            raise
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _is_down(fault: Exception) -> bool:
    # A damaged file is told as a bare DatabaseError, what is wrong with a statement or its values as one of its kinds.
    return isinstance(fault, (OperationalError, NoConnection)) or type(fault) is DatabaseError


def _unavailable() -> Unavailable:
    return Unavailable(
        "The database does not answer, so nothing was changed.",
        mend="Try again in a minute; an administrator runs `strongroom doctor` when it lasts.",
    )
