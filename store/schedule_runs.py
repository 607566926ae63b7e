"""The runs of schedules: the jobs that their fires brought, by the clock or by hand."""

from collections.abc import Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from core.schedule import FireState
from store.tables import Job, Schedule, ScheduleFire


def all_schedules(session: Session) -> Sequence[Schedule]:
    """Return the schedules by name."""
    return session.scalars(select(Schedule).order_by(Schedule.name)).all()


def runs_of(session: Session, schedule_id: str) -> Sequence[Job]:
    """Return the jobs of a schedule that are still there, newest first."""
    return session.scalars(
        select(Job)
        .join(ScheduleFire, ScheduleFire.job_id == Job.id)
        .where(ScheduleFire.schedule_id == schedule_id)
        .order_by(Job.created_at.desc(), Job.id)
    ).all()


def is_firing(session: Session, schedule_id: str) -> bool:
    """Return whether a fire of a schedule is between its row and its job's."""
    under_way = exists().where(
        ScheduleFire.schedule_id == schedule_id, ScheduleFire.state == FireState.FIRING.value
    )
    return bool(session.scalar(select(under_way)))


def last_end(session: Session) -> float | None:
    """Return when a run of any schedule last ended, in seconds since the epoch."""
    return session.scalar(
        select(func.max(Job.finished_at)).join(ScheduleFire, ScheduleFire.job_id == Job.id)
    )
