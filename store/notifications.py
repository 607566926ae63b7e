"""Notifications: written in the transaction that ends a job, sent by whoever leases them.

A notification is sent at least once, with the same id at every try.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from core.comparison import Comparison
from core.notices import Target, targets_of
from core.times import iso
from store.jobs import get_job, source_texts, tally
from store.rows import changed, column_text
from store.tables import Job, Notification, Schedule, ScheduleFire

PENDING = "pending"
DELIVERED = "delivered"
FAILED = "failed"  # given up
GONE = "gone"  # the receiver wants no more of this job


@dataclass(frozen=True, slots=True)
class Notice:
    """A leased notification, fenced by the number of its `tries`, this one included."""

    id: str
    job: str
    target: Target
    receiver: str
    payload: Mapping[str, Any]
    tries: int


def announce(session: Session, job_id: str, *, now: float) -> int:
    """Write the notifications of a job that has just ended; return how many.

    Their ids follow from the job, its generation and the target: nobody can write one twice.
    """
    job = get_job(session, job_id)
    targets = targets_of(job.notify, job.state)
    if not targets:
        return 0
    gone = [row.target for row in session.scalars(_of(job_id).where(Notification.state == GONE))]
    payload = _payload(session, job, now)
    rows = [
        Notification(
            id=f"msg_{job.id}_{job.generation}_{place}",
            job_id=job.id,
            event=payload["type"],
            target=target.to_json(),
            receiver=target.receiver,
            payload=payload,
            state=PENDING,
            next_at=now,
            created_at=now,
        )
        for place, target in targets.items()
        if target.to_json() not in gone
    ]
    session.add_all(rows)
    return len(rows)


def _payload(session: Session, job: Job, now: float) -> dict[str, Any]:
    counts = tally(session, [job])[job.id]
    schedule = session.scalar(
        select(Schedule.name)
        .join(ScheduleFire, ScheduleFire.schedule_id == Schedule.id)
        .where(ScheduleFire.job_id == job.id)
    )
    return {
        "type": f"job.{job.state.value}",
        "timestamp": iso(now),
        "data": {
            "id": job.id,
            "name": job.name,
            "state": job.state.value,
            "generation": job.generation,
            "model": job.model["name"],
            "task": job.task,
            "source": source_texts(job),
            "output": job.output,
            "tags": job.tags,
            "items": {
                "listed": counts.listed,
                "succeeded": counts.succeeded,
                "skipped": counts.skipped,
                "quarantined": counts.quarantined,
                "cancelled": counts.cancelled,
            },
            "comparison": Comparison.from_json(job.comparison).words if job.comparison else None,
            "error": job.error,
            "schedule": schedule,
            "created": iso(job.created_at),
            "started": iso(job.started_at),
            "finished": iso(job.finished_at),
        },
    }


def any_due(session: Session, *, now: float, busy: Collection[str] = ()) -> bool:
    """Return whether `lease_due` would lease any."""
    return bool(session.scalar(select(exists().where(*_due(now, busy)))))


def lease_due(
    session: Session,
    owner: str,
    *,
    now: float,
    lease_seconds: float,
    limit: int,
    busy: Collection[str] = (),
    most: int = 1,
) -> list[Notice]:
    """Lease up to `limit` notifications that are due, `most` of any one receiver.

    None goes to receivers that are `busy`.
    """
    rows = session.scalars(
        select(Notification)
        .where(*_due(now, busy))
        .order_by(Notification.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    leased: list[Notice] = []
    for row in rows:
        if sum(one.receiver == row.receiver for one in leased) >= most:
            continue
        tries = row.tries + 1
        held = {"owner": owner, "lease_until": now + lease_seconds, "tries": tries}
        notice = Notice(
            row.id, row.job_id, Target.from_json(row.target), row.receiver, row.payload, tries
        )
        if changed(session, _held(row.id, row.tries).values(**held)):
            leased.append(notice)
    return leased


def _due(now: float, busy: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        Notification.state == PENDING,
        Notification.next_at <= now,
        or_(Notification.lease_until.is_(None), Notification.lease_until <= now),
        Notification.receiver.not_in(busy),
    )


def delivered(session: Session, notice: Notice, *, now: float) -> bool:
    """Note that a notification arrived, even if somebody else leased it meanwhile."""
    return _end(session, notice.id, DELIVERED, now)


def postpone(session: Session, notice: Notice, error: str, *, next_at: float) -> bool:
    """Leave a notification for later; False if overtaken."""
    values = {"next_at": next_at, "error": column_text(error)}
    return changed(session, _held(notice.id, notice.tries).values(**values, **_UNHELD))


def hand_back(session: Session, notice: Notice) -> bool:
    """Leave a notification that was not sent after all to others, as if nobody had tried."""
    values = {"tries": notice.tries - 1}
    return changed(session, _held(notice.id, notice.tries).values(**values, **_UNHELD))


def give_up(session: Session, notice: Notice, error: str, *, now: float) -> bool:
    """Note that nobody will try any more; False if it arrived or somebody else tries."""
    return _end(session, notice.id, FAILED, now, error, tries=notice.tries)


def switch_off(session: Session, notice: Notice, error: str, *, now: float) -> None:
    """Tell a receiver nothing more of this job."""
    for row in session.scalars(_of(notice.job).where(Notification.state == PENDING)).all():
        if Target.from_json(row.target) == notice.target:
            _end(session, row.id, GONE, now, error)


def notifications_of(session: Session, job_id: str) -> Sequence[Notification]:
    """Return the notifications of a job, in the order in which they were written."""
    return session.scalars(_of(job_id).order_by(Notification.created_at, Notification.id)).all()


def pending(session: Session) -> set[str]:
    """Return the jobs of which somebody is still to be told."""
    query = select(Notification.job_id).where(Notification.state == PENDING)
    return set(session.scalars(query.distinct()))


def untried(session: Session, job_id: str) -> bool:
    """Return whether a notification of a job was neither delivered nor refused so far."""
    waits = (Notification.state == PENDING, Notification.error.is_(None))
    return session.scalar(_of(job_id).where(*waits).limit(1)) is not None


_UNHELD: dict[str, Any] = {"owner": None, "lease_until": None}


def _of(job_id: str) -> Any:
    return select(Notification).where(Notification.job_id == job_id)


def _held(notice: str, tries: int) -> Any:
    return (
        update(Notification)
        .where(
            Notification.id == notice, Notification.tries == tries, Notification.state == PENDING
        )
        .execution_options(synchronize_session=False)
    )


def _end(
    session: Session,
    notice: str,
    state: str,
    now: float,
    error: str | None = None,
    *,
    tries: int | None = None,
) -> bool:
    which = [Notification.id == notice, Notification.state == PENDING]
    if tries is not None:
        which.append(Notification.tries == tries)
    said = None if error is None else column_text(error)
    return changed(
        session,
        update(Notification)
        .where(*which)
        .values(state=state, ended_at=now, error=said, **_UNHELD)
        .execution_options(synchronize_session=False),
    )
