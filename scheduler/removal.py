"""Removes jobs that have ended, and what they wrote."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadInputError, UsageError
from core.layout import is_ours
from core.states import ENDED_JOBS
from store.database import Database
from store.jobs import forget, get_job, list_jobs
from store.locations import open_store
from store.references import referring_to
from store.s3.location import is_s3
from store.tables import Job


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of a job's output: the objects and bytes removed, and how many were not its."""

    objects: int = 0
    size: int = 0
    left: int = 0


def remove_job(
    db: Database,
    job_id: str,
    *,
    with_output: bool,
    progress: Callable[[int], object] = lambda _: None,
) -> Removed:
    """Remove a job that has ended; with its output, if asked.

    The output goes first: whoever is interrupted can remove the job again. Of what lies in it only
    what jobs write is removed. `progress` is called with the number of objects removed so far.

    Raises:
        UsageError: the job has not ended, or another one refers to it.
        RetryableError, FatalError: its output can't be removed.
    """
    job = db.read(lambda s: get_job(s, job_id))
    if why := why_kept(db, job):
        raise UsageError(f"job {job_id} must stay: {why}")
    removed = _remove_output(job.output, progress) if with_output else Removed()
    db.write(lambda s: forget(s, job_id))
    return removed


def why_kept(db: Database, job: Job) -> str | None:
    """Return why a job can't be removed, or None if it can."""
    if job.state not in ENDED_JOBS:
        return f"it has not ended (it is {job.state}; `regatta cancel {job.id}` ends it)"
    others = db.read(lambda s: referring_to(s, job.id))
    if others:
        return f"{', '.join(others)} {'refer' if len(others) > 1 else 'refers'} to it"
    return None


def superfluous(db: Database, *, keep: int | None, ended_before: float | None) -> Sequence[Job]:
    """Return the jobs that have ended and need not stay, those that refer to others first.

    The newest `keep` stay, and those that ended later than `ended_before` (seconds since the
    epoch); None keeps none for that reason.
    """
    ended = db.read(lambda s: list_jobs(s, states=ENDED_JOBS))
    return [
        job
        for job in ended[keep or 0 :]
        if ended_before is None or (job.finished_at or job.created_at) < ended_before
    ]  # the newest come first, and jobs only refer to older ones


def _remove_output(output: str, progress: Callable[[int], object]) -> Removed:
    store = open_store(output)
    objects, size, left = 0, 0, 0
    try:
        for info in store.list():
            if not is_ours(info.key):
                left += 1
                continue
            store.delete(info.key)
            objects, size = objects + 1, size + info.size
            progress(objects)
    except BadInputError as error:
        if error.reason != "source_missing":  # somebody removed it before
            raise
    if not is_s3(output):
        with suppress(OSError):  # something else may lie in it
            Path(output).rmdir()
    return Removed(objects, size, left)
