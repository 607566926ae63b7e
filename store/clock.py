"""The database's clock may be set back: then times lie ahead that nobody would live to see."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import notices
from core.retry import LONGEST_DELAY
from core.states import JobState, ShardState
from store.notifications import PENDING
from store.tables import Job, Notification, Process, Shard


def pull_back(session: Session, *, now: float, lease_seconds: float) -> None:
    """Bring what lies further ahead than it can back to what it may be at most."""
    lease_end = now + lease_seconds
    session.execute(
        update(Job)
        .where(Job.state == JobState.PLANNING, Job.plan_lease_until > lease_end)
        .values(plan_lease_until=lease_end)
    )
    for state, column, latest in (
        (ShardState.PENDING, Shard.available_at, now + LONGEST_DELAY),
        (ShardState.QUEUED, Shard.queued_at, now),
        (ShardState.RUNNING, Shard.lease_until, lease_end),
        (ShardState.COMMITTED, Shard.finished_at, now),
    ):
        session.execute(
            update(Shard).where(Shard.state == state, column > latest).values({column: latest})
        )
    for column, latest in (
        (Notification.next_at, now + notices.LONGEST_DELAY),
        (Notification.lease_until, now + notices.LEASE_SECONDS),
    ):
        session.execute(
            update(Notification)
            .where(Notification.state == PENDING, column > latest)
            .values({column: latest})
        )
    session.execute(update(Process).where(Process.heartbeat_at > now).values(heartbeat_at=now))
