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
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    literal_column,
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
    Column("last", Number, nullable=False),  # the newest leaf that carries it
    Column("count", Number, nullable=False),  # leaves that carry it
    UniqueConstraint("kind", "value"),
    Index("names_last", "kind", "last"),
)
NAMED = ("actor", "document", "programme", "organisation", "action", "label")
"""The columns of `records` that hold ids of `names`; also the kinds of names, and fields of a leaf."""

FOLDED, ROUTINE, ENTRY = 0, 1, 2
"""`shown`: an outcome that its intent's entry shows, an entry of the daily routine, any other entry."""

OPEN = 0
"""`result` of an intent without an outcome; the others are those of `RESULTS`."""

RESULTS = {"complete": 1, "aborted": 2, "failed": 3, "unknown": 4}

REFUSED = text("decision = 2")
"""Refusals are few among many records, and have indexes of their own: alone, and by what is asked for most."""

UNSURE = text("result IN (0, 4)")
"""Intents whose end is not recorded. SQLite takes an index of some rows only for a query that says the same words."""

OF_REFUSALS = ("actor", "document", "programme", "organisation")


def unindexed(column: str) -> ColumnElement[int]:
    """Return a column of `records` in words that only an index of refusals matches: SQLite cannot tell beforehand
    which index leaves the fewest rows, so a query names what it must not use.
    """
    return literal_column(f"{column} + 0", Number)


records = Table(
    "records",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("time", Number, nullable=False),
    *(Column(column, Number) for column in NAMED),
    Column("decision", SmallInteger),
    Column("shown", SmallInteger, nullable=False),
    Column("result", SmallInteger),  # of an intent: OPEN, or what its outcome says
    Column("ended", Number),  # of an intent: the number of its outcome
    Index("records_time", "time", "seq"),
    # `shown` lets entries be counted without a look at their rows.
    *(Index(f"records_{column}", column, "seq", "shown") for column in NAMED),
    Index("records_shown", "shown", "seq"),
    Index("records_refused", "seq", sqlite_where=REFUSED, postgresql_where=REFUSED),
    *(
        Index(
            f"records_{column}_refused",
            text(f"({column} + 0)"),
            "seq",
            sqlite_where=REFUSED,
            postgresql_where=REFUSED,
        )
        for column in OF_REFUSALS
    ),
    Index("records_unsure", "seq", sqlite_where=UNSURE, postgresql_where=UNSURE),
)
# Who was shown a document's content (`count` times, of which `views` and `downloads`), and who was refused it.
readers = Table(
    "readers",
    metadata,
    Column("document", Number, primary_key=True, autoincrement=False),
    Column("actor", Number, primary_key=True, autoincrement=False),
    Column("organisation", Number),  # theirs, when they came last
    Column("first", Number),  # none where they were only refused
    Column("last", Number),
    Column("count", Number, nullable=False),
    Column("views", Number, nullable=False),
    Column("downloads", Number, nullable=False),
    Column("bytes", Number, nullable=False),  # handed over, as the outcomes say
    Column("refused", Number, nullable=False),
    Column("refused_last", Number),
    Column("latest", Number, nullable=False),
    Index("readers_document", "document", "latest"),
    Index("readers_actor", "actor", "latest"),
)
# How many entries an hour: of all (`name` 0) and of each of `names`. Charts over a long time add these up.
hours = Table(
    "hours",
    metadata,
    Column("name", Number, primary_key=True, autoincrement=False),
    Column("hour", Number, primary_key=True, autoincrement=False),  # hours since 1970
    Column("permitted", Number, nullable=False),
    Column("routine", Number, nullable=False),  # permitted as well, of the daily routine
    Column("refused", Number, nullable=False),
    sqlite_with_rowid=False,
)
projection = Table(
    "projection",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", Number, nullable=False),  # leaves that are projected
    Column("generation", Number, nullable=False),  # grows with each rebuilding
)

PROJECTED = (names, records, readers, hours, projection)
"""The tables of the projection."""
