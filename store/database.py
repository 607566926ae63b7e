"""The job database: SQLite on one machine, PostgreSQL for a fleet; one set of functions.

Work on the database is a function of a session, given to `read` or `write`. A write may run
again after a lock or a lost connection, so it does no I/O of its own and keeps no state.
"""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, func, select
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from core.errors import RetryableError, UsageError

T = TypeVar("T")

_PATIENCE_SECONDS = 60.0
_BUSY_SECONDS = 5.0
_LONGEST_PAUSE = 0.5
_WRITES = {"regatta_writes": True}


class Database:
    """An engine, and the two ways to use it.

    `clock` is this machine's time in seconds since the epoch. PostgreSQL's own clock takes its
    place where the server is shared, so that leases never depend on a worker's clock.
    `patience` is for how many seconds a database that is locked or away is asked again.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.time,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self.url = url
        self.clock = clock
        self.patience = patience
        self.engine = _engine(url, busy_seconds=min(_BUSY_SECONDS, patience))

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file on this machine."""
        return self.engine.dialect.name == "sqlite"

    def now(self, session: Session) -> float:
        """Return the time by which leases are kept, in seconds since the epoch."""
        if self.is_sqlite:
            return self.clock()
        return float(session.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0)

    def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a read transaction and return what it returns.

        Raises:
            RetryableError: the database could not be reached or stayed locked.
        """
        return self._patiently(work, self.engine)

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction that may write, commit it, and return what it returns.

        Raises:
            RetryableError: the database could not be reached, stayed locked or is full.
        """
        return self._patiently(work, self.engine.execution_options(**_WRITES))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _patiently(self, work: Callable[[Session], T], engine: Engine) -> T:
        """Repeat `work` while the database is locked or away, for a bounded time.

        A commit whose answer was lost may have happened: work is compare-and-set throughout, so
        its second run then finds nothing left to change.
        """
        deadline = time.monotonic() + self.patience
        pause = 0.02
        while True:
            try:
                with Session(engine, expire_on_commit=False) as session, session.begin():
                    return work(session)
            except DBAPIError as error:
                if not _may_pass(error):
                    raise
                if time.monotonic() > deadline or _is_full(error):
                    raise RetryableError(
                        f"the database {redacted(self.url)} cannot be used: {error.orig}",
                        hint="see that its disk has room and that nothing holds its lock",
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(_LONGEST_PAUSE, pause * 2)


def redacted(url: str) -> str:
    """Return the URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _engine(url: str, *, busy_seconds: float) -> Engine:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise UsageError(
            f"database URL {url!r} cannot be read",
            hint="write sqlite:////path/regatta.db or postgresql+psycopg://user@host/regatta",
        ) from error
    if parsed.get_backend_name() != "sqlite":
        return _server_engine(parsed)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": busy_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _server_engine(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ImportError, ArgumentError) as error:
        raise UsageError(
            f"no driver for {url.drivername!r} databases is installed: {error}",
            hint="use SQLite, or install the driver into Regatta's environment",
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not open transactions by itself: its deferred ones fail at once when a
    # reader turns writer, whatever the busy timeout.
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


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("regatta_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _may_pass(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        text = str(error.orig)
        return any(
            word in text for word in ("locked", "busy", "disk I/O", "full", "unable to open")
        )
    return True


def _is_full(error: DBAPIError) -> bool:
    return "full" in str(error.orig)
