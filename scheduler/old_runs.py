"""Which runs of a schedule are beyond what it keeps, and which always stay."""

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.orm import Session

from core.errors import NewerError
from core.schedule import FireState, Mode
from core.states import ENDED_JOBS, JobState
from scheduler.since import why_not_since
from store import notifications, schedules
from store.database import Database
from store.tables import Job, Schedule


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
    may have chosen one already, all of them. So does a run of which somebody is still to be told.
    """
    jobs, is_firing, untold, now = db.read(
        lambda s: (
            schedules.runs_of(s, schedule_id),
            schedules.fires_of(s, schedule_id, states=(FireState.FIRING,), limit=1),
            notifications.pending(s),
            db.now(s),
        )
    )
    if is_firing:
        return []
    ended = [job for job in jobs if job.state in ENDED_JOBS]
    stay = {job.id for job in bases_of(ended)} | untold
    return [
        job
        for job in ended[runs or 0 :]
        if job.id not in stay
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
