"""How long jobs were expected to take, and how long they took."""

from dataclasses import dataclass
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.states import JobState
from store.rows import new_or_known
from store.tables import Estimate, Job

_LAST = 10


@dataclass(frozen=True, slots=True)
class Record:
    """How far off the last estimates of a model's jobs were.

    Shares of the time that was expected: `typical` is the median, `worst` the largest. What took
    twice as long was off by 1.
    """

    estimates: int
    typical: float
    worst: float


def note(
    session: Session, job_id: str, model_digest: str, *, items: int, seconds: float, now: float
) -> None:
    """Record what a job was expected to take; what was recorded first stands."""
    estimate = {
        "job_id": job_id,
        "model_digest": model_digest,
        "items": items,
        "seconds": seconds,
        "estimated_at": now,
    }
    session.execute(new_or_known(session, Estimate, estimate).on_conflict_do_nothing())


def record_of(session: Session, model_digest: str) -> Record | None:
    """Return how far off the last few estimates of this model's jobs were; None without any.

    Jobs that were cancelled, failed or run again count for nothing.
    """
    rows = session.execute(
        select(Estimate.seconds, Job.started_at, Job.finished_at)
        .join(Job, Job.id == Estimate.job_id)
        .where(
            Estimate.model_digest == model_digest,
            Estimate.seconds > 0,
            Job.state.in_((JobState.SUCCEEDED, JobState.PARTIAL)),
            Job.generation == 0,
            Job.started_at.is_not(None),
            Job.finished_at > Job.started_at,
        )
        .order_by(Estimate.estimated_at.desc())
        .limit(_LAST)
    ).all()
    errors = [
        abs((finished - started) / expected - 1)
        for expected, started, finished in rows
        if started is not None and finished is not None
    ]
    return Record(len(errors), median(errors), max(errors)) if errors else None
