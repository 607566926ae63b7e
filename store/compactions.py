"""Compactions: jobs that make flat tables of another job's results, and whether these still hold.

A compaction is of one generation of its job. It counts once it is adopted, after its end, in one
transaction; as soon as its job is retried, nobody reads it any more.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session, aliased

from core.kinds import COUNT, ArtefactRole, ShardKind
from core.states import ENDED_JOBS, JobState
from store import references
from store.artefacts import artefacts_of
from store.jobs import lock_job
from store.profiles import profiles_of
from store.settling import results_of
from store.tables import Job, JobCompaction, JobReference, Shard

_COMPACTED = frozenset({JobState.SUCCEEDED, JobState.PARTIAL})


@dataclass(frozen=True, slots=True)
class Compaction:
    """What the compaction `job` has made of another job's results.

    `tables` are the keys of flat tables under `output`, by the table's name
    (`tables.columns.TABLES`). Each file is sorted by item; the files follow the listing.
    """

    job: str
    output: str
    tables: Mapping[str, Sequence[str]]


def compaction_of(session: Session, job: Job) -> Compaction | None:
    """Return the compaction of a job as it is now; None if there is none that holds."""
    found = session.scalar(
        select(JobCompaction.job_id)
        .where(
            JobCompaction.of_job == job.id,
            JobCompaction.generation == job.generation,
            JobCompaction.adopted_at.is_not(None),
        )
        .order_by(JobCompaction.adopted_at.desc())
        .limit(1)
    )
    if found is None or job.state not in ENDED_JOBS:
        return None
    tables: defaultdict[str, list[str]] = defaultdict(list)
    for shard in results_of(session, found):
        for artefact in artefacts_of(shard):
            if artefact.role is ArtefactRole.TABLES:
                tables[_table_of(artefact.key)].append(artefact.key)
    return Compaction(found, session.get_one(Job, found).output, dict(tables))


def moved_manifests(session: Session, job_id: str) -> list[tuple[str, str]]:
    """Return the carried manifests of a job since a compaction moved what it had taken over.

    These are their outputs, and their keys there; none if nothing was moved. They hold whether or
    not the job was retried since: a retry changes nothing about what it has taken over.
    """
    adopted = session.scalars(
        select(Job)
        .join(JobCompaction, JobCompaction.job_id == Job.id)
        .where(JobCompaction.of_job == job_id, JobCompaction.adopted_at.is_not(None))
        .order_by(JobCompaction.adopted_at.desc())
    )
    for job in adopted:
        if found := [
            (job.output, artefact.key)
            for shard in results_of(session, job.id)
            for artefact in artefacts_of(shard)
            if artefact.role is ArtefactRole.CARRIED
        ]:
            return found
    return []


def made_by(session: Session, job_id: str) -> tuple[str, int]:
    """Return a job's kind, and how many items have results in its parts."""
    items = func.sum(Shard.succeeded + Shard.skipped + Shard.quarantined)
    kind = session.scalars(select(Job.kind).where(Job.id == job_id)).one()
    return kind, session.scalar(select(items).where(Shard.job_id == job_id)) or 0


def spec_of(session: Session, compaction_id: str) -> dict[str, Any] | None:
    """Return what the shards of a compaction are told; None if none is planned yet."""
    return session.scalar(select(Shard.spec).where(Shard.job_id == compaction_id).limit(1))


def moved_by(session: Session, compaction_id: str) -> set[str]:
    """Return the jobs whose results a compaction has written anew."""
    specs = session.scalars(select(Shard.spec).where(Shard.job_id == compaction_id))
    return {job for spec in specs for job in (spec or {}).get("moved", {})}


def suffix_of(table: str) -> str:
    """Return how the name of a file of a flat table ends."""
    return f".{table}.parquet"


def _table_of(key: str) -> str:
    return key.removesuffix(".parquet").rpartition(".")[2]


def record(session: Session, compaction: Job, of: Job) -> None:
    """Record that a new job compacts another, which must stay until the former has ended."""
    session.add(
        JobCompaction(job_id=compaction.id, of_job=of.id, generation=of.generation, adopted_at=None)
    )
    session.flush()
    references.add(session, compaction.id, of.id, references.COMPACTS)


def recorded(session: Session, compaction_id: str) -> JobCompaction:
    """Return which job a compaction compacts, and in which generation."""
    return session.get_one(JobCompaction, compaction_id, populate_existing=True)


def newest_of(session: Session, job: Job) -> Job | None:
    """Return the newest compaction of a job as it is now, whatever became of it."""
    return session.scalars(
        select(Job)
        .join(JobCompaction, JobCompaction.job_id == Job.id)
        .where(JobCompaction.of_job == job.id, JobCompaction.generation == job.generation)
        .order_by(Job.created_at.desc())
        .limit(1)
    ).first()


_of = aliased(Job)  # the job that is compacted
_HOLDS = and_(JobCompaction.generation == _of.generation, _of.state.in_(ENDED_JOBS))
_IS_PENDING = exists().where(
    JobReference.job_id == JobCompaction.job_id, JobReference.why == references.COMPACTS
)


def overtaken(session: Session) -> Sequence[str]:
    """Return the compactions that have not ended, but whose jobs were retried since."""
    return _compactions(session, Job.state.not_in(ENDED_JOBS), not_(_HOLDS))


def ended(session: Session) -> Sequence[str]:
    """Return the compactions that have ended, but are neither adopted nor given up."""
    return _compactions(session, Job.state.in_(ENDED_JOBS), _IS_PENDING)


def any_live(session: Session) -> bool:
    """Return whether some compaction has not ended."""
    live = exists().where(Job.kind == ShardKind.COMPACT.value, Job.state.not_in(ENDED_JOBS))
    return bool(session.scalar(select(live)))


def _compactions(session: Session, *which: ColumnElement[bool]) -> Sequence[str]:
    return session.scalars(
        select(JobCompaction.job_id)
        .join(Job, Job.id == JobCompaction.job_id)
        .join(_of, _of.id == JobCompaction.of_job)
        .where(*which)
        .order_by(Job.created_at)
    ).all()


def adopt(session: Session, compaction_id: str, *, now: float) -> bool | None:
    """Let what an ended compaction made count from now on, and let go what it replaces.

    It goes on referring to its job until `finish`. Repeating it changes nothing.

    Returns:
        False if it did not succeed, or if its job was retried meanwhile; None if that job must not
        change for the moment, as another is just being compared with it.
    """
    found = recorded(session, compaction_id)
    job = lock_job(session, found.of_job)
    compaction = session.get_one(Job, compaction_id, populate_existing=True)
    is_good = compaction.state is JobState.SUCCEEDED
    if not is_good or job.generation != found.generation or job.state not in ENDED_JOBS:
        return False
    if found.adopted_at is not None:
        return True
    moved = moved_by(session, compaction_id)
    if moved and _is_compared(session, job.id):
        return None
    references.drop(session, job.id, references.COMPACTED)
    for origin in moved:
        references.let_go(session, job.id, origin)
    why = references.CARRIES if moved else references.COMPACTED
    references.add(session, job.id, compaction_id, why)
    compaction.past_profiles = _profiles(session, moved)
    session.execute(
        update(JobCompaction).where(JobCompaction.job_id == compaction_id).values(adopted_at=now)
    )
    return True


def _is_compared(session: Session, job_id: str) -> bool:
    """Return whether another job is just being compared with this one.

    Its row says so, and not its reference, of which the reason changes with what it takes over.
    """
    compared = exists().where(Job.since_job == job_id, Job.state == JobState.PLANNING)
    return bool(session.scalar(select(compared)))


def _profiles(session: Session, jobs: Collection[str]) -> list[dict[str, Any]]:
    """Return what the results of some jobs were made on: whoever takes them over asks for it."""
    specs = session.execute(
        select(Shard.kind, Shard.spec).where(Shard.job_id.in_(jobs), Shard.spec.is_not(None))
    )
    drawn = {spec["job"] for kind, spec in specs if kind == ShardKind.RENDER}
    found: list[dict[str, Any]] = []
    for job in session.scalars(select(Job).where(Job.id.in_({*jobs, *drawn})).order_by(Job.id)):
        found += [profile for profile in profiles_of(job) if profile not in found]
    return found


def finish(session: Session, compaction_id: str) -> None:
    """Record that nothing more is to be done about a compaction that has ended."""
    references.drop(session, compaction_id, references.COMPACTS)


_IS_STALE = and_(
    JobReference.why == references.COMPACTED,
    exists()
    .where(JobCompaction.job_id == JobReference.refers_to)
    .where(JobCompaction.of_job == JobReference.job_id)
    .where(_of.id == JobReference.job_id, JobCompaction.generation != _of.generation),
)


def any_stale(session: Session) -> bool:
    """Return whether a job that was retried since refers to flat tables as they were before."""
    return bool(session.scalar(select(exists().where(_IS_STALE))))


def discard_stale(session: Session) -> None:
    """Let go the flat tables of jobs that were retried since."""
    session.execute(
        delete(JobReference).where(_IS_STALE).execution_options(synchronize_session=False)
    )


def unneeded(session: Session, *, without: Collection[str] = (), limit: int = 10) -> Sequence[str]:
    """Return the compactions that have ended and that nobody reads, nor ever will.

    One that failed stays as long as its job is what it was: it must not be tried for ever.
    `without` are some to leave alone.
    """
    is_read = exists().where(JobReference.refers_to == Job.id)
    is_recorded = exists().where(JobCompaction.job_id == Job.id)
    has_failed = (
        exists()
        .where(JobCompaction.job_id == Job.id, JobCompaction.adopted_at.is_(None))
        .where(_of.id == JobCompaction.of_job, JobCompaction.generation == _of.generation)
    )
    return session.scalars(
        select(Job.id)
        .where(Job.kind == ShardKind.COMPACT.value, Job.state.in_(ENDED_JOBS))
        .where(not_(is_read), or_(not_(is_recorded), not_(has_failed)), Job.id.not_in(without))
        .order_by(Job.created_at)
        .limit(limit)
    ).all()


def compactable(
    session: Session, *, ended_after: float, parts: int
) -> Sequence[tuple[str, int, int]]:
    """Return jobs that ended lately, the newest first, and that nobody has compacted as they are.

    They have at least so many parts, or results carried over from other jobs. Each is an id, the
    generation, and the number of parts. `ended_after` is in seconds since the epoch.
    """
    tried = exists().where(
        JobCompaction.of_job == Job.id, JobCompaction.generation == Job.generation
    )
    rows = session.execute(
        select(Job.id, Job.generation, Job.shards)
        .where(Job.kind.in_(COUNT), Job.state.in_(_COMPACTED), Job.finished_at > ended_after)
        .where(or_(Job.shards >= parts, Job.carried > 0), not_(tried))
        .order_by(Job.finished_at.desc())
    )
    return [(row[0], row[1], row[2]) for row in rows]


def only_read_by(session: Session, job_id: str) -> Sequence[Job]:
    """Return the compactions that go with a job: its own, and those that only it reads."""
    other = exists().where(JobReference.refers_to == Job.id, JobReference.job_id != job_id)
    read = exists().where(JobReference.refers_to == Job.id, JobReference.job_id == job_id)
    own = exists().where(JobCompaction.job_id == Job.id, JobCompaction.of_job == job_id)
    elsewhere = exists().where(JobCompaction.job_id == Job.id, JobCompaction.of_job != job_id)
    return session.scalars(
        select(Job)
        .where(Job.kind == ShardKind.COMPACT.value, Job.state.in_(ENDED_JOBS), not_(other))
        .where(or_(own, and_(read, not_(elsewhere))))
        .order_by(Job.created_at)
    ).all()
