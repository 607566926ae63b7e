"""Finds what the scheduler has to tidy up: lapsed leases, unpublished parts, jobs at their end."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, update
from sqlalchemy.orm import Session

from core.kinds import COUNT, KNOWN
from core.layout import part_order
from core.states import ENDED_SHARDS, JobState, Move, ShardMoves, ShardState
from core.work import Hold
from store import notifications
from store.artefacts import is_result, part_of
from store.jobs import call_off, left_undone, unblocked
from store.profiles import part_profiles_after
from store.rows import changed, column_text, count
from store.tables import Job, Process, Shard

_STOPPING = frozenset({JobState.CANCELLING, JobState.FAILING})
_UNSTARTED = Shard.state.in_({ShardState.WAITING, ShardState.PENDING, ShardState.QUEUED})


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A running shard whose lease has lapsed, or whose worker is known to be gone."""

    hold: Hold
    job_id: str
    worker_id: str
    stopping: bool  # its job is being cancelled or has failed


def lapsed(
    session: Session, *, now: float, gone_only: bool = False, limit: int = 100
) -> list[Lapsed]:
    """Return the running shards that nobody holds any more.

    With `gone_only`, these are only those of workers that are known to be gone.
    """
    gone = not_(exists().where(Process.id == Shard.worker_id))
    rows = session.execute(
        select(Shard.id, Shard.attempt, Shard.job_id, Shard.worker_id, Job.state)
        .join(Job, Job.id == Shard.job_id)
        .where(
            Shard.state == ShardState.RUNNING,
            gone if gone_only else or_(Shard.lease_until <= now, gone),
        )
        .order_by(Shard.lease_until)
        .limit(limit)
    ).all()
    return [Lapsed(Hold(r[0], r[1]), r[2], r[3] or "", r[4] in _STOPPING) for r in rows]


def stopping_with_unstarted(session: Session) -> Sequence[str]:
    """Return the cancelled and failed jobs that have shards which nobody runs.

    A shard comes back to pending when its worker drains, or dies, while its job is called off.
    """
    return session.scalars(
        select(Job.id).where(
            Job.state.in_(_STOPPING), exists().where(Shard.job_id == Job.id, _UNSTARTED)
        )
    ).all()


def call_off_unstarted(session: Session, job_id: str, *, now: float) -> None:
    """Cancel those shards, if the job is still being called off."""
    stopping = exists().where(Job.id == Shard.job_id, Job.state.in_(_STOPPING))
    call_off(session, Shard.job_id == job_id, _UNSTARTED, stopping, now=now)


def unpublished(
    session: Session, *, before: float, without: Collection[str] = (), limit: int = 100
) -> Sequence[Shard]:
    """Return the shards that were committed before `before` but not published yet.

    `without` are jobs to leave alone, here and below.
    """
    return session.scalars(
        select(Shard)
        .where(
            Shard.state == ShardState.COMMITTED,
            Shard.kind.in_(KNOWN),
            Shard.finished_at <= before,
            Shard.job_id.not_in(without),
        )
        .order_by(Shard.finished_at)
        .limit(limit)
    ).all()


_NO_TOMBSTONE = and_(
    Shard.state == ShardState.FAILED,
    Shard.kind.in_(COUNT),
    or_(Shard.part_attempt.is_(None), Shard.part_attempt != Shard.attempt),
)


def without_tombstone(
    session: Session, *, without: Collection[str] = (), limit: int = 100
) -> Sequence[Shard]:
    """Return the shards that are out of tries and whose items have no rows yet."""
    return session.scalars(
        select(Shard)
        .where(_NO_TOMBSTONE, Shard.job_id.not_in(without))
        .order_by(Shard.id)
        .limit(limit)
    ).all()


def bury(session: Session, hold: Hold, *, digest: str, size: int) -> bool:
    """Record that the rows of a failed shard's items lie under its final key."""
    which = (Shard.id == hold.shard, Shard.attempt == hold.attempt, _NO_TOMBSTONE)
    shard = session.scalars(
        select(Shard).where(*which).execution_options(populate_existing=True)
    ).first()
    if shard is None:
        return False
    return changed(
        session,
        update(Shard)
        .where(*which)
        .values(
            part_attempt=hold.attempt,
            part_digest=digest,
            part_size=size,
            part_profiles=part_profiles_after(shard, standing=shard.succeeded + shard.skipped),
        ),
    )


def lose(session: Session, holds: Iterable[Hold], *, now: float, error: str) -> int:
    """Forget the rows of shards that have ended but whose rows are gone; return how many.

    Their items count as undone: a retry runs them again.
    """
    move = ShardMoves.LOSE
    return sum(
        changed(
            session,
            update(Shard)
            .where(Shard.id == hold.shard, Shard.attempt == hold.attempt)
            .where(Shard.state.in_(move.sources))
            .values(
                state=move.target,
                error=column_text(error),
                finished_at=now,
                part_attempt=None,
                part_digest=None,
                part_size=None,
                part_profiles=None,
                artefacts=None,
                succeeded=0,
                skipped=0,
                quarantined=0,
            ),
        )
        for hold in holds
    )


def unsettled(session: Session, job_id: str) -> list[Hold]:
    """Return the shards of a job that have ended, but whose rows are not all in place."""
    rows = session.execute(
        select(Shard.id, Shard.attempt).where(
            Shard.job_id == job_id, or_(Shard.state == ShardState.COMMITTED, _NO_TOMBSTONE)
        )
    )
    return [Hold(shard, attempt) for shard, attempt in rows]


def stopping(session: Session) -> Sequence[Job]:
    """Return the jobs that are being called off."""
    return session.scalars(select(Job).where(Job.state.in_(_STOPPING))).all()


def has_waiting(session: Session) -> bool:
    """Return whether any shard waits for others."""
    query = select(Shard.id).where(Shard.state == ShardState.WAITING).limit(1)
    return session.scalar(query) is not None


def unblock(session: Session) -> int:
    """Release the shards whose dependencies have all ended; return how many.

    A failed dependency has ended, too: whoever needs it goes on with what is there.
    """
    return count(session, unblocked())


_UNFINISHED = exists().where(
    Shard.job_id == Job.id, or_(Shard.state.not_in(ENDED_SHARDS), _NO_TOMBSTONE)
)


def at_their_end(session: Session, *, without: Collection[str] = ()) -> Sequence[Job]:
    """Return the jobs that have nothing left to do but to end."""
    return session.scalars(
        select(Job)
        .where(
            Job.state.in_({JobState.RUNNING, *_STOPPING}),
            not_(_UNFINISHED),
            Job.id.not_in(without),
        )
        .order_by(Job.created_at)
    ).all()


def end(
    session: Session, job: Job, move: Move[JobState], *, now: float, error: str | None = None
) -> bool:
    """End a job as it was read; False if it has moved, or was retried, meanwhile.

    `error` is what it is to say from now on. Whoever is to be told that it ended will be: that is
    noted in the same transaction.
    """
    ended = changed(
        session,
        update(Job)
        .where(*_as_read(job), Job.state.in_(move.sources), not_(_UNFINISHED))
        .values(state=move.target, finished_at=now, error=error)
        .execution_options(synchronize_session=False),
    )
    if ended:
        notifications.announce(session, job.id, now=now)
    return ended


def stands(session: Session, job: Job) -> bool:
    """Return whether a job has neither moved nor been retried since it was read."""
    return session.scalar(select(Job.id).where(*_as_read(job))) is not None


def _as_read(job: Job) -> tuple[ColumnElement[bool], ...]:
    return Job.id == job.id, Job.state == job.state, Job.generation == job.generation


def parts_of(session: Session, job_id: str) -> Sequence[Shard]:
    """Return the shards whose committed rows are the job's results, in listing order."""
    return [shard for shard in results_of(session, job_id) if is_result(shard)]


def shards_of(session: Session, job_id: str) -> Sequence[Shard]:
    """Return all shards of a job, in listing order, children after their parents."""
    found = session.scalars(select(Shard).where(Shard.job_id == job_id)).all()
    return sorted(found, key=lambda shard: part_order(part_of(shard)))


def results_of(session: Session, job_id: str) -> Sequence[Shard]:
    """Return the shards of a job that have committed anything, children after their parents."""
    found = session.scalars(
        select(Shard).where(Shard.job_id == job_id, Shard.part_attempt.is_not(None))
    ).all()
    return sorted(found, key=lambda shard: part_order(part_of(shard)))


def items_keys(session: Session, job_id: str, *, unsettled: bool = False) -> set[str]:
    """Return the item manifest parts of which a job's shards are slices.

    With `unsettled`, these are only those of shards that a retry would run again.
    """
    which = [Shard.job_id == job_id]
    if unsettled:
        which.append(left_undone())
    return set(session.scalars(select(Shard.items_key).where(*which).distinct()))
