"""Compacts the results of jobs that have ended, and removes compactions that nobody needs."""

import random
import time
from collections.abc import Callable
from importlib.metadata import version

import structlog
from sqlalchemy.orm import Session

from core.errors import RegattaError, UsageError, text_of
from core.ids import new_id
from core.kinds import COUNT, ShardKind
from core.layout import compaction_output
from core.states import ENDED_JOBS, JobMoves, JobState
from scheduler.compacted_parts import mostly_dead
from scheduler.manifest import write_manifest
from scheduler.removal import remove_job
from store import compactions
from store.database import Database
from store.jobs import get_job, lock_job, stop
from store.settling import parts_of
from store.tables import Job

_LOOK_SECONDS = 2.0
_RECENT_SECONDS = 7 * 86_400.0  # jobs that ended earlier are not compacted by themselves
_PRIORITY = 0  # the lowest

_log = structlog.get_logger()


def accept(db: Database, job: Job, *, rng: random.Random | None = None) -> Job:
    """Return the compaction of a job that has ended: a new one, unless one is under way or holds.

    Raises:
        UsageError: the job has not ended, has no results, or is a compaction itself.
    """
    if job.kind not in COUNT:
        raise UsageError(f"job {job.id} is of the kind {job.kind!r}, which is not compacted")
    if job.state not in ENDED_JOBS:
        raise UsageError(
            f"job {job.id} has not ended: it is {job.state}",
            hint=f"wait for it (`regatta status {job.id} --watch`), or cancel it first",
        )
    if job.planned_at is None:  # a retry would go on planning, and take over more
        raise UsageError(
            f"job {job.id} ended as {job.state} before its source was listed to the end"
        )
    if not job.carried and not db.read(lambda s: parts_of(s, job.id)):
        raise UsageError(f"job {job.id} has no results to compact: it ended as {job.state}")
    new = new_id(rng or random.SystemRandom())
    return db.write(lambda s: _write(s, job, new, anew=True, now=db.now(s)))


def _write(session: Session, job: Job, new: str, *, anew: bool, now: float) -> Job:
    """Write a compaction, unless there is one; `anew` also if it failed."""
    # A commit whose answer was lost is repeated: the row may be there already.
    if (known := session.get(Job, new)) is not None:
        return known
    of = lock_job(session, job.id)
    last = compactions.newest_of(session, of)
    if last is not None and not (anew and last.state in _FAILED):
        return last
    compaction = Job(
        id=new,
        name=f"compact-{of.id}",
        kind=ShardKind.COMPACT.value,
        task=of.task,
        source=of.source,
        output=compaction_output(of.output, new),
        model=of.model,
        networks=of.networks,
        options=of.options,
        selection=of.selection,
        request=None,
        effective=None,
        tags=[],
        version=version("regatta"),
        state=JobState.PLANNING,
        priority=_PRIORITY,
        created_at=now,
    )
    session.add(compaction)
    session.flush()
    compactions.record(session, compaction, of)
    return compaction


_FAILED = ENDED_JOBS - {JobState.SUCCEEDED}


def adopt(db: Database, job_id: str) -> bool:
    """Let what an ended compaction made count from now on; repeating it is harmless.

    The manifest in its job's output follows, if results were moved: what it named may be removed.

    Raises:
        RegattaError: that manifest cannot be written.
    """
    adopted = db.write(lambda s: compactions.adopt(s, job_id, now=db.now(s)))
    if adopted is None:
        return False
    if adopted and db.read(lambda s: compactions.moved_by(s, job_id)):
        of = db.read(lambda s: get_job(s, compactions.recorded(s, job_id).of_job))
        write_manifest(db, of, of.state, finished=of.finished_at or of.created_at, error=of.error)
    db.write(lambda s: compactions.finish(s, job_id))
    _log.info("compaction ended", job=job_id, holds=adopted)
    return adopted


class Compactor:
    """Sees compactions through, from a job's end to their removal (`tick`).

    Any number may run at once. A job gets one by itself if it has at least `least_parts` parts, or
    none does if that is 0. One at a time is begun: they are not urgent. `monotonic` is the clock.
    """

    def __init__(
        self,
        db: Database,
        *,
        least_parts: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._least_parts = least_parts
        self._monotonic = monotonic
        self._next = float("-inf")
        self._worth: dict[str, bool] = {}  # of jobs with few parts: it takes a while to tell

    def tick(self) -> int:
        """Do what is due, every few seconds; return how many compactions were begun or ended."""
        now = self._monotonic()
        if now < self._next:
            return 0
        self._next = now + _LOOK_SECONDS
        for job_id in self._db.read(compactions.overtaken):
            self._cancel(job_id)
        adopted = sum(self._adopt(job_id) for job_id in self._db.read(compactions.ended))
        self._db.write(compactions.discard_overtaken)
        for job_id in self._db.read(compactions.unneeded):
            self._remove(job_id)
        return adopted + self._begin()

    def _cancel(self, job_id: str) -> None:
        why = "its job was retried"
        stopped = self._db.write(
            lambda s: stop(s, job_id, JobMoves.CANCEL, now=self._db.now(s), error=why)
        )
        if stopped:
            _log.info("compaction cancelled", job=job_id, why=why)

    def _adopt(self, job_id: str) -> bool:
        try:
            return adopt(self._db, job_id)
        except RegattaError as error:  # it is tried again
            _log.warning("compaction not adopted", job=job_id, error=text_of(error))
            return False

    def _remove(self, job_id: str) -> None:
        try:
            removed = remove_job(self._db, job_id, with_output=True)
        except RegattaError as error:  # it is tried again
            _log.warning("compaction not removed", job=job_id, error=text_of(error))
        else:
            _log.info("compaction removed", job=job_id, objects=removed.objects)

    def _begin(self) -> bool:
        if not self._least_parts or self._db.read(compactions.any_live):
            return False
        recent = self._db.read(
            lambda s: compactions.compactable(
                s, ended_after=self._db.now(s) - _RECENT_SECONDS, parts=self._least_parts
            )
        )
        found = next((job for job in recent if self._is_worth_it(job)), None)
        if found is None:
            return False
        new = new_id(random.SystemRandom())
        begun = self._db.write(lambda s: _write(s, found, new, anew=False, now=self._db.now(s)))
        if begun.id == new:
            _log.info("compaction begins", job=new, of=found.id)
        return begun.id == new

    def _is_worth_it(self, job: Job) -> bool:
        """Return whether a job has many parts, or has taken over little of what others made."""
        if job.shards >= self._least_parts:
            return True
        if job.id not in self._worth:
            self._worth[job.id] = bool(mostly_dead(self._db, job))
        return self._worth[job.id]
