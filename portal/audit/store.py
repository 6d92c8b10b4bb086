"""The log's own database engine: how a transaction begins on it, and what its faults mean to the portal.

On SQLite a writer takes the file's one write lock. On PostgreSQL writers of different tables do not wait for one
another, and appends take turns at the head's row, which they read FOR UPDATE.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import ConnectionPoolEntry

from portal.errors import Tampered, Unavailable

_FAULTS = (DBAPIError, NoConnection, sqlite3.Error, OSError)
_POLL = 0.001
_READ_WAIT = 5000
_MEND = (
    "Check the log's disk and database file; the portal goes on by itself as soon as the log can be written."
)


def open_log_engine(place: Path | str) -> Engine:
    """Open the log's own database: an SQLite file, or a PostgreSQL URL.

    The file is created for its owner alone: WAL, synchronous=FULL, explicit transactions. On PostgreSQL
    `synchronous_commit` is on whatever the server's default, and whoever only reads sees one state.
    """
    return _open_file(place) if isinstance(place, Path) else _open_server(place)


def _open_server(address: str) -> Engine:
    url = make_url(address)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url,
        pool_size=8,
        max_overflow=24,
        pool_timeout=_READ_WAIT / 1000,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c synchronous_commit=on -c timezone=UTC -c lock_timeout={_READ_WAIT}",
        },
    )
    event.listen(engine, "begin", _begin_on_server)
    return engine


def _begin_on_server(connection: Connection) -> None:
    wait = connection.get_execution_options().get("audit_write")
    if wait is None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    else:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(wait * 1000))}")


def _open_file(path: Path) -> Engine:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    engine = create_engine(
        URL.create("sqlite", database=str(path)), pool_size=8, max_overflow=56, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver would otherwise begin transactions by itself, and never with IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_READ_WAIT}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "temp_store=MEMORY",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    wait = connection.get_execution_options().get("audit_write")
    if wait is None:
        connection.exec_driver_sql("BEGIN")
        return
    # SQLite's own busy handler backs off to 100 ms; another process's append takes about one.
    driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    driver.execute("PRAGMA busy_timeout=0")
    deadline = time.monotonic() + wait
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL)
    finally:
        driver.execute(f"PRAGMA busy_timeout={_READ_WAIT}")


@contextmanager
def writing(engine: Engine, wait: float) -> Iterator[Connection]:
    """Open a transaction that may write, waiting at most `wait` seconds for its turn, and commit it at the
    end.

    Raises Unavailable when the log cannot be written now, Tampered when its rows contradict each other.
    """
    try:
        with engine.connect() as connection:
            connection.execution_options(audit_write=wait)
            with connection.begin():
                yield connection
    except IntegrityError as error:
        raise Tampered(
            "the log's tables contradict each other", mend="Run “strongroom audit verify”."
        ) from error
    except _FAULTS as error:
        raise Unavailable("the access log cannot be written", mend=_MEND) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, on one consistent state; raises Unavailable when the log cannot be
    read.
    """
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except _FAULTS as error:
        raise Unavailable("the access log cannot be read", mend=_MEND) from error
