"""A world that was made on SQLite, put into PostgreSQL as it is: every row's seal holds there too."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Boolean, Table

from bench.world import settings_in
from portal import models
from portal.services import installation

_LOG = ("keys", "anchor")
_AT_ONCE = 10_000


def to_postgresql(source: Path, folder: Path, database_url: str) -> None:
    """Copy the world in `source` into an empty database and a new `folder`: the log and the keys are files as before.

    The indexes are made after the rows, as anybody would who restores so much.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.name in _LOG:
            shutil.copytree(path, folder / path.name)
        elif path.is_file() and not path.name.startswith("portal.db"):
            shutil.copy2(path, folder / path.name)
    (folder / "blobs").mkdir(exist_ok=True)
    installation.migrate(settings_in(folder, database_url))
    with psycopg.connect(database_url, autocommit=False) as connection:
        held = {
            row[0]: row[1]
            for row in connection.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('documents',"
                " 'versions') AND indexdef NOT LIKE 'CREATE UNIQUE%'"
            )
        }
        connection.execute("SET session_replication_role = replica")
        for name in held:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        with closing(sqlite3.connect(f"file:{source / 'portal.db'}?mode=ro", uri=True)) as rows:
            for table in models.Base.metadata.sorted_tables:
                _copy(connection, rows, table)
        for definition in held.values():
            connection.execute(definition.encode())
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")


def _copy(connection: Any, rows: sqlite3.Connection, table: Table) -> None:
    columns = list(table.columns)
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    flags = [number for number, column in enumerate(columns) if isinstance(column.type, Boolean)]
    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
    found = rows.execute(f"SELECT {', '.join(column.name for column in columns)} FROM {table.name}")
    with connection.cursor().copy(into) as copy:
        while some := found.fetchmany(_AT_ONCE):
            for row in some:
                if flags:
                    row = [bool(value) if number in flags else value for number, value in enumerate(row)]
                copy.write_row(row)
