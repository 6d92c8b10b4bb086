"""The key ring's store: wrapped keys as rows of the business database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from sqlalchemy import Engine, case, insert, literal, select, update

from crypto.keyring import WrappedKey
from portal.clock import system_clock
from portal.models.base import Moment
from portal.models.installation import Key


class DatabaseKeyStore:
    """Keeps wrapped keys in the table `keys`; the wrapping itself binds each to its place."""

    def __init__(self, engine: Engine) -> None:
        # Reading takes no lock: a row that names a key that nobody has is met inside a writing transaction too.
        self._engine = engine
        self._writing = engine.execution_options(immediate=True)

    def load(self) -> Iterable[WrappedKey]:
        """Return all keys."""
        table = Key.__table__
        columns = [table.c[field.name] for field in fields(WrappedKey)]
        with self._engine.connect() as connection:
            rows = connection.execute(select(*columns)).mappings().all()
        return [WrappedKey(**row) for row in rows]

    def add(self, key: WrappedKey) -> None:
        """Keep a new key; raises sqlalchemy.exc.IntegrityError when its (kind, domain, version) is taken."""
        with self._writing.begin() as connection:
            connection.execute(
                insert(Key).values(
                    id=key.id,
                    kind=key.kind,
                    domain=key.domain,
                    version=key.version,
                    state=key.state,
                    created=key.created,
                    wrapped=key.wrapped,
                )
            )

    def replace(self, keys: Sequence[WrappedKey]) -> None:
        """Write state and wrapping of keys that are kept already, in one transaction."""
        with self._writing.begin() as connection:
            for key in keys:
                since = case(
                    (Key.state != str(key.state), literal(system_clock(), Moment())), else_=Key.changed
                )
                values = {"state": str(key.state), "wrapped": key.wrapped, "changed": since}
                connection.execute(update(Key).where(Key.id == key.id).values(values))
