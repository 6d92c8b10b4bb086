"""Making the log's tables: triggers that keep leaves as they are, and on a server the rights of its two roles.

The appending role may add leaves and read them, move the head's one row, and keep what is derived from the leaves. The
keeping role alone may delete: leaves whose time has passed and salts of people who are forgotten. Neither owns a table.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, Engine, insert, inspect, select, text
from sqlalchemy.schema import CreateIndex

from portal.audit.tables import PROJECTED, head, metadata, projection, tree
from portal.errors import Unavailable

_WAIT = 30.0

_REFUSAL = "CREATE TRIGGER IF NOT EXISTS leaves_no_{} BEFORE {} BEGIN SELECT RAISE(ABORT, '{}'); END"
_ON_FILE = (
    _REFUSAL.format("update", "UPDATE ON leaves", "a leaf of the log never changes"),
    _REFUSAL.format("delete", "DELETE ON leaves", "a leaf of the log is never deleted"),
    # INSERT OR REPLACE would get round the other two: its hidden delete fires no trigger.
    _REFUSAL.format(
        "replace",
        "INSERT ON leaves WHEN EXISTS (SELECT 1 FROM leaves WHERE seq = NEW.seq)",
        "a leaf of the log is never replaced",
    ),
)
# The owner of a table has every right on it, and so is stopped by the trigger; whoever keeps the log is told to it by
# name when the trigger is made.
_ON_SERVER = (
    """CREATE OR REPLACE FUNCTION leaves_stay() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' AND TG_NARGS = 1 AND session_user = TG_ARGV[0] THEN RETURN OLD; END IF;
      RAISE EXCEPTION 'a leaf of the log never changes and is never deleted' USING ERRCODE = 'restrict_violation';
    END $$""",
    "DROP TRIGGER IF EXISTS leaves_stay ON leaves",
    "CREATE TRIGGER leaves_stay BEFORE UPDATE OR DELETE ON leaves FOR EACH ROW EXECUTE FUNCTION leaves_stay({})",
    "DROP TRIGGER IF EXISTS leaves_stay_all ON leaves",
    "CREATE TRIGGER leaves_stay_all BEFORE TRUNCATE ON leaves EXECUTE FUNCTION leaves_stay()",
)
_APPENDING = (
    "SELECT, INSERT ON leaves, checkpoints, disclosures",
    "SELECT, UPDATE ON head, tree",
    "SELECT, INSERT, UPDATE ON subjects, tiles",
    "SELECT, INSERT, DELETE ON open_intents",
    f"SELECT, INSERT, UPDATE, DELETE ON {', '.join(table.name for table in PROJECTED)}",
)
_KEEPING = ("SELECT, DELETE ON leaves, disclosures", "SELECT ON head, tree, tiles, checkpoints, subjects")


def create_log(engine: Engine, appender: str | None = None, keeper: str | None = None) -> None:
    """Create what is missing of the log's tables, triggers and single rows; safe to call again.

    On PostgreSQL `engine` is the owner's; the roles `appender` and `keeper`, which must exist, get their rights.
    """
    with engine.connect().execution_options(audit_write=_WAIT) as connection, connection.begin():
        metadata.create_all(connection)
    renew_projection(engine)
    with engine.connect().execution_options(audit_write=_WAIT) as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            for statement in _ON_FILE:
                connection.execute(text(statement))
        else:
            _guard(connection, appender, keeper)
        if connection.execute(select(head.c.id)).first() is None:
            connection.execute(insert(head).values(id=1, size=0, time=0))
        if connection.execute(select(tree.c.id)).first() is None:
            connection.execute(insert(tree).values(id=1, size=0))
        _begin_projection(connection)


def _guard(connection: Connection, appender: str | None, keeper: str | None) -> None:
    quoted = connection.dialect.identifier_preparer.quote_identifier
    named = "" if keeper is None else "'" + keeper.replace("'", "''") + "'"
    for statement in _ON_SERVER:
        connection.exec_driver_sql(statement.replace("({})", f"({named})"))
    names = ", ".join(table.name for table in metadata.sorted_tables)
    connection.exec_driver_sql(f"REVOKE ALL ON {names} FROM PUBLIC")
    for role, rights in ((appender, _APPENDING), (keeper, _KEEPING)):
        if role is None:
            continue
        connection.exec_driver_sql(f"REVOKE ALL ON {names} FROM {quoted(role)}")
        for right in rights:
            connection.exec_driver_sql(f"GRANT {right} TO {quoted(role)}")
    if appender is not None:
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE names_id_seq TO {quoted(appender)}")


def renew_projection(engine: Engine) -> None:
    """Make the projection's tables anew, empty, where an earlier release left other columns; add indexes that lack.

    Raises Unavailable on a server where this role may not: the owner runs `strongroom audit prepare`.
    """
    with engine.connect() as connection, connection.begin():
        same, lacking = _compare(connection)
        if same and not lacking:
            return
        if engine.dialect.name == "postgresql" and not _owns(connection):
            raise Unavailable(
                "the access log's tables are not those of this release",
                mend="Run “strongroom audit prepare” with `log_owner_url` set.",
            )
    with engine.connect().execution_options(audit_write=_WAIT) as connection, connection.begin():
        same, _ = _compare(connection)
        if same:
            for index in (index for table in PROJECTED for index in table.indexes):
                connection.execute(CreateIndex(index, if_not_exists=True))
            return
        metadata.drop_all(connection, tables=list(PROJECTED))
        metadata.create_all(connection, tables=list(PROJECTED))
        _begin_projection(connection)


def _compare(connection: Connection) -> tuple[bool, bool]:
    """Return whether the projection's tables have their columns, and whether an index may be lacking."""
    stored = inspect(connection)
    there = set(stored.get_table_names())
    for table in PROJECTED:
        if table.name not in there:
            return False, True
        if {column["name"] for column in stored.get_columns(table.name)} != set(table.c.keys()):
            return False, True
    # A file's owner is always asked to add what lacks; a server's appending role could not even ask.
    if connection.dialect.name == "sqlite":
        return True, True
    have = {index["name"] for table in PROJECTED for index in stored.get_indexes(table.name)}
    return True, any(index.name not in have for table in PROJECTED for index in table.indexes)


def _owns(connection: Connection) -> bool:
    owner = "SELECT pg_has_role(current_user, tableowner, 'USAGE') FROM pg_tables WHERE tablename = 'leaves'"
    return bool(connection.exec_driver_sql(owner).scalar())


def _begin_projection(connection: Connection) -> None:
    if connection.execute(select(projection.c.id)).first() is None:
        connection.execute(insert(projection).values(id=1, size=0, generation=secrets.randbits(31)))
