"""Removes jobs that have ended, and what they wrote."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from sqlalchemy.orm import Session

from core.errors import BadInputError, UsageError
from core.kinds import ShardKind
from core.layout import is_ours
from core.states import ENDED_JOBS
from scheduler.places import places_of_all, places_of_schedules, real_folder
from store.compactions import only_read_by
from store.database import Database
from store.fires import keep_outcome
from store.jobs import forget, get_job, list_jobs, tally
from store.locations import open_store
from store.objects import ObjectInfo
from store.outcome import outcome
from store.references import COMPACTS, referring_to
from store.s3.location import is_s3
from store.tables import Job

_CLOCKS_DIFFER = 60.0  # seconds, between a database and a file server


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of a job's output: the objects and bytes removed, and how many were not its."""

    objects: int = 0
    size: int = 0
    left: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        """Return what became of both."""
        return Removed(self.objects + other.objects, self.size + other.size, self.left + other.left)


def remove_job(
    db: Database,
    job_id: str,
    *,
    with_output: bool,
    progress: Callable[[int], object] = lambda _: None,
) -> Removed:
    """Remove a job that has ended; with its output, if asked. Its compactions go with it.

    The output goes first: whoever is interrupted can remove the job again. Of what lies in it only
    what the job may have written is removed: by its name, not in another job's output, not behind
    a symbolic link, and not older than the job. `progress` is called with the number of objects
    removed so far.

    Raises:
        UsageError: the job has not ended, or another one refers to it.
        RetryableError, FatalError: its output can't be removed.
    """
    job = db.read(lambda s: get_job(s, job_id))
    if why := why_kept(db, job, with_output=with_output):
        raise UsageError(f"job {job_id} must stay: {why}")
    compactions = db.read(lambda s: only_read_by(s, job_id))
    removed = Removed()
    if with_output:
        for one in (*compactions, job):
            removed += _remove_output(db, one, partial(_count_on, progress, removed.objects))
    db.write(lambda s: _forget(s, job, compactions))
    return removed


class StoppedError(Exception):
    """A removal was stopped on its way; whoever removes the job again goes on with it."""


def unless(is_stopped: Callable[[], bool]) -> Callable[[int], object]:
    """Return a `progress` for `remove_job` that raises `StoppedError` once that says so."""

    def go_on(_: int) -> None:
        if is_stopped():
            raise StoppedError

    return go_on


def _count_on(progress: Callable[[int], object], before: int, objects: int) -> None:
    progress(before + objects)


def _forget(session: Session, job: Job, compactions: Sequence[Job]) -> None:
    """Remove a job's rows; the history of its schedule keeps what it did."""
    did = outcome(job, tally(session, [job])[job.id])
    if forget(session, job.id):
        keep_outcome(session, job.id, did)
    for one in compactions:
        if not referring_to(session, one.id):
            forget(session, one.id)


def why_kept(db: Database, job: Job, *, with_output: bool) -> str | None:
    """Return why a job can't be removed, with its output if asked, or None if it can."""
    if job.state not in ENDED_JOBS:
        return f"it has not ended (it is {job.state}; `regatta cancel {job.id}` ends it)"
    others = db.read(lambda s: referring_to(s, job.id))
    one = next((other for other, why in others.items() if why == COMPACTS), None)
    if one is not None:
        return f"{one}, which compacts it, has not ended (`regatta cancel {one}` ends it)"
    if others:
        return f"{', '.join(others)} {'refer' if len(others) > 1 else 'refers'} to it"
    readers = _readers(db, job) if with_output else []
    if readers:
        named = ", ".join(readers)
        return f"{named} {'have' if len(readers) > 1 else 'has'} a source in its output"
    return None


def _readers(db: Database, job: Job) -> list[str]:
    """Return the other jobs, and the schedules, whose items lie in a job's output."""
    output = real_folder(job.output)
    others = db.read(lambda s: [*places_of_all(s), *places_of_schedules(s)])
    return [other.job for other in others if other.job != job.id and other.reads(output)]


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


def _remove_output(db: Database, job: Job, progress: Callable[[int], object]) -> Removed:
    store, is_own = open_store(job.output), _ownership(db, job)
    objects, size, left = 0, 0, 0
    try:
        for info in store.list():
            if not is_own(info):
                left += 1
                continue
            store.delete(info.key)
            objects, size = objects + 1, size + info.size
            progress(objects)
    except BadInputError as error:
        if error.reason != "source_missing":  # somebody removed it before
            raise
    if not is_s3(job.output):
        folder = Path(job.output)
        # That of a compaction lies in that of its job, which may be gone.
        places = [folder, *folder.parents[:2]] if job.kind == ShardKind.COMPACT else [folder]
        for place in places:
            with suppress(OSError):  # something else may lie in it
                place.rmdir()
    return Removed(objects, size, left)


def _ownership(db: Database, job: Job) -> Callable[[ObjectInfo], bool]:
    """Return what tells whether an object in a job's output is the job's own."""
    output, oldest = real_folder(job.output), job.created_at - _CLOCKS_DIFFER
    others = tuple(
        other.output.removeprefix(output)
        for other in db.read(places_of_all)
        if other.job != job.id and other.output.startswith(output)
    )

    @lru_cache(maxsize=1024)
    def is_linked(folder: str) -> bool:
        # What is deleted behind a link may be anybody's.
        place = output + folder
        return not is_s3(output) and os.path.realpath(place) != place.rstrip("/")

    def is_own(info: ObjectInfo) -> bool:
        return (
            is_ours(info.key)
            and info.modified >= oldest
            and not info.key.startswith(others)
            and not is_linked(info.key.rpartition("/")[0])
        )

    return is_own
