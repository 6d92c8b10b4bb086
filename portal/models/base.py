"""The declarative base, the types of columns, and identifiers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = datetime.max.replace(tzinfo=UTC)


def new_id() -> str:
    """Return a fresh random identifier (UUID version 4, 36 characters): it tells nothing and cannot be guessed."""
    return str(uuid.uuid4())


def microseconds(moment: datetime) -> int:
    """Return an aware time as the database holds it: whole microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


class Moment(TypeDecorator[datetime]):
    """An aware time, stored as whole microseconds since 1970 UTC: exact, sortable, alike in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Write an aware time; a naive one is a fault of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times in the database are aware")
        return microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read microseconds back as an aware time in UTC; what is no time becomes one that nobody ever sealed."""
        if value is None:
            return None
        try:
            moment: datetime = _EPOCH + value * _MICROSECOND
        except (TypeError, OverflowError):
            return _NEVER
        return moment


class Octets(LargeBinary):
    """Bytes. SQLite keeps in any column whatever is written to it: what is not bytes is read as none at all."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Return what turns a column's value into bytes."""
        if dialect.name != "sqlite":
            found: Callable[[Any], Any] | None = super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]
            return found

        def process(value: Any) -> bytes | None:
            return value if value is None or type(value) is bytes else b""

        return process


Id = String(36)


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment}  # noqa: RUF012 - SQLAlchemy reads this class attribute
