"""Checks that the job database is there, migrated, and agrees about the time."""

import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from cli.doctor.finding import Finding, Status
from cli.doctor.timing import clock_finding
from cli.stack.schema import look
from config.settings import Settings
from core.errors import RegattaError
from store.database import Database
from store.database_url import redacted

_PATIENCE_SECONDS = 3.0
_MEND = "start it, or correct REGATTA_DATABASE_URL"


def check_database(settings: Settings) -> Iterator[Finding]:
    """Yield what was found; nothing is changed."""
    url = redacted(settings.database_url)
    if not is_there(settings):
        yield Finding("database", Status.SKIPPED, f"{url} is created by the first command")
        return
    db = Database(settings.database_url, patience=_PATIENCE_SECONDS)
    try:
        before = time.time()
        there = db.read(lambda s: (s.scalar(select(1)), db.now(s))[1])
        after = time.time()
    except (RegattaError, DBAPIError) as error:
        yield Finding("database", Status.FAILED, str(error).partition("\n")[0], _MEND)
        return
    finally:
        db.close()
    revision = look(settings.database_url)
    if revision.is_current:
        yield Finding("database", Status.OK, f"{url} is at revision {revision.name}")
    else:
        what = f"at revision {revision.name}" if revision.name else "without tables"
        yield Finding("database", Status.FAILED, f"{url} is {what}", "regatta db upgrade")
    if not db.is_sqlite:
        yield clock_finding("the database", there, before, after)


def is_there(settings: Settings) -> bool:
    """Return whether the database can exist: a file that is not there yet is not a failure."""
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    return not settings.database_url.startswith("sqlite:") or path.exists()
