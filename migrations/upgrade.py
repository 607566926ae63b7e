"""Brings a job database's tables to this version of Regatta, and back.

The revisions are part of the package and need no configuration file, so this works from any
directory. Each function does all its work in one transaction: a failed migration leaves the
database as it was, and if several processes start at once, one migrates and the others wait.

On PostgreSQL a migration waits only briefly for a table, since everyone after it has to queue
behind it; instead it lets go and tries again, for as long as `Database.patience` allows.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from core.errors import UsageError
from store.database import Database

HEAD = "head"

_ONE_AT_A_TIME = 0x52656761747461  # "Regatta"; locks in our own database are ours
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 10.0
_POSTGRES_LIMITS = (
    # For other processes' migrations, which may take a while.
    "SET LOCAL lock_timeout = '10min'",
    "SET LOCAL statement_timeout = '10min'",
    f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})",
    "SET LOCAL lock_timeout = '2s'",
    "SET LOCAL statement_timeout = '5min'",
)


def upgrade(url: str) -> None:
    """Bring the database to the newest revision, from an empty one or any other.

    Raises:
        RetryableError: the database could not be reached or stayed locked.
        UsageError: a newer version of Regatta made it.
    """
    _migrate(url, lambda config: command.upgrade(config, HEAD))


def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision`, or with `base` drop all tables.

    Raises:
        RetryableError: the database could not be reached or stayed locked.
        UsageError: no such revision is known.
    """
    _migrate(url, lambda config: command.downgrade(config, revision))


def current(url: str) -> str | None:
    """Return the database's revision, or None if it has no tables of ours.

    Raises:
        RetryableError: the database could not be reached or stayed locked.
    """
    db = Database(url, patience=_LOOK_SECONDS, application="regatta migrations")
    try:
        return db.read(lambda s: MigrationContext.configure(s.connection()).get_current_revision())
    finally:
        db.close()


def is_current(url: str) -> bool:
    """Return whether the database is at the newest revision that this version knows.

    Raises:
        RetryableError: the database could not be reached or stayed locked.
    """
    return current(url) == ScriptDirectory.from_config(_config()).get_current_head()


def _migrate(url: str, step: Callable[[Config], None]) -> None:
    def work(session: Session) -> None:
        if not db.is_sqlite:
            for limit in _POSTGRES_LIMITS:
                session.execute(text(limit))
        config = _config()
        config.attributes["connection"] = session.connection()
        step(config)

    db = Database(url, patience=_PATIENCE_SECONDS, application="regatta migrations")
    if db.is_sqlite:
        event.listen(db.engine, "connect", _let_tables_go)
    try:
        db.write(work)
    except CommandError as error:
        raise UsageError(
            f"the database cannot be migrated: {error}",
            hint="use the version of Regatta that it was made with, or a newer one",
        ) from error
    finally:
        db.close()


def _let_tables_go(connection: sqlite3.Connection, _record: Any) -> None:
    # Copying a table drops the old one, and by its foreign keys that would delete the rows that
    # refer to it. Inside a transaction this setting can no longer be changed.
    connection.execute("PRAGMA foreign_keys=OFF").close()


def _config() -> Config:
    config = Config()
    here = str(Path(__file__).parent)
    config.set_main_option("script_location", here.replace("%", "%%"))
    return config
