"""What the dispatcher needs: how much each job has to do, and the queueing of its next shards."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from core.kinds import KNOWN, NEED_ENGINE, ShardKind
from core.profile import ExecutionProfile
from core.states import LIVE_JOBS, OUTSTANDING_SHARDS, ShardMoves, ShardState
from core.work import Hold
from store.rows import changed
from store.tables import Job, Shard


@dataclass(frozen=True, slots=True)
class Demand:
    """A live job's shards of one kind on one queue: how many are ready, how many outstanding.

    Of the outstanding ones, `queued` have not begun. `profile` is what a worker must offer to run
    them, if anything.
    """

    job_id: str
    kind: ShardKind
    priority: int
    ready: int
    outstanding: int
    queued: int
    profile: ExecutionProfile | None


def demands(session: Session, queue: str, *, now: float) -> list[Demand]:
    """Return what live jobs have ready or outstanding on `queue`, the oldest job first.

    Shards that need an engine are not counted before the job's profile is frozen: nobody knows yet
    who may run them. Kinds that this version doesn't know are left to a newer scheduler.
    """
    ready = case(((Shard.state == ShardState.PENDING) & (Shard.available_at <= now), 1), else_=0)
    out = case((Shard.state.in_(OUTSTANDING_SHARDS), 1), else_=0)
    queued = case((Shard.state == ShardState.QUEUED, 1), else_=0)
    sums = (func.sum(ready), func.sum(out), func.sum(queued))
    rows = session.execute(
        select(Job.id, Shard.kind, Job.priority, *sums, Job.profile)
        .join(Shard, Shard.job_id == Job.id)
        .where(
            Job.state.in_(LIVE_JOBS),
            or_(Job.profile.is_not(None), Shard.kind.not_in(NEED_ENGINE)),
            Shard.kind.in_(KNOWN),
            Shard.queue == queue,
            Shard.state.in_((ShardState.PENDING, *OUTSTANDING_SHARDS)),
        )
        .group_by(Job.id, Job.priority, Job.created_at, Shard.kind)
        .order_by(Job.created_at, Job.id, Shard.kind)
    ).all()
    return [
        Demand(
            job,
            kind := ShardKind(word),
            priority,
            int(ready),
            int(outstanding),
            int(waiting),
            ExecutionProfile.from_json(profile) if kind in NEED_ENGINE else None,
        )
        for job, word, priority, ready, outstanding, waiting, profile in rows
    ]


def queue_next(
    session: Session, job_id: str, queue: str, kind: ShardKind, limit: int, *, now: float
) -> list[Hold]:
    """Queue a job's next shards of a kind, each under a new attempt.

    The caller publishes them after the commit.
    """
    # Shared with other dispatchers; a pause or a cancellation waits, and then sees what we queued.
    # So does a move to another profile: what needs one and has none is not queued.
    job = select(Job.id).where(Job.id == job_id, Job.state.in_(LIVE_JOBS))
    if kind in NEED_ENGINE:
        job = job.where(Job.profile.is_not(None))
    if session.scalar(job.with_for_update(read=True)) is None:
        return []
    ready = session.execute(
        select(Shard.id, Shard.attempt)
        .where(
            Shard.job_id == job_id,
            Shard.queue == queue,
            Shard.kind == kind,
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


def take_back(session: Session, job_id: str, queue: str, limit: int, *, now: float) -> int:
    """Take back up to `limit` queued shards of a job, the last ones first; return how many.

    Their messages find another state, and are dropped.
    """
    rows = session.execute(
        select(Shard.id, Shard.attempt)
        .where(Shard.job_id == job_id, _queued_on(queue))
        .order_by(Shard.queued_at.desc(), Shard.seq.desc())
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    move = ShardMoves.RECALL
    return sum(
        changed(
            session,
            update(Shard)
            .where(Shard.id == shard, Shard.attempt == attempt, Shard.state.in_(move.sources))
            .values(state=move.target, available_at=now),
        )
        for shard, attempt in rows
    )


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
    query = select(func.count()).where(_queued_on(queue))
    return session.scalar(query) or 0


def overdue(
    session: Session,
    queue: str,
    limit: int,
    *,
    served: Collection[tuple[str, ShardKind]],
    now: float,
    since: float,
) -> Mapping[ShardKind, list[Hold]]:
    """Take queued shards that nobody claimed since `since`, to be published once more.

    `served` are the jobs and kinds that a live worker can run. All others go back to pending: their
    messages would be refused again and again, and take the place of others.
    """
    rows = session.execute(
        select(Shard.id, Shard.attempt, Shard.job_id, Shard.kind)
        .where(_queued_on(queue), Shard.queued_at <= since)
        .order_by(Shard.queued_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    late: defaultdict[ShardKind, list[Hold]] = defaultdict(list)
    for shard, attempt, job, word in rows:
        kind = ShardKind(word)
        is_served = (job, kind) in served
        recall = {"state": ShardMoves.RECALL.target, "available_at": now}
        taken = changed(
            session,
            update(Shard)
            .where(
                Shard.id == shard,
                Shard.attempt == attempt,
                Shard.state == ShardState.QUEUED,
                Shard.queued_at <= since,
            )
            .values({"queued_at": now} if is_served else recall),
        )
        if taken and is_served:
            late[kind].append(Hold(shard, attempt))
    return late


def _queued_on(queue: str) -> ColumnElement[bool]:
    """Return the condition that the message of a shard we know should be lying in a queue."""
    return and_(Shard.queue == queue, Shard.state == ShardState.QUEUED, Shard.kind.in_(KNOWN))


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
