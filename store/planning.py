"""Planning as leased, fenced work: parts, shards and cursor move in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from core.states import JobMoves, JobState, ShardKind, ShardState
from store.jobs import lock_job, move_job, stop
from store.rows import changed
from store.tables import UNPLANNED, Job, Shard


@dataclass(frozen=True, slots=True)
class PlanHold:
    """A claim on a job's planning; `attempt` fences it like a shard's."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class NewShard:
    """Rows `start:stop` of the part that is committed with it."""

    start: int
    stop: int


def claim_plan(
    session: Session,
    owner: str,
    *,
    now: float,
    lease_seconds: float,
    without: Collection[str] = (),
) -> PlanHold | None:
    """Take the planning of the most urgent job that nobody plans, if there is one.

    `without` are jobs that are left to others.
    """
    job = session.scalars(
        select(Job)
        .where(
            Job.state == JobState.PLANNING,
            Job.id.not_in(without),
            or_(Job.plan_lease_until.is_(None), Job.plan_lease_until <= now),
        )
        .order_by(Job.priority.desc(), Job.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if job is None:
        return None
    hold = PlanHold(job.id, job.plan_attempt + 1)
    taken = changed(
        session,
        update(Job)
        .where(
            Job.id == job.id,
            Job.state == JobState.PLANNING,
            Job.plan_attempt == job.plan_attempt,
        )
        .values(plan_attempt=hold.attempt, plan_owner=owner, plan_lease_until=now + lease_seconds),
    )
    return hold if taken else None


def commit_plan_part(
    session: Session,
    hold: PlanHold,
    *,
    items_key: str,
    queue: str,
    shards: Sequence[NewShard],
    cursor: Mapping[str, Any],
    passed_over: Mapping[str, int],
    now: float,
    lease_seconds: float,
) -> bool:
    """Add a staged part's shards and move the cursor behind it; False if overtaken.

    Repeating a commit that happened changes nothing more: the cursor is already there.
    """
    job = lock_job(session, hold.job)
    if job.plan_attempt == hold.attempt and job.plan_cursor == dict(cursor):
        return True
    # Read before the update below, which the session's own copy of the job follows.
    first = job.shards
    items = sum(shard.stop - shard.start for shard in shards)
    moved = changed(
        session,
        _held(hold).values(
            plan_cursor=dict(cursor),
            plan_lease_until=now + lease_seconds,
            plan_parts=job.plan_parts + bool(shards),
            passed_over=dict(passed_over),
            listed=job.listed + items,
            shards=job.shards + len(shards),
        ),
    )
    if moved and shards:
        session.execute(
            insert(Shard),
            [
                {
                    "job_id": job.id,
                    "seq": first + offset,
                    "kind": ShardKind.INFER,
                    "queue": queue,
                    "items_key": items_key,
                    "start": shard.start,
                    "stop": shard.stop,
                    "items": shard.stop - shard.start,
                    "state": ShardState.PENDING,
                }
                for offset, shard in enumerate(shards)
            ],
        )
    return moved


def finish_plan(session: Session, hold: PlanHold, *, now: float) -> bool:
    """The listing has ended: the job is running; False if overtaken."""
    job = lock_job(session, hold.job)
    if job.plan_attempt != hold.attempt:
        return False
    return move_job(session, hold.job, JobMoves.PLANNED, planned_at=now, **UNPLANNED)


def fail_plan(session: Session, hold: PlanHold, *, now: float, error: str) -> bool:
    """The listing cannot be read: the job fails; False if overtaken."""
    if lock_job(session, hold.job).plan_attempt != hold.attempt:
        return False
    return stop(session, hold.job, JobMoves.FAIL, now=now, error=error)


def release_plan(session: Session, hold: PlanHold) -> bool:
    """Leave the planning to whoever comes next, from the cursor on."""
    return changed(session, _held(hold).values(**UNPLANNED))


def _held(hold: PlanHold) -> Any:
    return update(Job).where(
        Job.id == hold.job, Job.plan_attempt == hold.attempt, Job.state == JobState.PLANNING
    )
