"""What the dispatcher asks: who has how much to do, and take the next shards of a job."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from core.profile import ExecutionProfile
from core.states import LIVE_JOBS, OUTSTANDING_SHARDS, ShardMoves, ShardState
from core.work import Hold
from store.rows import changed
from store.tables import Job, Shard


@dataclass(frozen=True, slots=True)
class Demand:
    """A live job's shards on one queue: how many could be queued now, how many already are."""

    job_id: str
    priority: int
    ready: int
    outstanding: int
    profile: ExecutionProfile


def demands(session: Session, queue: str, *, now: float) -> list[Demand]:
    """Return the live jobs that have ready or outstanding shards on `queue`, oldest first.

    Jobs without a frozen profile have none: nobody knows yet who may run them.
    """
    ready = case(((Shard.state == ShardState.PENDING) & (Shard.available_at <= now), 1), else_=0)
    out = case((Shard.state.in_(OUTSTANDING_SHARDS), 1), else_=0)
    rows = session.execute(
        select(Job.id, Job.priority, func.sum(ready), func.sum(out), Job.profile)
        .join(Shard, Shard.job_id == Job.id)
        .where(
            Job.state.in_(LIVE_JOBS),
            Job.profile.is_not(None),
            Shard.queue == queue,
            Shard.state.in_((ShardState.PENDING, *OUTSTANDING_SHARDS)),
        )
        .group_by(Job.id, Job.priority, Job.created_at)
        .order_by(Job.created_at, Job.id)
    ).all()
    return [
        Demand(row[0], row[1], int(row[2]), int(row[3]), ExecutionProfile.from_json(row[4]))
        for row in rows
    ]


def queue_next(session: Session, job_id: str, queue: str, limit: int, *, now: float) -> list[Hold]:
    """Queue a job's next shards, each under a new attempt; publish them after the commit."""
    # Shared with other dispatchers; a pause or a cancellation waits, and then sees what we queued.
    # The same holds for who moves the job to another profile: what has none is not queued.
    job = select(Job.id).where(Job.id == job_id, Job.state.in_(LIVE_JOBS), Job.profile.is_not(None))
    if session.scalar(job.with_for_update(read=True)) is None:
        return []
    ready = session.execute(
        select(Shard.id, Shard.attempt)
        .where(
            Shard.job_id == job_id,
            Shard.queue == queue,
            Shard.state == ShardState.PENDING,
            Shard.available_at <= now,
        )
        .order_by(Shard.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [
        Hold(shard, attempt + 1) for shard, attempt in ready if _queue(session, shard, attempt, now)
    ]


def _queue(session: Session, shard: int, attempt: int, now: float) -> bool:
    move = ShardMoves.QUEUE
    return changed(
        session,
        update(Shard)
        .where(Shard.id == shard, Shard.attempt == attempt, Shard.state.in_(move.sources))
        .values(state=move.target, attempt=attempt + 1, queued_at=now),
    )


def queued(session: Session, queue: str) -> int:
    """Count the shards whose message should be lying in `queue`."""
    query = select(func.count()).where(Shard.queue == queue, Shard.state == ShardState.QUEUED)
    return session.scalar(query) or 0


def overdue(session: Session, queue: str, limit: int, *, now: float, since: float) -> list[Hold]:
    """Take queued shards that nobody claimed since `since`, to be published once more."""
    rows: Sequence[tuple[int, int]] = [
        (row[0], row[1])
        for row in session.execute(
            select(Shard.id, Shard.attempt)
            .where(Shard.queue == queue, Shard.state == ShardState.QUEUED, Shard.queued_at <= since)
            .order_by(Shard.queued_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
    ]
    return [
        Hold(shard, attempt)
        for shard, attempt in rows
        if changed(
            session,
            update(Shard)
            .where(
                Shard.id == shard,
                Shard.attempt == attempt,
                Shard.state == ShardState.QUEUED,
                Shard.queued_at <= since,
            )
            .values(queued_at=now),
        )
    ]


def waiting_queues(session: Session) -> dict[str, int]:
    """Return how many shards of live jobs wait for a worker, by queue."""
    rows = session.execute(
        select(Shard.queue, func.count())
        .join(Job, Job.id == Shard.job_id)
        .where(Job.state.in_(LIVE_JOBS), Shard.state.in_((ShardState.PENDING, ShardState.QUEUED)))
        .group_by(Shard.queue)
        .order_by(Shard.queue)
    )
    return {queue: int(number) for queue, number in rows}
