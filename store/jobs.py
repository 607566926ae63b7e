"""Jobs: create, find, move, count."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    Update,
    case,
    delete,
    exists,
    func,
    not_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from core.errors import NewerError, UsageError
from core.kinds import COUNT, ShardKind
from core.near import did_you_mean
from core.options import JobOptions, ModelRef
from core.schedule import FireState
from core.selection import Selection
from core.sources import Source, sources_by_prefix
from core.states import (
    ENDED_JOBS,
    ENDED_SHARDS,
    LIVE_JOBS,
    OUTSTANDING_SHARDS,
    JobMoves,
    JobState,
    Move,
    ShardMoves,
    ShardState,
)
from core.tolerance import ANY
from store.references import referring_to
from store.rows import changed, column_text, count
from store.tables import (
    UNHELD,
    UNPLANNED,
    Job,
    JobReference,
    ScheduleFire,
    Shard,
    ShardDependency,
)

_IS_ASKED_FOR = Job.kind != ShardKind.COMPACT.value
"""What people mean by jobs: compactions come by themselves, and go with what they compact."""

# This does not block the insertion of new shards, which refer to their job.
_LOCK = {"key_share": True}


def move_job(session: Session, job_id: str, move: Move[JobState], **values: Any) -> bool:
    """Move a job along the table; False if it was in none of the move's states."""
    return changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state.in_(move.sources))
        .values(state=move.target, **values),
    )


def note_trouble(session: Session, job_id: str, error: str | None) -> None:
    """Record what keeps a live job from going on, or that nothing does any more."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(LIVE_JOBS))
        .values(error=None if error is None else column_text(error))
    )


def troubles_of(session: Session, jobs: Iterable[Job]) -> dict[str, str]:
    """Return what keeps live jobs from going on, by id: of the job itself, or of its shards."""
    live = [job for job in jobs if job.state in LIVE_JOBS]
    rows = session.execute(
        select(Shard.job_id, func.count(), func.max(Shard.error))
        .where(
            Shard.job_id.in_([job.id for job in live]),
            Shard.state.in_((ShardState.PENDING, *OUTSTANDING_SHARDS)),
            Shard.error.is_not(None),
        )
        .group_by(Shard.job_id)
    ).all()
    found = {job: _tried_again(shards, error) for job, shards, error in rows if error is not None}
    return found | {job.id: job.error for job in live if job.error is not None}


def _tried_again(shards: int, error: str) -> str:
    if error.startswith("waiting for "):
        return error
    return f"{shards} shard{' is' if shards == 1 else 's are'} tried again: {error}"


def forget_troubles(session: Session) -> None:
    """Forget what keeps live jobs from going on: whoever meets it again says so again."""
    session.execute(
        update(Job).where(Job.state.in_(LIVE_JOBS), Job.error.is_not(None)).values(error=None)
    )


def get_job(session: Session, job_id: str) -> Job:
    """Return the job with exactly this id."""
    return session.get_one(Job, job_id, populate_existing=True)


def kinds_of(session: Session, job_ids: Collection[str]) -> dict[str, str]:
    """Return the kinds of those of these jobs that are there, by their ids."""
    query = select(Job.id, Job.kind).where(Job.id.in_(job_ids))
    return {row.id: row.kind for row in session.execute(query)}


def why_newer(job: Job) -> str | None:
    """Return why only a newer version can work on a job, or None."""
    try:
        ModelRef.from_json(job.model)
        JobOptions.from_json(job.options)
        Selection.from_json(job.selection)
    except NewerError as error:
        return str(error)
    return None


def sources_of(job: Job) -> dict[str, Source]:
    """Return a job's sources by their prefixes (`core.sources`)."""
    return sources_by_prefix(job.source, Selection.from_json(job.selection).sources)


def source_texts(job: Job) -> str | list[str]:
    """Return a job's source as it may be given again, or its several sources."""
    several = [text for _, text in job.selection.get("sources", ())]
    return several or job.source


def lock_job(session: Session, job_id: str) -> Job:
    """Return the job, which nobody else can change until this transaction ends.

    Whoever locks a job and its shards locks the job first, which rules out deadlocks. SQLite locks
    the whole file anyway.
    """
    return session.get_one(Job, job_id, populate_existing=True, with_for_update=_LOCK)


def find_job(session: Session, ref: str) -> Job:
    """Return the job that a person means: by its id, its name, a prefix of its id, or `latest`.

    Of several jobs with that name, it is the newest.

    Raises:
        UsageError: no job matches, or several do.
    """
    if ref == "latest":
        newest = select(Job).where(_IS_ASKED_FOR).order_by(Job.created_at.desc())
        latest = session.scalars(newest.limit(1)).first()
        if latest is None:
            raise UsageError("there are no jobs yet", hint="regatta submit SOURCE --model M")
        return latest
    wanted = ref.lower()
    found: Sequence[Job] = ()
    if wanted:  # every id begins with "": an unset variable must not name a job
        if (known := session.get(Job, wanted) or newest_named(session, ref)) is not None:
            return known
        like_it = select(Job).where(Job.id.startswith(wanted, autoescape=True))
        found = session.scalars(like_it.order_by(Job.id).limit(5)).all()
    if len(found) == 1:
        return found[0]
    if not found:
        hint = did_you_mean(ref, job_names(session)) if wanted else None
        raise UsageError(f"no job {ref!r}", hint=hint or "`regatta jobs` lists them")
    raise UsageError(
        f"{ref!r} may be any of {', '.join(job.id for job in found)}",
        hint="write more of the id",
    )


def newest_named(session: Session, name: str) -> Job | None:
    """Return the newest job of this name."""
    query = select(Job).where(Job.name == name).order_by(Job.created_at.desc(), Job.id)
    return session.scalars(query.limit(1)).first()


def job_names(session: Session, *, limit: int = 200) -> list[str]:
    """Return the ids and the different names of the newest jobs."""
    newest = select(Job.id, Job.name).where(_IS_ASKED_FOR)
    rows = session.execute(newest.order_by(Job.created_at.desc(), Job.id).limit(limit)).all()
    return list(dict.fromkeys([*(row.id for row in rows), *(row.name for row in rows)]))


def any_under_way(session: Session) -> bool:
    """Return whether some job has not ended."""
    return bool(session.scalar(select(exists().where(Job.state.not_in(ENDED_JOBS)))))


def list_jobs(
    session: Session,
    *,
    states: Iterable[JobState] = (),
    limit: int | None = None,
    compactions: bool = False,
) -> Sequence[Job]:
    """Return jobs, newest first; compactions only if asked for."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id)
    if not compactions:
        query = query.where(_IS_ASKED_FOR)
    if wanted := tuple(states):
        query = query.where(Job.state.in_(wanted))
    return session.scalars(query.limit(limit)).all()


@dataclass(frozen=True, slots=True)
class Tally:
    """A job's items and shards, summed over its shards' rows; only kinds whose items count.

    listed = succeeded + skipped + quarantined + cancelled + pending, always.
    """

    listed: int
    succeeded: int
    skipped: int
    quarantined: int
    cancelled: int
    pending: int
    in_progress: int
    shards: Mapping[ShardState, int]


def tally(session: Session, jobs: Sequence[Job]) -> dict[str, Tally]:
    """Count the items and shards of `jobs`, by job id, in one query."""
    rows = session.execute(
        select(
            Shard.job_id,
            Shard.state,
            func.count(),
            func.sum(_counted(Shard.items)),
            func.sum(_counted(Shard.succeeded)),
            func.sum(_counted(Shard.skipped)),
            func.sum(_counted(_quarantined())),
            func.sum(_counted(Shard.progress)),
        )
        .where(Shard.job_id.in_([job.id for job in jobs]))
        .group_by(Shard.job_id, Shard.state)
    ).all()
    by_job: dict[str, list[Sequence[Any]]] = {job.id: [] for job in jobs}
    for row in rows:
        by_job[row[0]].append(row[1:])
    return {job.id: _add_up(job, by_job[job.id]) for job in jobs}


def _counted(number: SQLColumnExpression[int]) -> ColumnElement[int]:
    return case((Shard.kind.in_(COUNT), number), else_=0)


def _quarantined() -> ColumnElement[int]:
    """Return the items quarantined for good: those of a reopened shard are pending for now."""
    settled = (*ENDED_SHARDS, ShardState.COMMITTED)
    return case((Shard.state.in_(settled), Shard.quarantined), else_=0)


def _add_up(job: Job, rows: Sequence[Sequence[Any]]) -> Tally:
    sums = [sum(int(row[column] or 0) for row in rows) for column in range(2, 6)]
    items, succeeded, skipped, quarantined = sums
    rest = items - succeeded - skipped - quarantined
    ended = job.state in ENDED_JOBS
    called_off = sum(
        row[2] - row[3] - row[4] - row[5] for row in rows if row[0] is ShardState.CANCELLED
    )
    cancelled = rest if ended else called_off
    return Tally(
        listed=items,
        succeeded=succeeded,
        skipped=skipped,
        quarantined=quarantined,
        cancelled=cancelled,
        pending=rest - cancelled,
        in_progress=sum(int(row[6] or 0) for row in rows if row[0] is ShardState.RUNNING),
        shards={row[0]: row[1] for row in rows},
    )


def pause(session: Session, job_id: str, *, now: float, why: str | None = None) -> bool:
    """Stop a job from starting anything; workers hand back what runs.

    `why` says so to people, if nobody asked for it.
    """
    error = None if why is None else column_text(why)
    if not move_job(session, job_id, JobMoves.PAUSE, error=error):
        return False
    recall(session, job_id, now=now)
    return True


def resume(session: Session, job_id: str, *, max_quarantined: str | None = None) -> bool:
    """Let a paused job continue where it was.

    One that was paused for its quarantined items is not paused for them again, unless there are
    more than `max_quarantined` (`core.tolerance`).
    """
    job = lock_job(session, job_id)
    values: dict[str, Any] = {"error": None}
    is_forgiven = job.error is not None and not _is_held(session, job)
    if max_quarantined is not None or is_forgiven:
        values["max_quarantined"] = max_quarantined or ANY
    if job.planned_at is not None:
        return move_job(session, job_id, JobMoves.RESUME, **values)
    return move_job(session, job_id, JobMoves.RESUME_PLANNING, **UNPLANNED, **values)


def _is_held(session: Session, job: Job) -> bool:
    """Return whether a job was paused by the end of its window (`store.fires`)."""
    held = exists().where(
        ScheduleFire.job_id == job.id,
        ScheduleFire.state == FireState.HELD.value,
        ScheduleFire.why == job.error,
    )
    return bool(session.scalar(select(held)))


def stop(
    session: Session, job_id: str, move: Move[JobState], *, now: float, error: str | None = None
) -> bool:
    """Cancel or fail a job; what has not started is called off at once.

    Workers call off the running shards; `settle` ends the job after the last one.
    """
    said = None if error is None else column_text(error)
    if not move_job(session, job_id, move, error=said):
        return False
    call_off(session, Shard.job_id == job_id, Shard.state != ShardState.RUNNING, now=now)
    return True


def call_off(session: Session, *which: ColumnElement[bool], now: float) -> None:
    """Cancel shards; a reopened one goes back to the result that it already has.

    Except one that needs others: their results may have changed by now, and the next retry has to
    update its own.
    """
    needs_others = exists().where(ShardDependency.shard_id == Shard.id)
    session.execute(
        update(Shard)
        .where(
            *which,
            Shard.state.in_(ShardMoves.RESTORE.sources),
            Shard.part_attempt.is_not(None),
            not_(needs_others),
        )
        .execution_options(synchronize_session=False)
        .values(state=ShardMoves.RESTORE.target, finished_at=now, **UNHELD)
    )
    session.execute(
        update(Shard)
        .where(*which, Shard.state.in_(ShardMoves.CANCEL.sources))
        .values(state=ShardMoves.CANCEL.target, finished_at=now, **UNHELD)
    )


def recall(session: Session, job_id: str, *, now: float) -> None:
    """Take back a job's queued shards: their messages find another attempt and are dropped."""
    session.execute(
        update(Shard)
        .where(Shard.job_id == job_id, Shard.state.in_(ShardMoves.RECALL.sources))
        .values(state=ShardMoves.RECALL.target, available_at=now)
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which quarantined items a retry runs again, as seen in this `generation` of the job.

    `items` are their positions, by the ids of the shards that have quarantined items and are not to
    run all of them; shards with none of these stay as they are. With `is_all`, shards that are not
    named run what they left undone; otherwise they stay, too.
    """

    generation: int
    items: Mapping[int, Sequence[int]]
    is_all: bool


def reopen(
    session: Session, job_id: str, *, now: float, choice: Choice | None = None
) -> int | None:
    """Open a new generation: run again what was quarantined, failed or cancelled.

    Of the quarantined items, `choice` may leave some as they are. Whatever needs the new results
    runs again as well, and waits for them.

    Returns:
        How many shards run again, or None if the job has not ended or has nothing to retry.
    """
    job = lock_job(session, job_id)
    if choice is not None:
        left = exists().where(Shard.job_id == job_id, _undone_but(choice))
        is_stale = choice.generation != job.generation
        if is_stale or (job.planned_at is not None and not session.scalar(select(left))):
            return None
    # Nothing was listed so far: what has come since may sort before the cursor.
    anew: dict[str, Any] = (
        {}
        if job.listed or job.carried or job.planned_at is not None
        else {"plan_cursor": None, "passed_over": {}, "warnings": None, "comparison": None}
    )
    move = JobMoves.REOPEN if job.planned_at is not None else JobMoves.REOPEN_PLANNING
    reopened = move_job(
        session,
        job_id,
        move,
        generation=job.generation + 1,
        # A planner of the previous generation may still wake up; what it had written was removed.
        plan_attempt=job.plan_attempt + 1,
        finished_at=None,
        error=None,
        **anew,
        **UNPLANNED,
    )
    if not reopened:
        return None
    shards = _reopen(session, job_id, _undone_but(choice), now=now)
    for shard, items in {} if choice is None else choice.items.items():
        session.execute(
            update(Shard)
            .where(Shard.id == shard, Shard.state == ShardMoves.REOPEN.target)
            .values(again=sorted(items))
            .execution_options(synchronize_session=False)
        )
    if shards:
        while more := _reopen(session, job_id, _needs(_is_open), now=now):
            shards += more
        session.execute(unblocked(Shard.job_id == job_id))
    return shards


def left_undone() -> ColumnElement[bool]:
    """Return the condition that a retry of a job runs a shard again, whatever others it needs."""
    return (Shard.quarantined > 0) | (Shard.state != ShardState.DONE)


def _undone_but(choice: Choice | None) -> ColumnElement[bool]:
    if choice is None:
        return left_undone()
    run = [shard for shard, items in choice.items.items() if items]
    if not choice.is_all:
        return Shard.id.in_(run)
    return left_undone() & Shard.id.not_in([shard for shard in choice.items if shard not in run])


def _reopen(session: Session, job_id: str, which: ColumnElement[bool], *, now: float) -> int:
    move = ShardMoves.REOPEN
    return count(
        session,
        update(Shard)
        .where(Shard.job_id == job_id, Shard.state.in_(move.sources), which)
        .execution_options(synchronize_session=False)
        .values(
            state=move.target,
            tries=0,
            available_at=now,
            suspect=False,
            deaths={},
            error=None,
            finished_at=None,
            progress=0,
            again=None,
        ),
    )


def unblocked(*which: ColumnElement[bool]) -> Update:
    """Return the statement that releases waiting shards whose dependencies have all ended."""
    move = ShardMoves.UNBLOCK
    return (
        update(Shard)
        .where(*which, Shard.state.in_(move.sources), not_(_needs(_is_open)))
        .values(state=move.target)
        .execution_options(synchronize_session=False)
    )


_needed = aliased(Shard)
_is_open = _needed.state.not_in(ENDED_SHARDS)


def _needs(whom: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether a shard depends on any of these."""
    return (
        exists()
        .where(ShardDependency.shard_id == Shard.id)
        .where(_needed.id == ShardDependency.needs_id, whom)
    )


def forget(session: Session, job_id: str) -> bool:
    """Remove the rows of a job that has ended and that no other refers to; False if there is none.

    Raises:
        UsageError: it has not ended, or others refer to it.
    """
    job = session.get(Job, job_id, populate_existing=True, with_for_update=_LOCK)
    if job is None:
        return False
    if job.state not in ENDED_JOBS:
        raise UsageError(
            f"job {job_id} has not ended: it is {job.state}",
            hint=f"`regatta cancel {job_id}` ends it",
        )
    if others := referring_to(session, job_id):
        raise UsageError(f"job {job_id} must stay: {', '.join(others)} refers to it")
    session.execute(delete(JobReference).where(JobReference.job_id == job_id))
    session.execute(delete(Job).where(Job.id == job_id))
    return True


def set_priority(session: Session, job_id: str, priority: int) -> bool:
    """Change a job's priority, by which the next slots are shared; False if it has ended."""
    return changed(
        session,
        update(Job).where(Job.id == job_id, Job.state.not_in(ENDED_JOBS)).values(priority=priority),
    )
