"""Runs a job again: on what it was frozen to, or on what workers offer now."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

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
from store.dismissals import dismissals_of, forget_dismissals
from store.locations import open_store
from store.profiles import leave_profile
from store.tables import Job, Process

if TYPE_CHECKING:
    from store.committed import QuarantinedItem


def run_again(ref: str, *, with_dismissed: bool = False, items: Sequence[str] = ()) -> None:
    """Reopen a job that has ended: what it left undone, without what was dismissed.

    With `items` (names or globs), only these quarantined items run again, dismissed or not.

    Raises:
        UsageError: it has not ended, or left nothing undone; or there are no such items.
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
        anew, choice = _chosen(db, job, items, with_dismissed=with_dismissed)
        shards = db.write(lambda s: _reopen(s, job.id, choice, anew, now=db.now(s)))
        if shards is None:
            held = None if items else _held_by_others(db, job)
            raise held or _nothing_to_retry(job, but_dismissed=choice is not None)
        what = f"{count(len(anew or ()), 'item')} in " if items else ""
        say(f"job {job.id} runs again: {what}{_reopened(job, shards)}")
        if stranded := _stranded(job, live_processes(db, settings, processes.WORKER)):
            say(stranded)
        warn_if_nobody_schedules(db, settings)


def _chosen(
    db: Database, job: Job, items: Sequence[str], *, with_dismissed: bool
) -> tuple[Collection[int] | None, jobs.Choice | None]:
    """Return whose dismissals a retry takes back, None for all, and what runs again if not all."""
    from store.committed import quarantined_items  # noqa: PLC0415 - it imports PyArrow

    if items:
        if job.state is not JobState.PARTIAL:
            held = next((held for one in items if (held := _held_by_others(db, job, one))), None)
            raise held or UsageError(
                f"job {job.id} ended as {job.state}: single items can only be chosen of a job that "
                "went on to its end",
                hint=f"`regatta retry {job.id}` runs again all that it left undone",
            )
        found = [(shard.id, select_items(of, items)) for shard, of in quarantined_items(db, job)]
        check_found(db, job, items, [item for _, of in found for item in of])
        chosen = {shard: [item.index for item in of] for shard, of in found}
        anew = {index for of in chosen.values() for index in of}
        return anew, jobs.Choice(job.generation, chosen, is_all=False)
    dismissed = db.read(lambda s: dismissals_of(s, job.id))
    if with_dismissed or not dismissed:
        return None, None
    left = {}
    for shard, of in quarantined_items(db, job):
        rest = [item.index for item in of if item.index not in dismissed]
        if len(rest) < len(of):
            left[shard.id] = rest
    return (), jobs.Choice(job.generation, left, is_all=True)


def _reopen(
    session: Session,
    job_id: str,
    choice: jobs.Choice | None,
    anew: Collection[int] | None,
    *,
    now: float,
) -> int | None:
    shards = jobs.reopen(session, job_id, now=now, choice=choice)
    if shards is not None and (anew is None or anew):
        forget_dismissals(session, job_id, anew)
    return shards


def select_items(
    found: Sequence["QuarantinedItem"], patterns: Sequence[str]
) -> list["QuarantinedItem"]:
    """Return the items that are named so, or that a glob matches."""
    return [
        each
        for each in found
        if any(each.item == one or fnmatchcase(each.item, one) for one in patterns)
    ]


def check_found(
    db: Database, job: Job, patterns: Sequence[str], found: Sequence["QuarantinedItem"]
) -> None:
    """Refuse names and globs that mean no quarantined item of a job's own.

    Raises:
        UsageError: one means none.
    """
    for one in patterns:
        if not select_items(found, [one]):
            raise _held_by_others(db, job, one) or UsageError(
                f"no quarantined item of job {job.id} is called {one!r}",
                hint=f"`regatta quarantine list {job.id} --all` shows them",
            )


def _held_by_others(db: Database, job: Job, pattern: str | None = None) -> UsageError | None:
    """Return what to say of quarantined items that a job carried over; None without any.

    They are those of a name, or that a glob matches, or all that it has.
    """
    if not (job.comparison or {}).get("quarantined"):
        return None
    from store.carried import carried_manifests, origins  # noqa: PLC0415 - loads Arrow

    names: dict[str, str] = {}  # an item of each job, as it is called there
    for origin in origins(carried_manifests(db, job)):
        columns = (origin.rows[name].to_pylist() for name in ("key", "item", "state"))
        for key, item, state in zip(*columns, strict=True):
            meant = pattern is None or key == pattern or fnmatchcase(key, pattern)
            if meant and state == ItemState.QUARANTINED:
                names.setdefault(origin.job, item)
    if not names:
        return None
    what = f"job {job.id} left nothing undone: what it has in quarantine are"
    if pattern is not None:
        what = f"job {job.id} carried {pattern!r} over: such are"
    return UsageError(f"{what} results of earlier jobs", hint=_how_tried_again(db, names))


def _how_tried_again(db: Database, names: Mapping[str, str]) -> str:
    """Return how quarantined items are tried again of which each of these jobs has one."""
    kinds = db.read(lambda s: jobs.kinds_of(s, names))
    theirs = sorted(name for name in names if kinds.get(name) != ShardKind.COMPACT)
    if not theirs:  # the jobs that made them are gone, or may be
        return "they are tried again once they change, or by a job without --since-job"
    commands = ", ".join(f"`regatta retry {name}`" for name in theirs)
    shown = f"regatta quarantine show {theirs[0]} {shlex.quote(names[theirs[0]])}"
    return f"{commands} tries them again, for this job's view as well; `{shown}` shows one"


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


def move_to_new_profile(ref: str, *, with_dismissed: bool = False) -> None:
    """Move the rest of a job, ended or not, onto what workers offer now.

    Raises:
        UsageError: nothing is left of it, or it is being called off.
    """
    with opened() as (settings, db):
        job = job_of(db, ref)
        anew: Collection[int] | None = ()
        choice = None
        if job.state in ENDED_JOBS:
            _check_items(db, job)
            anew, choice = _chosen(db, job, (), with_dismissed=with_dismissed)
        shards = db.write(lambda s: _moved(s, job, choice, anew, now=db.now(s)))
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


def _moved(
    session: Session,
    job: Job,
    choice: jobs.Choice | None,
    anew: Collection[int] | None,
    *,
    now: float,
) -> int:
    """Reopen a job if it has ended, and free it from its profile; return the shards reopened."""
    if job.kind not in NEED_ENGINE:
        raise UsageError(f"job {job.id} runs on no engine that it could be moved from")
    shards = 0
    if job.state in ENDED_JOBS:
        reopened = _reopen(session, job.id, choice, anew, now=now)
        if reopened is None:
            raise _nothing_to_retry(job, but_dismissed=choice is not None)
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


def _nothing_to_retry(job: Job, *, but_dismissed: bool = False) -> UsageError:
    if but_dismissed:
        return UsageError(
            f"job {job.id} left nothing to retry but what was dismissed",
            hint=f"`regatta retry {job.id} --all` runs it again, too",
        )
    return UsageError(f"job {job.id} left nothing to retry: it ended as {job.state}")
