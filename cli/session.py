"""What most commands begin with: the settings, and the job database."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from sqlalchemy.orm import Session

from cli.stack.schema import upgrade
from config.settings import Settings, load_settings
from core.errors import RetryableError, UsageError
from core.escape import printable
from core.kinds import ShardKind
from core.states import ShardState
from store import processes
from store.database import Database
from store.database_url import redacted
from store.jobs import find_job, get_job, tally
from store.locations import use_s3
from store.revision import NEWEST, revision_of
from store.s3.options import S3Options
from store.tables import Job, Process

_PATIENCE_SECONDS = 10.0  # a person is waiting; loops have more patience


def say(message: str) -> None:
    """Print a message that is not data to stderr; work goes on if nobody reads it any more."""
    with suppress(BrokenPipeError):
        click.echo(printable(message), err=True)


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the job database, and close it at the end. A single machine's own is created if needed.

    Raises:
        UsageError: it has no tables of ours.
        RetryableError: it cannot be reached.
    """
    use_s3(S3Options(**settings.s3))
    db = Database(settings.database_url, patience=_PATIENCE_SECONDS)
    try:
        if not db.read(_is_ready):
            if not db.is_sqlite:
                raise UsageError(
                    f"the database {redacted(db.url)} has no tables of Regatta's",
                    hint="`regatta db upgrade` creates them",
                )
            upgrade(settings.database_url)
        yield db
    finally:
        db.close()


def _is_ready(session: Session) -> bool:
    """Return whether the tables exist; a single machine's must be of this version or newer."""
    revision = revision_of(session)
    is_own = session.get_bind().dialect.name == "sqlite"
    return revision is not None and (not is_own or revision >= NEWEST)


@contextmanager
def opened() -> Iterator[tuple[Settings, Database]]:
    """Provide this process's settings and its job database."""
    settings = load_settings()
    with open_database(settings) as db:
        yield settings, db


def job_of(db: Database, ref: str) -> Job:
    """Return the job that a person means.

    Raises:
        UsageError: no job matches, or several do.
    """
    return db.read(lambda s: find_job(s, ref))


def live_processes(db: Database, settings: Settings, role: str) -> list[Process]:
    """Return the live workers or schedulers."""
    return list(
        db.read(lambda s: processes.live(s, role, now=db.now(s), within=settings.lease_seconds))
    )


def warn_if_nobody_schedules(db: Database, settings: Settings) -> None:
    """Warn if nothing will happen to a job because no scheduler is alive."""
    try:
        if live_processes(db, settings, processes.SCHEDULER):
            return
    except RetryableError:
        return
    say("no scheduler is running: the job waits until `regatta up` or `regatta scheduler` runs")


def check_schedulers(db: Database, settings: Settings, kind: ShardKind) -> None:
    """Refuse to write what a scheduler of an earlier version would take for inference.

    Raises:
        UsageError: a live one cannot plan jobs of this kind.
    """
    for each in live_processes(db, settings, processes.SCHEDULER):
        if not processes.knows(each, kind):
            raise UsageError(
                f"the scheduler on {each.host} ({each.version}) is too old to plan this",
                hint="upgrade all schedulers first",
            )


def running_shards(db: Database, job_id: str) -> int:
    """Return how many shards of a job are running."""
    counts = db.read(lambda s: tally(s, [get_job(s, job_id)]))[job_id]
    return counts.shards.get(ShardState.RUNNING, 0)
