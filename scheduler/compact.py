"""Compacts the results of jobs that have ended, and removes compactions that nobody needs."""

import random
import time
from collections.abc import Callable
from importlib.metadata import version

import structlog
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from core.errors import BadInputError, FatalError, RegattaError, UsageError, text_of
from core.ids import new_id
from core.kinds import COUNT, ShardKind
from core.layout import compaction_output
from core.repeats import Repeats
from core.states import ENDED_JOBS, JobMoves, JobState
from scheduler.compacted_parts import mostly_dead
from scheduler.manifest import write_manifest
from scheduler.removal import StoppedError, remove_job, unless
from scheduler.troubles import Troubles
from store import compactions
from store.database import Database
from store.jobs import get_job, lock_job, stop
from store.settling import parts_of
from store.tables import Job

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
    written = db.write(lambda s: _write(s, job.id, job.generation, new, anew=True, now=db.now(s)))
    if written is None:
        raise UsageError(f"job {job.id} was retried meanwhile")
    return written


def _write(
    session: Session, job_id: str, generation: int, new: str, *, anew: bool, now: float
) -> Job | None:
    """Write a compaction, unless there is one; `anew` also if it failed.

    None: the job is no longer as it was seen. A compaction of one that runs could only fail.
    """
    # A commit whose answer was lost is repeated: the row may be there already.
    if (known := session.get(Job, new)) is not None:
        return known
    of = lock_job(session, job_id)
    if of.generation != generation or of.state not in ENDED_JOBS:
        return None
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


def adopt(db: Database, job_id: str) -> bool | None:
    """Let what an ended compaction made count from now on; repeating it is harmless.

    The manifest in its job's output follows, if results were moved: what it named may be removed.

    Returns:
        Whether it counts; None if that is not settled yet (`store.compactions.adopt`).

    Raises:
        RegattaError: that manifest cannot be written for the moment.
    """
    adopted = db.write(lambda s: compactions.adopt(s, job_id, now=db.now(s)))
    if adopted is None:
        return None
    if adopted and db.read(lambda s: compactions.moved_by(s, job_id)):
        of = db.read(lambda s: get_job(s, compactions.recorded(s, job_id).of_job))
        try:
            finished = of.finished_at or of.created_at
            write_manifest(db, of, of.state, finished=finished, error=of.error)
        except (BadInputError, FatalError) as error:  # waiting will not bring its output back
            _log.warning("manifest not written", job=of.id, error=text_of(error))
    db.write(lambda s: compactions.finish(s, job_id))
    return adopted


class Compactor:
    """Sees compactions through, from a job's end to their removal (`tick`).

    Any number may run at once. A job gets one by itself if it has at least `least_parts` parts, or
    none does if that is 0. One at a time is begun: they are not urgent. `is_stopped` is asked while
    one is removed, which may take long. `monotonic` is the clock.
    """

    def __init__(
        self,
        db: Database,
        *,
        least_parts: int = 0,
        is_stopped: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._least_parts = least_parts
        self._is_stopped = is_stopped
        # Of jobs with few parts, and their generations: it takes a while to tell.
        self._worth: dict[tuple[str, int], bool] = {}
        self._troubles = Troubles(monotonic)
        self._repeats = Repeats(monotonic)

    def tick(self) -> int:
        """Do what is due; return how many compactions were begun or ended."""
        for job_id in self._db.read(compactions.overtaken):
            self._cancel(job_id)
        resting = self._troubles.resting()
        ended = [job for job in self._db.read(compactions.ended) if job not in resting]
        adopted = sum(self._adopt(job_id) for job_id in ended)
        if self._db.read(compactions.any_stale):
            self._db.write(compactions.discard_stale)
        for job_id in self._db.read(lambda s: compactions.unneeded(s, without=resting)):
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
            holds = adopt(self._db, job_id)
        except NoResultFound:  # another scheduler was faster, and has removed it
            return False
        except RegattaError as error:
            self._put_off("compaction not adopted", job_id, error)
            return False
        self._troubles.mended(job_id)
        if holds is not None:
            _log.info("compaction ended", job=job_id, holds=holds)
        return bool(holds)

    def _remove(self, job_id: str) -> None:
        try:
            go_on = unless(self._is_stopped)
            removed = remove_job(self._db, job_id, with_output=True, progress=go_on)
        except (StoppedError, NoResultFound):  # the rest later; or as above
            return
        except RegattaError as error:
            self._put_off("compaction not removed", job_id, error)
        else:
            self._troubles.mended(job_id)
            _log.info("compaction removed", job=job_id, objects=removed.objects)

    def _put_off(self, what: str, job_id: str, error: RegattaError) -> None:
        """Leave a job alone for a while after trouble, which is said ever more rarely."""
        self._troubles.note(job_id, text_of(error))
        if (times := self._repeats.due(what, job_id)) is not None:
            _log.warning(what, job=job_id, error=text_of(error), times=times)

    def _begin(self) -> bool:
        if not self._least_parts or self._db.read(compactions.any_live):
            return False
        recent = self._db.read(
            lambda s: compactions.compactable(
                s, ended_after=self._db.now(s) - _RECENT_SECONDS, parts=self._least_parts
            )
        )
        seen = {(job_id, generation) for job_id, generation, _ in recent}
        self._worth = {job: worth for job, worth in self._worth.items() if job in seen}
        resting = self._troubles.resting()
        for job_id, generation, parts in recent:
            if job_id not in resting and self._is_worth_it(job_id, generation, parts):
                return self._begin_one(job_id, generation)
        return False

    def _begin_one(self, job_id: str, generation: int) -> bool:
        new = new_id(random.SystemRandom())
        try:
            begun = self._db.write(
                lambda s: _write(s, job_id, generation, new, anew=False, now=self._db.now(s))
            )
        except NoResultFound:
            return False
        if begun is None or begun.id != new:
            return False
        _log.info("compaction begins", job=new, of=job_id)
        return True

    def _is_worth_it(self, job_id: str, generation: int, parts: int) -> bool:
        """Return whether a job has many parts, or has taken over little of what others made."""
        if parts >= self._least_parts:
            return True
        if (job_id, generation) not in self._worth:
            try:
                job = self._db.read(lambda s: get_job(s, job_id))
                self._worth[job_id, generation] = bool(mostly_dead(self._db, job))
            except NoResultFound:  # it has been removed just now
                return False
            except RegattaError as error:  # its output is away, or gone: others are not
                self._put_off("cannot tell whether to compact", job_id, error)
                return False
        return self._worth[job_id, generation]
