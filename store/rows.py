"""Compare-and-set, as the database answers it."""

from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase


def count(session: Session, statement: UpdateBase) -> int:
    """Run a statement that changes rows and return how many it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def printable(text: str) -> str:
    """Return text as a database can store it: what is no Unicode is spelled out."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def changed(session: Session, statement: UpdateBase) -> bool:
    """Whether the statement found a row that still was as it expected."""
    return count(session, statement) > 0
