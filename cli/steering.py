"""Commands that change what a job does: cancel, pause, resume, retry, priority."""

from collections.abc import Callable
from functools import partial

import click
from sqlalchemy.orm import Session

from cli.again import move_to_new_profile, run_again
from cli.options import PRIORITY, TOLERANCE, job_argument
from cli.session import job_of, opened, running_shards, say, warn_if_nobody_schedules
from core.errors import UsageError
from core.states import ENDED_JOBS, JobMoves, JobState
from store import jobs
from store.database import Database
from store.jobs import set_priority
from store.tables import Job


@click.command(epilog="Example: regatta cancel latest")
@job_argument
def cancel(*, job: str) -> None:
    """Stop JOB for good; what is done stays, and `retry` continues it."""
    with opened() as (settings, db):
        found = job_of(db, job)
        if found.state in {JobState.CANCELLING, JobState.FAILING}:
            say(f"job {found.id} is {found.state} already, and ends by itself")
            warn_if_nobody_schedules(db, settings)
            return
        move = JobMoves.CANCEL
        _change(db, found, "cancel", lambda s: jobs.stop(s, found.id, move, now=db.now(s)))
        say(f"job {found.id} is being cancelled: {_running(db, found.id)}")
        warn_if_nobody_schedules(db, settings)


@click.command(epilog="Example: regatta pause 4k2")
@job_argument
def pause(*, job: str) -> None:
    """Stop JOB for now; what runs is handed back, and nothing is lost."""
    with opened() as (_, db):
        found = job_of(db, job)
        _change(db, found, "pause", lambda s: jobs.pause(s, found.id, now=db.now(s)))
        say(f"job {found.id} is paused: {_running(db, found.id)}")
        say(f"go on with: regatta resume {found.id}")


@click.command(epilog="Example: regatta resume 4k2 --max-quarantined 20%")
@job_argument
@click.option(
    "--max-quarantined",
    type=TOLERANCE,
    help="Pause it again once more items than this are quarantined: 100, or 5% of those ended.  "
    "[default: never again]",
)
def resume(*, job: str, max_quarantined: str | None) -> None:
    """Let the paused JOB continue where it was.

    One that paused by itself, for its quarantined items, does not do so again unless told.
    """
    with opened() as (settings, db):
        found = job_of(db, job)
        go_on = partial(jobs.resume, job_id=found.id, max_quarantined=max_quarantined)
        _change(db, found, "resume", go_on)
        say(f"job {found.id} goes on")
        warn_if_nobody_schedules(db, settings)


@click.command(epilog="Example: regatta retry latest --reprofile")
@job_argument
@click.option("--reprofile", is_flag=True, help="Move what is left onto what workers offer now.")
@click.option("--all", "is_all", is_flag=True, help="Also run items again that were dismissed.")
def retry(*, job: str, reprofile: bool, is_all: bool) -> None:
    """Run again what JOB left quarantined, failed or cancelled; what succeeded stays.

    Quarantined items that were dismissed (`regatta quarantine dismiss`) stay as they are, unless
    --all is given.

    A job keeps the engine and class of machines that it began on. If no worker offers them any
    more, --reprofile moves what is left onto what workers offer now, even if the job has not
    ended; the manifest says which part was made on what.
    """
    if reprofile:
        move_to_new_profile(job, with_dismissed=is_all)
    else:
        run_again(job, with_dismissed=is_all)


@click.command(epilog="Example: regatta priority latest 9")
@job_argument
@click.argument("number", type=PRIORITY)
def priority(*, job: str, number: int) -> None:
    """Give JOB the priority NUMBER (0 to 9), even while it runs; each step doubles its share."""
    with opened() as (_, db):
        found = job_of(db, job)
        if found.state in ENDED_JOBS:
            raise UsageError(f"job {found.id} has ended: {found.state}")
        db.write(lambda s: set_priority(s, found.id, number))
        say(f"job {found.id}: priority {found.priority} is now {number}")


def _change(db: Database, job: Job, verb: str, change: Callable[[Session], bool]) -> None:
    if db.write(change):
        return
    state = job_of(db, job.id).state
    hint = None
    if verb == "pause" and state is JobState.PAUSED:
        hint = f"`regatta resume {job.id}` lets it go on"
    elif verb == "resume" and state in ENDED_JOBS:
        hint = f"`regatta retry {job.id}` runs again what it left undone"
    now = f"it has ended ({state})" if state in ENDED_JOBS else f"it is {state}"
    raise UsageError(f"cannot {verb} job {job.id}: {now}", hint=hint)


def _running(db: Database, job_id: str) -> str:
    number = running_shards(db, job_id)
    if not number:
        return "nothing of it runs"
    return f"{number} shard{' is' if number == 1 else 's are'} being handed back"
