"""`regatta prune`: removes old jobs, and what nothing refers to any more."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cli import complete
from cli.exit_codes import FAILED
from cli.options import SINCE
from cli.session import opened, say
from cli.show.size import readable_size
from config.settings import Settings
from core.errors import RegattaError, UsageError, text_of
from core.escape import printable
from core.values import parse_since
from core.wording import count
from registry.cache import forget_abandoned
from scheduler.old_runs import excess, limits_of, needed_next
from scheduler.removal import Removed, remove_job, superfluous, why_kept
from scheduler.usage import (
    remove_folder,
    unreferenced_models,
    unreferenced_outputs,
    usage_of,
)
from store.database import Database
from store.schedules import find as find_schedule
from store.tables import Job

_YOUNG_SECONDS = 3600.0  # what somebody may be making right now, before anything refers to it


@click.command(
    epilog="Example: regatta prune --keep 20 --with-output --dry-run; "
    "regatta prune --older-than 90d; regatta prune --schedule nightly; regatta prune --unreferenced"
)
@click.option("--keep", type=click.IntRange(min=0), help="How many of the newest ended jobs stay.")
@click.option(
    "--older-than", "older", type=SINCE, help="Only jobs that ended before (2026-01-31, 36h, 7d)."
)
@click.option(
    "--schedule",
    "named",
    metavar="NAME",
    shell_complete=complete.schedules,
    help="Only runs of this schedule, with their output: those beyond what it keeps, or beyond "
    "the --keep and --older-than said here.",
)
@click.option("--with-output", is_flag=True, help="Also remove their results and pictures.")
@click.option(
    "--unreferenced",
    is_flag=True,
    help="Remove outputs in the home without a job, and downloaded models that nothing uses.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def prune(
    ctx: click.Context,
    /,
    *,
    keep: int | None,
    older: str | None,
    named: str | None,
    with_output: bool,
    unreferenced: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove jobs that have ended, and files to which nothing refers.

    Jobs to which others refer stay, as do those from which a schedule goes on, and outputs unless
    --with-output is given. What is removed cannot be brought back; on a terminal it is shown first.
    """
    if keep is None and older is None and named is None and not unreferenced:
        raise click.UsageError("Say what may go: --keep, --older-than, --schedule, --unreferenced.")
    with opened() as (settings, db):
        before = None if older is None else parse_since(older)
        jobs: Sequence[Job] = []
        if named is not None:
            jobs, with_output = _runs(db, named, keep, before), True
        elif keep is not None or older is not None:
            jobs = _superfluous(db, keep, before)
        folders = list(_unreferenced(db, settings)) if unreferenced else []
        if not jobs and not folders:
            say("nothing to remove")
            return
        if dry_run or (sys.stdin.isatty() and not yes):
            _show(db, jobs, folders, with_output=with_output)
        if dry_run:
            return
        if sys.stdin.isatty() and not yes:
            click.confirm("Remove all this?", abort=True, err=True)
        is_done = [_remove(db, job, with_output=with_output) for job in jobs]
        is_done += [_remove_folder(folder) for folder in folders]
        if unreferenced:
            forget_abandoned(settings.models_directory)
        if not all(is_done):
            ctx.exit(FAILED)


def _superfluous(db: Database, keep: int | None, before: float | None) -> list[Job]:
    """Return the jobs that may go, and say which stay because a schedule goes on from them."""
    needed = needed_next(db)
    found = superfluous(db, keep=keep, ended_before=before)
    for job in found:
        if job.id in needed:
            say(f"job {job.id} stays: schedule {needed[job.id]} goes on from it")
    return [job for job in found if job.id not in needed]


def _runs(db: Database, name: str, keep: int | None, before: float | None) -> Sequence[Job]:
    """Return the runs of a schedule that may go."""
    row = db.read(lambda s: find_schedule(s, name))
    limits = limits_of(row)
    if keep is not None or before is not None:
        limits = keep, None if before is None else time.time() - before
    if limits is None:
        raise UsageError(
            f"schedule {name} keeps all its runs",
            hint=f"say --keep or --older-than, or `regatta schedule edit {name} --keep 14`",
        )
    return excess(db, row.id, *limits)


def said(removed: Removed) -> str:
    """Return what was removed, in words."""
    text = f"{count(removed.objects, 'file')}, {readable_size(removed.size)}"
    if removed.left:
        text += f"; not written by the job and left there: {count(removed.left, 'file')}"
    return text


def _unreferenced(db: Database, settings: Settings) -> Iterator[Path]:
    for folder in (*unreferenced_outputs(db, settings), *unreferenced_models(db, settings)):
        if time.time() - folder.stat().st_mtime > _YOUNG_SECONDS:
            yield folder


def _show(db: Database, jobs: Sequence[Job], folders: Sequence[Path], *, with_output: bool) -> None:
    for job in jobs:
        line = f"job {job.id} ({printable(job.name)}), {job.state}"
        if why := why_kept(db, job, with_output=with_output):
            line += f": stays, {why}"
        elif with_output:
            used = usage_of(job.output)
            line += f": {count(used.objects, 'file')}, {readable_size(used.size)}"
        else:
            line += ": its output stays"
        click.echo(line)
    for folder in folders:
        used = usage_of(str(folder))
        click.echo(f"{folder}: {count(used.objects, 'file')}, {readable_size(used.size)}")


def _remove(db: Database, job: Job, *, with_output: bool) -> bool:
    """Remove a job unless it must stay, and say so; return whether nothing went wrong."""
    if why := why_kept(db, job, with_output=with_output):
        say(f"job {job.id} stays: {why}")
        return True
    try:
        removed = remove_job(db, job.id, with_output=with_output)
    except RegattaError as error:  # a bucket that is away keeps no other job
        say(f"job {job.id} stays: {text_of(error)}")
        return False
    say(f"removed job {job.id}" + (f": {said(removed)}" if with_output else ""))
    return True


def _remove_folder(folder: Path) -> bool:
    """Remove a directory, and say so; return whether it is gone."""
    freed = usage_of(str(folder))
    if not remove_folder(folder):
        say(f"{folder} cannot be removed, or not all of it: it may be written to")
        return False
    say(f"removed {folder}: {said(Removed(freed.objects, freed.size))}")
    return True
