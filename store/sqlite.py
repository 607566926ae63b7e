"""SQLite, the job database of one machine."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from core.errors import UsageError
from core.private import make_private
from store.file_errors import no_room
from store.trouble import MISTAKE, UNMIGRATED, Kind, Trouble

READS: dict[str, Any] = {}
WRITES: dict[str, Any] = {"regatta_writes": True}

_HINT = "see that its disk has room and that nothing holds its lock"
_PASSING = ("locked", "busy", "disk I/O", "unable to open")
_UNMIGRATED = ("no such table", "no such column", "has no column named")


def open_engine(url: URL, *, busy_seconds: float) -> Engine:
    """Return an engine; the file's folder is created now, the file by its first use.

    Raises:
        UsageError: the folder cannot be created.
        BlockedError: its disk is full.
    """
    if url.database:
        folder = Path(url.database).parent
        try:
            if not folder.is_dir():  # most likely the home
                make_private(folder)
        except OSError as error:
            raise no_room(folder, error) or UsageError(
                f"{str(folder)!r} cannot be made for the job database: {error.strerror}",
                hint="set REGATTA_HOME to a directory that you can write",
            ) from error
    engine = create_engine(url, connect_args={"timeout": busy_seconds})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def diagnose(error: DBAPIError) -> Trouble:
    """Return what an error means; SQLite only tells by its words."""
    if not isinstance(error.orig, sqlite3.OperationalError):
        return MISTAKE
    text = str(error.orig)
    if "full" in text:
        return Trouble(Kind.FULL, "free some space on its disk")
    if "readonly" in text:
        return Trouble(Kind.FULL, "let its file and folder be written")
    if any(words in text for words in _UNMIGRATED):
        return UNMIGRATED
    return Trouble(Kind.PASSING, _HINT) if any(words in text for words in _PASSING) else MISTAKE


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not open transactions by itself: its deferred ones fail at once when a
    # reader becomes a writer, whatever the busy timeout.
    connection.isolation_level = None
    with _cursor(connection) as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")


@contextmanager
def _cursor(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("regatta_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
