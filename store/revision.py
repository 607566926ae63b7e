"""Reads which revision a job database's tables are at, without the migrations' own tools."""

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

NEWEST = "0013"
"""The revision that this version's tables are at; the migrations make it."""

_TABLE = "alembic_version"


def revision_of(session: Session) -> str | None:
    """Return the revision that a database is at, or None if it has no tables of ours."""
    if not inspect(session.connection()).has_table(_TABLE):
        return None
    found: str | None = session.scalar(text(f"SELECT version_num FROM {_TABLE}"))  # noqa: S608
    return found
