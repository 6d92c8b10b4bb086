"""Alembic's environment: runs migrations on the connection that it is handed."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from portal.models import Base, Moment


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write times as what the database holds, so that a migration does not change with our types."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Moment) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
