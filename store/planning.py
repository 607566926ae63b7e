"""Planning as leased, fenced work: parts, shards and cursor move in one transaction.

What a shard finds while it runs becomes new shards, its children, when it commits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from core.comparison import Comparison
from core.kinds import ShardKind
from core.layout import child_part, part_name
from core.states import JobMoves, JobState, ShardState
from store import references
from store.artefacts import part_of
from store.jobs import lock_job, move_job, stop
from store.rows import changed
from store.tables import UNPLANNED, Job, Shard, ShardDependency


@dataclass(frozen=True, slots=True)
class PlanHold:
    """A claim on a job's planning, fenced by `attempt` as a shard's is."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class NewShard:
    """A shard over the rows `start:stop` of the item manifest `items_key`.

    It waits for the shards of this job that make the parts named in `needs`. `items` is how many
    items it has to settle, if these are not all its rows: of several children of an item only one
    settles it. `spec` is what its kind needs to know besides the items. `part` names its artefacts,
    if its place in the plan does not.
    """

    kind: ShardKind
    queue: str
    items_key: str
    start: int
    stop: int
    needs: tuple[str, ...] = ()
    items: int | None = None
    spec: Mapping[str, Any] | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a job has taken over from others so far, and the jobs that made it."""

    comparison: Comparison
    origins: Collection[str]

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the job's row that say so."""
        return {"carried": self.comparison.carried, "comparison": self.comparison.to_json()}


def claim_plan(
    session: Session,
    owner: str,
    *,
    kinds: Collection[ShardKind],
    now: float,
    lease_seconds: float,
    without: Collection[str] = (),
    only_new: bool = False,
) -> PlanHold | None:
    """Take the planning of the most urgent job of these kinds that nobody plans, if any.

    `without` are jobs to leave to others; `only_new` takes one only if nothing of it is planned.
    """
    job = session.scalars(
        select(Job)
        .where(
            Job.kind.in_(kinds),
            Job.state == JobState.PLANNING,
            Job.id.not_in(without),
            *((Job.plan_parts == 0,) if only_new else ()),
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
    shards: Sequence[NewShard],
    cursor: Mapping[str, Any],
    passed_over: Mapping[str, int],
    warnings: Mapping[str, Any] | None = None,
    taken: Taken | None = None,
    now: float,
    lease_seconds: float,
) -> bool:
    """Add a staged part's shards and move the cursor past it; False if overtaken.

    `taken` is what a job has taken over from others, up to there. Repeating a commit that happened
    changes nothing more: the cursor is already there.
    """
    job = lock_job(session, hold.job)
    if job.plan_attempt == hold.attempt and job.plan_cursor == dict(cursor):
        return True
    # Read before the update below, which also changes the session's copy of the job.
    first = job.shards
    items = sum(shard.stop - shard.start for shard in shards)
    moved = changed(
        session,
        _held(hold).values(
            plan_cursor=dict(cursor),
            plan_lease_until=now + lease_seconds,
            plan_parts=job.plan_parts + bool(shards),
            passed_over=dict(passed_over),
            warnings=dict(warnings) if warnings else None,
            listed=job.listed + items,
            shards=job.shards + len(shards),
            error=None,  # what kept it from going on, if anything did
            **({} if taken is None else taken.columns),
        ),
    )
    if moved:
        for origin in () if taken is None else taken.origins:
            references.add(session, job.id, origin, references.CARRIES)
        _add(session, job.id, {seq: (shard.part, shard) for seq, shard in enumerate(shards, first)})
    return moved


def add_children(session: Session, parent: Shard, children: Mapping[int, NewShard]) -> None:
    """Add what a shard found as children, by numbers that are the same in a second run.

    Children that exist already stay as they are. The caller has locked the job.
    """
    names = {number: child_part(part_of(parent), number) for number in children}
    known = _ids(session, parent.job_id, names.values())
    new = [number for number in sorted(children) if names[number] not in known]
    lowest = session.scalar(select(func.min(Shard.seq)).where(Shard.job_id == parent.job_id)) or 0
    first = min(lowest, 0) - len(new)
    _add(
        session,
        parent.job_id,
        {first + n: (names[number], children[number]) for n, number in enumerate(new)},
    )


def _add(session: Session, job_id: str, shards: Mapping[int, tuple[str | None, NewShard]]) -> None:
    """Add shards by `seq`, each with its own name unless `seq` names it."""
    if not shards:
        return
    session.execute(
        insert(Shard),
        [
            {
                "job_id": job_id,
                "seq": seq,
                "part": part,
                "kind": shard.kind.value,
                "queue": shard.queue,
                "items_key": shard.items_key,
                "start": shard.start,
                "stop": shard.stop,
                "items": shard.stop - shard.start if shard.items is None else shard.items,
                "spec": None if shard.spec is None else dict(shard.spec),
                "state": ShardState.WAITING if shard.needs else ShardState.PENDING,
            }
            for seq, (part, shard) in shards.items()
        ],
    )
    waiting = {
        part or part_name(seq): shard.needs for seq, (part, shard) in shards.items() if shard.needs
    }
    if not waiting:
        return
    ids = _ids(session, job_id, {*waiting, *(name for needs in waiting.values() for name in needs)})
    pairs = {(ids[part], ids[name]) for part, needs in waiting.items() for name in needs}
    session.execute(
        insert(ShardDependency),
        [{"shard_id": shard, "needs_id": needed} for shard, needed in sorted(pairs)],
    )


def _ids(session: Session, job_id: str, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of a job's shards by the names of their parts."""
    children = [name for name in names if "-" in name]
    planned = {int(name): name for name in names if "-" not in name}
    rows = session.execute(
        select(Shard.id, Shard.seq, Shard.part).where(
            Shard.job_id == job_id, or_(Shard.part.in_(children), Shard.seq.in_(planned))
        )
    ).all()
    return {part or planned[seq]: shard for shard, seq, part in rows}


def renew_plan(session: Session, hold: PlanHold, *, now: float, lease_seconds: float) -> bool:
    """Keep the planning while a step of it takes long; False if overtaken."""
    return changed(session, _held(hold).values(plan_lease_until=now + lease_seconds))


def finish_plan(
    session: Session, hold: PlanHold, *, now: float, comparison: Comparison | None = None
) -> bool:
    """Mark the listing as ended, so that the job is running; False if overtaken.

    `comparison` is all that was found by comparing it with an earlier job, which it no longer needs
    then: only those whose results it took over.
    """
    job = lock_job(session, hold.job)
    if job.plan_attempt != hold.attempt:
        return False
    values = {} if comparison is None else {"comparison": comparison.to_json()}
    finished = move_job(
        session, hold.job, JobMoves.PLANNED, planned_at=now, error=None, **UNPLANNED, **values
    )
    if finished:
        references.drop(session, hold.job, references.COMPARES)
    return finished


def fail_plan(session: Session, hold: PlanHold, *, now: float, error: str) -> bool:
    """Fail a job whose listing cannot be read; False if overtaken."""
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
