"""Retention: removes the runs of schedules beyond what they are to keep, with their output."""

import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import NoResultFound

from core.errors import RegattaError
from scheduler.old_runs import excess, limits_of
from scheduler.removal import StoppedError, remove_job, unless, why_kept
from store import schedules
from store.database import Database
from store.tables import Job, Schedule

_LOOK_SECONDS = 300.0

_log = structlog.get_logger()


class Retention:
    """Looks every few minutes, and at a schedule after its run has ended (`tick`).

    Any number may run at once.

    A removal has many steps, none in a transaction, and the job's row goes last: whoever is killed
    on the way removes the rest the next time. `is_stopped` is asked between any two steps.
    """

    def __init__(
        self,
        db: Database,
        *,
        is_stopped: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._is_stopped = is_stopped
        self._monotonic = monotonic
        self._next = float("-inf")
        self._last_ends: dict[str, float] = {}
        self._said: set[str] = set()

    def tick(self) -> int:
        """Remove what exceeds the schedules' limits, if it is time; return how many runs went."""
        ends, now = self._db.read(schedules.last_ends), self._monotonic()
        is_time = now >= self._next
        news = {schedule for schedule, end in ends.items() if end != self._last_ends.get(schedule)}
        if not is_time and not news:
            return 0
        self._next, self._last_ends = (now + _LOOK_SECONDS if is_time else self._next), ends
        removed = 0
        for row in self._db.read(schedules.list_schedules):
            if (is_time or row.id in news) and (keeps := limits_of(row)) is not None:
                removed += sum(self._remove(row, job) for job in excess(self._db, row.id, *keeps))
        return removed

    def _remove(self, row: Schedule, job: Job) -> bool:
        """Remove a run unless it must stay, which is said once; return whether it went."""
        if self._is_stopped():
            return False
        try:
            why = why_kept(self._db, job, with_output=True)
            if why is None:
                removed = remove_job(
                    self._db, job.id, with_output=True, progress=unless(self._is_stopped)
                )
        except (StoppedError, NoResultFound):  # the rest later; somebody else was faster
            return False
        except RegattaError as error:  # a bucket that is away keeps no other run
            why = str(error)
        if why is None:
            _log.info(
                "run removed",
                schedule=row.name,
                job=job.id,
                files=removed.objects,
                bytes=removed.size,
            )
            return True
        if job.id not in self._said:  # who refers to it may change every night
            self._said.add(job.id)
            _log.info("run stays beyond its time", schedule=row.name, job=job.id, why=why)
        return False
