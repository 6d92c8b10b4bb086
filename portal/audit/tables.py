"""The tables of the log's own database. They have no foreign key into the rest of the portal.

`leaves` is the log. `head` is the row that serialises appends. `subjects` and `open_intents` follow from the
leaves and are kept in the same transaction, so that an append need not read the past. `disclosures` opens
commitments and is the one thing that can be erased. `tree`, `tiles` and `checkpoints` are built behind the
appends.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    insert,
    select,
    text,
)

metadata = MetaData()
# SQLite makes a primary key the row's own number, without a second index, only when its type is INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")

leaves = Table(
    "leaves",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
)
head = Table(
    "head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", Number, nullable=False),
    Column("time", Number, nullable=False),  # of the last leaf, microseconds since 1970
)
subjects = Table(
    "subjects",
    metadata,
    Column("subject", String(160), primary_key=True),
    Column("n", Number, nullable=False),
    Column("last", Number, nullable=False),
    sqlite_with_rowid=False,
)
open_intents = Table(
    "open_intents",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("action", String(64), nullable=False),
    Column("time", Number, nullable=False),
)
disclosures = Table(
    "disclosures",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("name", String(32), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
)
tree = Table(
    "tree",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", Number, nullable=False),  # leaves whose hashes stand in `tiles`
)
tiles = Table(
    "tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", Number, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)

# The projection: whole numbers that pages are found by, rebuilt from the leaves at any time, never trusted.
names = Table(
    "names",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("value", String(1024), nullable=False),
    UniqueConstraint("kind", "value"),
)
NAMED = ("actor", "document", "programme", "organisation", "action", "label")
"""The columns of `records` that hold ids of `names`; also the kinds of names, and fields of a leaf."""

records = Table(
    "records",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("time", Number, nullable=False),
    *(Column(column, Number) for column in NAMED),
    Column("decision", SmallInteger),
    *(Index(f"records_{column}", column, "seq") for column in ("time", *NAMED, "decision")),
)
readers = Table(
    "readers",
    metadata,
    Column("document", Number, primary_key=True, autoincrement=False),
    Column("actor", Number, primary_key=True, autoincrement=False),
    Column("first", Number, nullable=False),
    Column("last", Number, nullable=False),
    Column("count", Number, nullable=False),
)
projection = Table(
    "projection",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", Number, nullable=False),  # leaves that are projected
    Column("generation", Number, nullable=False),  # grows with each rebuilding
)

_REFUSAL = "CREATE TRIGGER IF NOT EXISTS leaves_no_{} BEFORE {} BEGIN SELECT RAISE(ABORT, '{}'); END"
_REFUSALS = (
    _REFUSAL.format("update", "UPDATE ON leaves", "a leaf of the log never changes"),
    _REFUSAL.format("delete", "DELETE ON leaves", "a leaf of the log is never deleted"),
    # INSERT OR REPLACE would get round the other two: its hidden delete fires no trigger.
    _REFUSAL.format(
        "replace",
        "INSERT ON leaves WHEN EXISTS (SELECT 1 FROM leaves WHERE seq = NEW.seq)",
        "a leaf of the log is never replaced",
    ),
)


def create_log(engine: Engine) -> None:
    """Create what is missing of the log's tables, triggers and single rows; safe to call again."""
    metadata.create_all(engine)
    with engine.connect().execution_options(audit_write=30.0) as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            for statement in _REFUSALS:
                connection.execute(text(statement))
        if connection.execute(select(head.c.id)).first() is None:
            connection.execute(insert(head).values(id=1, size=0, time=0))
        if connection.execute(select(tree.c.id)).first() is None:
            connection.execute(insert(tree).values(id=1, size=0))
        if connection.execute(select(projection.c.id)).first() is None:
            connection.execute(insert(projection).values(id=1, size=0, generation=1))
