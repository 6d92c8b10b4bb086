"""Schema migrations of the business database (Alembic): one chain, numbered in order."""

from pathlib import Path

_NUMBER = 4


def number(revision: str) -> str:
    """Return the number by which a revision's id begins: later schemas have higher ones."""
    return revision[:_NUMBER]


def newest() -> str:
    """Return the newest schema's number, from the names of the migrations."""
    names = (path.stem for path in Path(__file__).with_name("versions").glob("[0-9]*.py"))
    return number(max(names))
