"""Retention: removes the runs of schedules beyond what they are to keep, with their output."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from core.errors import NewerError, RegattaError
from core.schedule import FireState, Mode
from core.states import ENDED_JOBS, JobState
from scheduler.removal import remove_job, why_kept
from scheduler.since import why_not_since
from store import schedules
from store.database import Database
from store.tables import Job, Schedule

_LOOK_SECONDS = 300.0

_log = structlog.get_logger()


class Retention:
    """Looks every few minutes, and after a run has ended (`tick`); any number may run at once.

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
        self._last_end: float | None = None
        self._said: set[tuple[str, str]] = set()

    def tick(self) -> int:
        """Remove what exceeds the schedules' limits, if it is time; return how many runs went."""
        ended, now = self._db.read(schedules.last_end), self._monotonic()
        if now < self._next and ended == self._last_end:
            return 0
        self._next, self._last_end = now + _LOOK_SECONDS, ended
        removed = 0
        for row in self._db.read(schedules.list_schedules):
            if (keeps := limits_of(row)) is not None:
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
                    self._db, job.id, with_output=True, progress=lambda _: self._go_on()
                )
        except (_StoppedError, NoResultFound):  # the rest later; somebody else was faster
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
        if (job.id, why) not in self._said:
            self._said.add((job.id, why))
            _log.warning("run stays beyond its time", schedule=row.name, job=job.id, why=why)
        return False

    def _go_on(self) -> None:
        if self._is_stopped():
            raise _StoppedError


class _StoppedError(Exception):
    """The process ends; the removal goes on when another one looks."""


def limits_of(row: Schedule) -> tuple[int | None, float | None] | None:
    """Return how many runs a schedule keeps, and for how many seconds; None if it keeps all."""
    try:
        definition = schedules.definition_of(row)
    except NewerError:  # what a newer version wants to keep can't be told
        return None
    limits = definition.keep_runs, definition.keep_seconds
    return None if limits == (None, None) else limits


def excess(
    db: Database, schedule_id: str, runs: int | None, seconds: float | None
) -> Sequence[Job]:
    """Return the runs of a schedule that have ended and need not stay, newest first.

    The newest `runs` stay, and those that ended within `seconds`; None keeps none for that reason.
    What the next run may go on from always stays (`bases_of`), and, while a fire is under way which
    may have chosen one already, all of them.
    """
    jobs, is_firing, now = db.read(
        lambda s: (
            schedules.runs_of(s, schedule_id),
            schedules.fires_of(s, schedule_id, states=(FireState.FIRING,), limit=1),
            db.now(s),
        )
    )
    if is_firing:
        return []
    ended = [job for job in jobs if job.state in ENDED_JOBS]
    bases = {job.id for job in bases_of(ended)}
    return [
        job
        for job in ended[runs or 0 :]
        if job.id not in bases
        and (seconds is None or now - (job.finished_at or job.created_at) > seconds)
    ]


def bases_of(runs: Sequence[Job]) -> list[Job]:
    """Return the runs of a schedule, newest first, that always stay.

    They are the newest that succeeded, and that with which the next one is compared.
    """
    succeeded = (job for job in runs if job.state is JobState.SUCCEEDED)
    comparable = (job for job in runs if why_not_since(job) is None)
    found = (next(succeeded, None), next(comparable, None))
    return [job for job in found if job is not None]


def needed_next(db: Database) -> dict[str, str]:
    """Return the runs from which schedules that do only what is new go on, with their names."""

    def read(session: Session) -> dict[str, str]:
        found: dict[str, str] = {}
        for row in schedules.list_schedules(session):
            with suppress(NewerError):
                if schedules.definition_of(row).mode is Mode.NEW_ONLY:
                    runs = schedules.runs_of(session, row.id)
                    found |= {job.id: row.name for job in bases_of(runs)}
        return found

    return db.read(read)
