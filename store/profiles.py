"""A job's execution profiles: the one it is frozen to, and those that it was moved from.

Profiles are numbered from 0 in the order in which the job had them. Every attempt at a shard runs
under one profile to its end, and every committed part says which profiles its rows come from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from core.kinds import NEED_ENGINE
from core.profile import ExecutionProfile
from core.states import LIVE_JOBS, JobState, ShardState
from core.ways import Way
from store.jobs import lock_job, recall
from store.rows import changed, column_text
from store.tables import Job, Shard

_NETWORKS = "networks"
_MOVABLE = LIVE_JOBS | {JobState.PAUSED}
_UNFINISHED = (ShardState.WAITING, ShardState.PENDING, ShardState.QUEUED, ShardState.RUNNING)


def present_number(job: Job) -> int:
    """Return the number of the job's present profile, or of the one that it will be frozen to."""
    return len(job.past_profiles)


def profiles_of(job: Job) -> list[dict[str, Any]]:
    """Return the job's profiles as JSON, by their numbers; the last may not be frozen yet."""
    return [*job.past_profiles, *([] if job.profile is None else [job.profile])]


def unprofiled(session: Session) -> Sequence[Job]:
    """Return the live jobs that need an execution profile and are not frozen to one yet."""
    return session.scalars(
        select(Job)
        .where(Job.state.in_(LIVE_JOBS), Job.profile.is_(None), Job.kind.in_(NEED_ENGINE))
        .order_by(Job.created_at)
    ).all()


def freeze_profile(session: Session, job_id: str, profile: ExecutionProfile) -> bool:
    """Fix a job's execution profile; False if somebody else did."""
    return changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.profile.is_(None))
        .values(profile=profile.to_json()),
    )


def leave_profile(session: Session, job_id: str, *, now: float) -> bool:
    """Free the rest of a job from its profile, so that it is frozen to what is offered next.

    Running shards may end, and commit, under the profile that they began with. A job whose profile
    is not frozen stays as it is.

    Returns:
        False if the job is neither live nor paused, or has nothing left to do.
    """
    job = lock_job(session, job_id)
    rest = exists().where(Shard.job_id == job_id, Shard.state.in_(_UNFINISHED))
    is_open = job.planned_at is None or session.scalar(select(rest))
    if job.state not in _MOVABLE or not is_open:
        return False
    if job.profile is not None:
        # Shards queued for the old profile must not be claimed under its old number.
        recall(session, job_id, now=now)
        session.execute(
            update(Job)
            .where(Job.id == job_id)
            .values(profile=None, past_profiles=[*job.past_profiles, job.profile])
        )
    return True


def freeze_way(
    session: Session, job_id: str, profile_number: int, digest: str, way: Way, why: str
) -> Way | None:
    """Fix how the network of this digest runs under a job's profile; the first writer wins.

    Returns:
        The way that stands, or None if the job was moved to another profile meanwhile.
    """
    job = lock_job(session, job_id)
    if job.profile is None or present_number(job) != profile_number:
        return None
    frozen = ways_of(job.profile)
    if digest in frozen:
        return frozen[digest]
    said = {"way": way.value, "why": column_text(why)}
    profile = {**job.profile, _NETWORKS: {**job.profile.get(_NETWORKS, {}), digest: said}}
    session.execute(update(Job).where(Job.id == job_id).values(profile=profile))
    return way


def ways_of(profile: Mapping[str, Any]) -> dict[str, Way]:
    """Return the ways that a profile, as JSON, has frozen for networks, by digest."""
    known = profile.get(_NETWORKS, {})
    return {digest: Way(said["way"]) for digest, said in known.items() if "way" in said}


def part_profiles(shard: Shard) -> dict[int, int]:
    """Return how many of the part's items stand (succeeded or were skipped) by profile number.

    The last number is that of the last run, from which all other rows of the part come; earlier
    ones are included only if items stand from them.
    """
    if shard.part_attempt is None:
        return {}
    if shard.part_profiles is None:
        return {0: shard.succeeded + shard.skipped}
    return {int(number): items for number, items in sorted(shard.part_profiles.items())}


def part_profiles_after(shard: Shard, *, standing: int) -> dict[str, int]:
    """Return the same as JSON, after this attempt left `standing` items in all."""
    before = {number: items for number, items in part_profiles(shard).items() if items}
    gained = max(0, standing - sum(before.values()))
    last = shard.profile_number
    now = {**before, last: before.get(last, 0) + gained}
    return {str(number): now[number] for number in sorted(now)}
