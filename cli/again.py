"""Runs a job again: on what it was frozen to, or on what workers offer now."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from cli.session import (
    job_of,
    live_processes,
    opened,
    running_shards,
    say,
    warn_if_nobody_schedules,
)
from cli.show.wording import profile_without_worker
from core.errors import RegattaError, UsageError
from core.kinds import NEED_ENGINE, ShardKind
from core.profile import ExecutionProfile
from core.states import ENDED_JOBS, ItemState, JobState
from core.wording import count
from scheduler.profiles import profile_for
from store import jobs, processes, settling
from store.database import Database
from store.locations import open_store
from store.profiles import leave_profile
from store.tables import Job, Process


def run_again(ref: str) -> None:
    """Reopen a job that has ended.

    Raises:
        UsageError: it has not ended, or left nothing undone.
    """
    with opened() as (settings, db):
        job = job_of(db, ref)
        if job.kind == ShardKind.COMPACT:
            raise UsageError(
                f"job {job.id} compacts another one, and is not run again",
                hint="`regatta compact` begins anew",
            )
        if job.state not in ENDED_JOBS:
            raise UsageError(
                f"job {job.id} has not ended: it is {job.state}",
                hint=f"wait for it (`regatta status {job.id} --watch`), or cancel it first",
            )
        _check_items(db, job)
        shards = db.write(lambda s: jobs.reopen(s, job.id, now=db.now(s)))
        if shards is None:
            raise _held_by_others(db, job) or _nothing_to_retry(job)
        say(f"job {job.id} runs again: {_reopened(job, shards)}")
        if stranded := _stranded(job, live_processes(db, settings, processes.WORKER)):
            say(stranded)
        warn_if_nobody_schedules(db, settings)


def _held_by_others(db: Database, job: Job) -> UsageError | None:
    """Return what to say if all that a job has in quarantine was taken over from others."""
    if not (job.comparison or {}).get("quarantined"):
        return None
    from store.carried import carried_manifests, origins  # noqa: PLC0415 - loads Arrow

    others = {
        origin.job
        for origin in origins(carried_manifests(db, job))
        if ItemState.QUARANTINED.value in origin.rows["state"].to_pylist()
    }
    if not others:
        return None
    commands = ", ".join(f"`regatta retry {other}`" for other in sorted(others))
    return UsageError(
        f"job {job.id} left nothing undone: what it has in quarantine are results of earlier jobs",
        hint=f"{commands} tries them again, for this job's view as well",
    )


def _check_items(db: Database, job: Job) -> None:
    """Refuse to run a job again whose item lists are known to be gone: it could only fail."""
    needed = db.read(lambda s: settling.items_keys(s, job.id, unsettled=True))
    output = open_store(job.output)
    try:
        missing = sorted(key for key in needed if not output.exists(key))
    except RegattaError:
        return  # workers may reach what this command doesn't
    if missing:
        raise UsageError(
            f"job {job.id} cannot run again: its item lists are gone from {job.output}, "
            f"such as {missing[0]}",
            hint=f"put them back, or begin anew: regatta run --like {job.id}",
        )


def move_to_new_profile(ref: str) -> None:
    """Move the rest of a job, ended or not, onto what workers offer now.

    Raises:
        UsageError: nothing is left of it, or it is being called off.
    """
    with opened() as (settings, db):
        job = job_of(db, ref)
        if job.state in ENDED_JOBS:
            _check_items(db, job)
        shards = db.write(lambda s: _moved(s, job, now=db.now(s)))
        if job.state in ENDED_JOBS:
            say(f"job {job.id} runs again: {_reopened(job, shards)}")
        workers = live_processes(db, settings, processes.WORKER)
        for line in _from_and_to(job, profile_for(job, workers)):
            say(line)
        if running := running_shards(db, job.id):
            say(f"{count(running, 'shard')} under way may finish on what it began with")
        if job.state is JobState.PAUSED:
            say(f"the job is paused; go on with: regatta resume {job.id}")
        warn_if_nobody_schedules(db, settings)


def _moved(session: Session, job: Job, *, now: float) -> int:
    """Reopen a job if it has ended, and free it from its profile; return the shards reopened."""
    if job.kind not in NEED_ENGINE:
        raise UsageError(f"job {job.id} runs on no engine that it could be moved from")
    shards = 0
    if job.state in ENDED_JOBS:
        reopened = jobs.reopen(session, job.id, now=now)
        if reopened is None:
            raise _nothing_to_retry(job)
        shards = reopened
    if not leave_profile(session, job.id, now=now):
        raise UsageError(
            f"nothing of job {job.id} can be moved: it is {job.state}",
            hint=f"`regatta status {job.id}` shows what is left of it",
        )
    return shards


def _from_and_to(job: Job, profile: ExecutionProfile | None) -> list[str]:
    after = "what workers offer next" if profile is None else profile.key
    if job.profile is None:
        return [f"job {job.id} is frozen to nothing yet: it gets {after}"]
    before = ExecutionProfile.from_json(job.profile).key
    lines = [f"what is left of job {job.id} moves from {before} to {after}"]
    if after != before:
        lines.append("parts made before keep their numbers; the manifest names each part's profile")
    return lines


def _stranded(job: Job, workers: Sequence[Process]) -> str | None:
    """Say that no worker offers what the job was frozen to, if that can be told."""
    offered = processes.offered(workers, job.task)
    if job.profile is None or not offered:
        return None
    profile = ExecutionProfile.from_json(job.profile)
    serving = [worker for worker in workers if job.task in worker.queues]
    if any(profile.runs_on(processes.offers_of(worker)) for worker in serving):
        return None
    return profile_without_worker(job.id, profile.key, [offer.key for offer in offered])


def _reopened(job: Job, shards: int) -> str:
    planning = " and the rest of its listing" if job.planned_at is None else ""
    return f"{count(shards, 'shard')}{planning}"


def _nothing_to_retry(job: Job) -> UsageError:
    return UsageError(f"job {job.id} left nothing to retry: it ended as {job.state}")
