"""What Alembic runs for every command; the connection comes from `migrations.upgrade`."""

from typing import Any

from alembic import context
from sqlalchemy import JSON, Column

from store.tables import Base


def _defaults_differ(  # Alembic decides how many arguments it passes
    _context: Any,
    column: Column[Any],
    _declared: Column[Any],
    found: str | None,
    _default: object,
    wanted: str | None,
) -> bool | None:
    """Compare defaults of JSON as text: PostgreSQL has no `=` for them. None: as usual."""
    if not isinstance(column.type, JSON):
        return None
    return (found or "").removesuffix("::json") != (wanted or "")


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    # SQLite cannot alter a table: Alembic copies it into a new one.
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    compare_server_default=_defaults_differ,
)
with context.begin_transaction():
    context.run_migrations()
