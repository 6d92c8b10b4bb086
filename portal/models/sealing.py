"""Sealed rows and sealed columns: what the portal reads back from its database is what it wrote, or it is refused.

A row of a `SealedRow` class carries an HMAC over its table, key, version and every column. It is computed before each
flush and checked whenever the ORM loads the row, so no code can read an unchecked row by accident. A `SealedText`
column is encrypted; its associated data bind it to its place (`crypto.md`, *Sealed values*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, Table, event
from sqlalchemy.orm import Mapped, QueryContext, Session, mapped_column
from sqlalchemy.orm.state import InstanceState

from crypto.errors import Damaged
from crypto.sealed import RowSealer, ValueSealer
from portal.errors import Tampered
from portal.models.base import Base, Octets

_KEY = "seals"
_UNSEALED = (Damaged, TypeError)
"""What a row that was not sealed as it stands raises: a seal never covers a value of a wrong type (a float, say)."""


@dataclass(frozen=True, slots=True)
class Seals:
    """What seals and checks rows (`rows`) and columns (`values`)."""

    rows: RowSealer
    values: ValueSealer


class TamperedRow(Tampered):
    """A row does not match its seal; `table` and `key` name it for the log, never for the person."""

    def __init__(self, table: str, key: str) -> None:
        super().__init__(
            "Stored data failed its integrity check, so nothing was opened.",
            mend="The security officers have been told. Ask them before you try again.",
        )
        self.table = table
        self.key = key


class SealedRow(Base):
    """A row that authentication or a rule reads: sealed as a whole, versioned at each change.

    `log_entry` is the log's intent under which the row was last changed (`Database.change`).
    """

    __abstract__ = True

    log_entry: Mapped[int] = mapped_column(BigInteger, index=True, sort_order=97)
    row_version: Mapped[int] = mapped_column(sort_order=98)
    seal: Mapped[bytes] = mapped_column(Octets(64), sort_order=99)

    sealed_texts: ClassVar[tuple[str, ...]] = ()
    """Names of the attributes that are `SealedText`."""

    def context(self) -> tuple[str | int | bytes, ...]:
        """Return what the sealed columns of this row are bound to, besides their column's name."""
        return (self.__tablename__, primary_key(self))


class SealedText:
    """An attribute of text that is stored encrypted in the column `<name>_sealed`."""

    def __init__(self, column: str) -> None:
        self.column = column

    def __set_name__(self, owner: type[SealedRow], name: str) -> None:
        self.name = name
        owner.sealed_texts = (*owner.sealed_texts, name)

    def __get__(self, row: SealedRow | None, owner: type[SealedRow]) -> str:
        if row is None:
            return cast(str, self)
        plain: dict[str, str] = row.__dict__.setdefault("_plain", {})
        if self.name not in plain:
            seals: Seals = row.__dict__["_seals"]
            blob: bytes = getattr(row, self.column)
            plain[self.name] = open_text(
                seals, row.__dict__["_context"], self.column, blob, row.__tablename__, primary_key(row)
            )
        return plain[self.name]

    def __set__(self, row: SealedRow, value: str) -> None:
        row.__dict__.setdefault("_plain", {})[self.name] = value
        setattr(row, self.column, b"")


def open_text(
    seals: Seals, context: Sequence[str | int | bytes], column: str, blob: bytes, table: str, key: str
) -> str:
    """Open one sealed text column; raises TamperedRow when it is not what was sealed in this place."""
    try:
        return seals.values.open((*context, column), blob).decode()
    except Damaged:
        raise TamperedRow(table, key) from None


def primary_key(row: Base) -> str:
    """Return the row's primary key as one string."""
    table = cast(Table, row.__table__)
    return "/".join(str(getattr(row, column.key)) for column in table.primary_key.columns)


def _values(row: SealedRow) -> list[tuple[str, Any]]:
    return [(name, getattr(row, name)) for name in column_names(row.__table__)]


_COLUMNS: dict[int, tuple[str, ...]] = {}


def column_names(table: Any) -> tuple[str, ...]:
    """Return the columns that a row's seal covers, in the order in which it covers them."""
    names = _COLUMNS.get(id(table))
    if names is None:
        names = _COLUMNS[id(table)] = tuple(
            sorted(column.key for column in table.columns if column.key not in ("seal", "row_version"))
        )
    return names


def verify_mapping(seals: Seals, table: Table, row: Mapping[str, Any]) -> None:
    """Check a row that was read without the ORM (`row`: every column by name); raises TamperedRow."""
    key = "/".join(str(row[column.key]) for column in table.primary_key.columns)
    values = [(name, row[name]) for name in column_names(table)]
    try:
        seals.rows.verify(table.name, key, row["row_version"], values, row["seal"])
    except _UNSEALED:
        raise TamperedRow(table.name, key) from None


def install(session_class: type[Session]) -> None:
    """Make sessions of this class seal what they write and check what they load.

    The session's `info["seals"]` holds the Seals.
    """
    event.listen(session_class, "before_flush", _seal_changes)


def _seal_changes(session: Session, _context: object, _instances: object) -> None:
    seals: Seals = session.info[_KEY]
    log_entry: int | None = session.info.get("log_entry")
    for row in [*session.new, *session.dirty]:
        if not isinstance(row, SealedRow) or not (row in session.new or session.is_modified(row)):
            continue
        if log_entry is not None:
            row.log_entry = log_entry
        elif row in session.new:
            raise RuntimeError(f"{row.__tablename__}: a sealed row is added under an intent of the log only")
        _seal(row, seals)


def _seal(row: SealedRow, seals: Seals) -> None:
    texts = {name: getattr(row, name) for name in row.sealed_texts}
    row.row_version = (row.row_version or 0) + 1
    context = row.context()
    for name, text in texts.items():
        column = type(row).__dict__[name].column
        setattr(row, column, seals.values.seal((*context, column), text.encode()))
    row.seal = seals.rows.seal(row.__tablename__, primary_key(row), row.row_version, _values(row))
    row.__dict__["_context"] = context
    row.__dict__["_seals"] = seals


def _check(row: SealedRow, seals: Seals) -> None:
    key = primary_key(row)
    try:
        seals.rows.verify(row.__tablename__, key, row.row_version, _values(row), row.seal)
    except _UNSEALED:
        raise TamperedRow(row.__tablename__, key) from None
    row.__dict__["_context"] = row.context()
    row.__dict__["_seals"] = seals
    row.__dict__["_plain"] = {}


@event.listens_for(SealedRow, "load", propagate=True)
def _on_load(row: SealedRow, context: QueryContext) -> None:
    _check(row, context.session.info[_KEY])


@event.listens_for(SealedRow, "refresh", propagate=True)
def _on_refresh(row: SealedRow, context: QueryContext, _attributes: object) -> None:
    _check(row, context.session.info[_KEY])


@event.listens_for(SealedRow, "init", propagate=True)
def _on_init(row: SealedRow, _args: object, values: dict[str, Any]) -> None:
    state: InstanceState[Any] = row.__dict__["_sa_instance_state"]
    for attribute in state.mapper.column_attrs:
        if attribute.key not in values and attribute.key not in ("seal", "row_version"):
            values.setdefault(attribute.key, None)
    values.setdefault("row_version", 0)
