"""The job database: SQLite on one machine, PostgreSQL for a fleet; one set of functions.

Work on the database is a function of a session, given to `read` or `write`. It may run again
after a lock or a lost connection, so it does no other I/O and keeps no state.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, extract, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from core.errors import BlockedError, RetryableError, UsageError
from store import postgres, sqlite
from store.database_url import parsed, redacted
from store.trouble import Kind, Trouble

T = TypeVar("T")

_PATIENCE_SECONDS = 60.0
_BUSY_SECONDS = 5.0
_LONGEST_PAUSE = 0.5


class Database:
    """The database engine, and the two ways to use it.

    `clock` is the time by which leases are kept, in seconds since the epoch. By default it is
    the server's, so that leases never depend on a worker's clock; with SQLite, this machine's.
    `patience` is how many seconds to keep asking a database that is locked or away.
    `application` is our name in PostgreSQL's `pg_stat_activity`.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] | None = None,
        patience: float = _PATIENCE_SECONDS,
        application: str = "regatta",
    ) -> None:
        self.url = url
        self.patience = patience
        where = parsed(url)
        self.is_sqlite = where.get_backend_name() == "sqlite"
        self.engine = (
            sqlite.open_engine(where, busy_seconds=min(_BUSY_SECONDS, patience))
            if self.is_sqlite
            else postgres.open_engine(where, application=application)
        )
        vendor = sqlite if self.is_sqlite else postgres
        self._diagnose: Callable[[DBAPIError], Trouble] = vendor.diagnose
        self._reads = self.engine.execution_options(**vendor.READS)
        self._writes = self.engine.execution_options(**vendor.WRITES)
        self._clock = time.time if clock is None and self.is_sqlite else clock
        self._was_there = False

    def now(self, session: Session) -> float:
        """Return the time by which leases are kept, in seconds since the epoch."""
        if self._clock is not None:
            return self._clock()
        return float(session.scalar(select(extract("epoch", func.clock_timestamp()))) or 0.0)

    def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a consistent snapshot of the database and return what it returns.

        Raises:
            RetryableError: the database could not be reached or stayed locked.
            UsageError: it does not let us in, or its tables are not this version's.
        """
        return self._patiently(work, self._reads)

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction that may write, commit it, and return what it returns.

        Raises:
            RetryableError: the database could not be reached, or stayed locked.
            BlockedError: there is no room for it, or it may only be read.
            UsageError: it does not let us in, or its tables are not this version's.
        """
        return self._patiently(work, self._writes)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _patiently(self, work: Callable[[Session], T], engine: Engine) -> T:
        """Repeat `work` while the database is locked or away, for a bounded time.

        A commit whose answer was lost may have happened. All work is compare-and-set, so that its
        second run then finds nothing left to change.
        """
        deadline = time.monotonic() + self.patience
        pause = 0.02
        while True:
            try:
                with Session(engine, expire_on_commit=False) as session, session.begin():
                    result = work(session)
            except DBAPIError as error:
                self._give_up_on(error, in_time=time.monotonic() <= deadline)
            except NoConnectionError as error:
                raise RetryableError(f"{self._name} is overloaded: {error}") from error
            else:
                self._was_there = True
                return result
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(_LONGEST_PAUSE, pause * 2)

    def _give_up_on(self, error: DBAPIError, *, in_time: bool) -> None:
        """Raise what an error amounts to, unless the work is to be tried again."""
        trouble = self._diagnose(error)
        said = " ".join(str(error.orig).split())
        if trouble.kind is Kind.MISTAKE and not error.connection_invalidated:
            raise error
        if trouble.kind is Kind.UNMIGRATED:
            raise UsageError(f"{self._name} is not migrated: {said}", hint=trouble.hint) from error
        # If it let us in before, wait: a server that is being restored refuses everybody.
        if trouble.kind is Kind.REFUSED and not self._was_there:
            raise UsageError(f"{self._name} cannot be used: {said}", hint=trouble.hint) from error
        if trouble.kind is Kind.FULL:
            raise BlockedError(
                f"{self._name} cannot be written: {said}", hint=trouble.hint
            ) from error
        if not in_time:
            raise RetryableError(
                f"{self._name} cannot be used: {said}", hint=trouble.hint
            ) from error

    @property
    def _name(self) -> str:
        return f"the database {redacted(self.url)}"
