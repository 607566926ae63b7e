"""Compare-and-set, as the database answers it."""

from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.dml import UpdateBase

from core.escape import storable


def count(session: Session, statement: UpdateBase) -> int:
    """Run a statement that changes rows and return how many it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def column_text(text: str) -> str:
    """Return text as a database can store it: lone surrogates and NUL are escaped."""
    return storable(text).replace("\0", "\\0")


def new_or_known(
    session: Session, table: type[DeclarativeBase], values: dict[str, Any]
) -> sqlite.Insert:
    """Return an INSERT to which the caller adds what happens if the row is there already.

    Looking first and then inserting is a race that two sessions can both lose.
    """
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table).values(values)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 20 ms that SQLite need not wait

    return cast("sqlite.Insert", postgresql.insert(table).values(values))  # the same in both


def changed(session: Session, statement: UpdateBase) -> bool:
    """Return whether the statement found its row as expected."""
    return count(session, statement) > 0
