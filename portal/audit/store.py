"""The log's own database engine: how a transaction begins on it, and what its faults mean to the portal."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry

from portal.errors import Tampered, Unavailable

_POLL = 0.001
_READ_WAIT = 5000
_MEND = (
    "Check the log's disk and database file; the portal goes on by itself as soon as the log can be written."
)


def open_log_engine(path: Path) -> Engine:
    """Open the log's own SQLite file (created for its owner alone): WAL, synchronous=FULL, explicit
    transactions.
    """
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
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise Unavailable("the access log cannot be written", mend=_MEND) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, on one consistent state; raises Unavailable when the log cannot be
    read.
    """
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise Unavailable("the access log cannot be read", mend=_MEND) from error
