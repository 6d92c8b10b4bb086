"""Words of SQL that lists are made of: many values as one parameter, and columns that no index is looked for.

With one parameter a statement's text stays short, is compiled once, and is prepared once.
A parameter for each value costs more than the rows that are found: with 500 programmes and 1,000 labels most of a
list's time went into rendering, sending and parsing them.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Dialect, Integer, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine


class Listed(TypeDecorator[Collection[Any]]):
    """Many values in one text: JSON for SQLite; for PostgreSQL with commas between, so that a value holds none."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> str | None:
        """Write ids (numbers or texts without a comma)."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return ",".join(map(str, value))
        return json.dumps(list(value), separators=(",", ":"))


class one_of(FunctionElement[bool]):  # noqa: N801 - it reads like a function of SQL
    """True where a column holds one of many values, which are ids: numbers, or texts without a comma.

    With `name` the values are that parameter's, given when the statement runs.
    """

    inherit_cache = True
    name = "one_of"
    type = Boolean()

    def __init__(
        self, column: ColumnElement[Any], values: Collection[Any] = (), *, name: str | None = None
    ) -> None:
        given = bindparam(name, type_=Listed) if name else bindparam(None, values, Listed, unique=True)
        super().__init__(column, given)
        self.number = isinstance(_type_of(column), Integer)

    def self_group(self, against: OperatorType | None = None) -> one_of:
        """Stand as it is: SQLAlchemy would compare it with 1, and SQLite then looks for no index."""
        return self


def _type_of(column: ColumnElement[Any]) -> TypeEngine[Any]:
    return column.type


@compiles(one_of)
def _within_json(element: one_of, compiler: SQLCompiler, **more: Any) -> str:
    column, values = [compiler.process(part, **more) for part in element.clauses]
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are made by the compiler


@compiles(one_of, "postgresql")
def _within_array(element: one_of, compiler: SQLCompiler, **more: Any) -> str:
    column, values = [compiler.process(part, **more) for part in element.clauses]
    kind = "INTEGER" if element.number else "VARCHAR"
    return f"{column} = ANY (CAST(string_to_array({values}, ',') AS {kind}[]))"


class hidden(FunctionElement[Any]):  # noqa: N801 - it reads like a function of SQL
    """A column that SQLite looks for no index for; other databases see the column itself."""

    inherit_cache = True
    name = "hidden"

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(hidden)
def _as_it_is(element: hidden, compiler: SQLCompiler, **more: Any) -> str:
    return compiler.process(element.clauses.clauses[0], **more)


@compiles(hidden, "sqlite")
def _with_a_plus(element: hidden, compiler: SQLCompiler, **more: Any) -> str:
    return f"+{compiler.process(element.clauses.clauses[0], **more)}"
