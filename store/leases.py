"""A worker's hold on a shard: claim it, keep it, let it go.

Every write compares the attempt, which only ever counts up: whoever was overtaken changes nothing
and is told so. Everything here may be repeated after a lost connection.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from core.kinds import NEED_ENGINE, ShardKind
from core.layout import results_part
from core.options import JobOptions, ModelRef
from core.profile import EngineOffer, ExecutionProfile
from core.retry import Failure, GiveUp, decide
from core.states import LIVE_JOBS, JobState, Move, ShardMoves, ShardState
from core.times import iso
from core.work import Directive, Hold, ShardResult, WorkUnit
from store.artefacts import artefact_columns, part_of
from store.jobs import call_off, lock_job, sources_of, why_newer
from store.planning import NewShard, add_children
from store.profiles import part_profiles_after, present_number, profiles_of, ways_of
from store.rows import changed, column_text
from store.shard_log import Line, longer
from store.tables import UNHELD, Job, Shard


class Refusal(StrEnum):
    """Why a claim was refused."""

    STALE = "stale"  # already ran, was queued again since, or its job is not live
    UNSUITED = "unsuited"  # this worker does not offer the job's profile; the shard was recalled
    UNKNOWN_KIND = "unknown_kind"  # this worker does not know its kind; the shard was recalled
    NEWER = "newer"  # this worker is too old to read the job; the shard was recalled


_NEWER_SECONDS = 10.0  # how long a shard of a newer job is held back: other workers may be as old
_RECALL_SECONDS = 1.0


def held(hold: Hold) -> ColumnElement[bool]:
    """Return the condition that the shard is running as this very attempt."""
    return (
        (Shard.id == hold.shard)
        & (Shard.attempt == hold.attempt)
        & (Shard.state == ShardState.RUNNING)
    )


def claim(
    session: Session,
    hold: Hold,
    *,
    worker_id: str,
    kinds: Collection[ShardKind],
    offers: Iterable[EngineOffer],
    now: float,
    lease_seconds: float,
) -> WorkUnit | Refusal:
    """Take a queued shard. The try is counted here, before anything runs.

    A shard that this worker can't run goes back for another within a second, without a try: the
    dispatcher publishes it only while a live worker can run it.
    """
    shard = session.get(Shard, hold.shard)
    if shard is None or shard.attempt != hold.attempt:
        return Refusal.STALE
    if shard.state is ShardState.RUNNING and shard.worker_id == worker_id:
        # Either the answer to this claim was lost, or the message came twice to one worker,
        # which holds each attempt once: both get the same unit.
        return _work_unit(session, shard, hold, shard.profile_number)
    queued = (Shard.id == hold.shard) & (Shard.attempt == hold.attempt)
    job = session.get_one(Job, shard.job_id)
    number = present_number(job)
    refusal = _refusal(shard, job, kinds, offers)
    if refusal is not None:
        back = _NEWER_SECONDS if refusal is Refusal.NEWER else _RECALL_SECONDS
        _move(session, queued, ShardMoves.RECALL, available_at=now + back)
        return refusal
    live = exists().where(Job.id == Shard.job_id, Job.state.in_(LIVE_JOBS))
    if job.started_at is None:
        job = lock_job(session, job.id)  # before the shard, as everybody else
    taken = _move(
        session,
        queued & live,
        ShardMoves.CLAIM,
        tries=Shard.tries + 1,
        worker_id=worker_id,
        started_at=now,
        lease_until=now + lease_seconds,
        progress=0,
        trial=None,
        profile_number=number,
    )
    if not taken:
        return Refusal.STALE
    if job.started_at is None:
        session.execute(
            update(Job).where(Job.id == job.id, Job.started_at.is_(None)).values(started_at=now)
        )
    return _work_unit(session, shard, hold, number)


def _refusal(
    shard: Shard, job: Job, kinds: Collection[ShardKind], offers: Iterable[EngineOffer]
) -> Refusal | None:
    """Return why a worker with these kinds and offers can't run a shard, or None if it can."""
    if shard.kind not in kinds:
        return Refusal.UNKNOWN_KIND
    if why_newer(job) is not None:
        return Refusal.NEWER
    if shard.kind not in NEED_ENGINE:
        return None
    if job.profile is None:
        return Refusal.STALE  # it left its profile, and its queued shards were recalled
    profile = ExecutionProfile.from_json(job.profile)
    return None if profile.runs_on(offers) else Refusal.UNSUITED


def _work_unit(session: Session, shard: Shard, hold: Hold, number: int) -> WorkUnit:
    job = session.get_one(Job, shard.job_id)
    part, kind = part_of(shard), ShardKind(shard.kind)
    # The profile of this attempt: the job may have been moved to another one since.
    profile = profiles_of(job)[number] if kind in NEED_ENGINE else None
    return WorkUnit(
        hold=hold,
        job=job.id,
        part=part,
        kind=kind,
        task=job.task,
        sources=sources_of(job),
        output=job.output,
        items_key=shard.items_key,
        start=shard.start,
        stop=shard.stop,
        model=ModelRef.from_json(job.model),
        options=JobOptions.from_json(job.options),
        frozen_profile=None if profile is None else ExecutionProfile.from_json(profile),
        suspect=shard.suspect,
        deaths={int(index): deaths for index, deaths in shard.deaths.items()},
        previous_part=None if shard.part_digest is None else results_part(part),
        profile_number=number,
        ways={} if profile is None else ways_of(profile),
        spec=shard.spec or {},
        listed=job.listed,
        again=None if shard.again is None else frozenset(shard.again),
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """Items done so far in a held shard, and whether there are more than at the last renewal."""

    done: int
    moved: bool


def renew(
    session: Session, progress: Mapping[Hold, Progress], *, now: float, lease_seconds: float
) -> dict[Hold, Directive]:
    """Renew the leases that made progress, and say what to do with each held shard.

    A lease that has lapsed but not been taken away yet is renewed like any other.
    """
    rows = session.execute(
        select(Shard.id, Shard.attempt, Shard.state, Job.state)
        .join(Job, Job.id == Shard.job_id)
        .where(Shard.id.in_([hold.shard for hold in progress]))
    ).all()
    found = {Hold(row[0], row[1]): (row[2], row[3]) for row in rows}
    directives = {hold: _directive(found.get(hold)) for hold in progress}
    # Always in the same order, so that two renewals can't wait for each other.
    for hold, step in sorted(progress.items(), key=lambda held: held[0].shard):
        if directives[hold] is Directive.GO_ON and step.moved:
            renewed = changed(
                session,
                update(Shard)
                .where(held(hold))
                .values(lease_until=now + lease_seconds, progress=step.done),
            )
            if not renewed:  # taken away since it was read
                directives[hold] = Directive.STALE
    return directives


def _directive(found: tuple[ShardState, JobState] | None) -> Directive:
    if found is None or found[0] is not ShardState.RUNNING:
        return Directive.STALE
    if found[1] in LIVE_JOBS:
        return Directive.GO_ON
    return Directive.HAND_BACK if found[1] is JobState.PAUSED else Directive.CANCEL


def commit(
    session: Session,
    hold: Hold,
    result: ShardResult,
    *,
    children: Mapping[int, NewShard] = MappingProxyType({}),
    lines: Sequence[Line] = (),
    now: float,
) -> bool:
    """Make what this attempt staged the shard's result; False if overtaken.

    The shard's children are added with it, by number: items that the shard did not settle itself
    are theirs from now on. Repeating a commit that happened succeeds: nobody else can have had
    this attempt. `lines` were logged about it; they are kept if anything is in quarantine.
    """
    shard = session.get(Shard, hold.shard, populate_existing=True)
    if shard is None:
        return False
    if children:
        lock_job(session, shard.job_id)  # before the shard, as everybody else
    counts = result.counts
    standing = counts.succeeded + counts.skipped
    done = _move(
        session,
        held(hold),
        ShardMoves.COMMIT,
        **UNHELD,
        **artefact_columns(shard, result.artefacts),
        **({"items": standing + counts.quarantined} if children else {}),
        part_attempt=hold.attempt,
        succeeded=counts.succeeded,
        skipped=counts.skipped,
        quarantined=counts.quarantined,
        timings=dict(result.timings),
        part_profiles=part_profiles_after(shard, standing=standing),
        finished_at=now,
        error=None,
        suspect=False,
        log=longer(shard.log, lines) if counts.quarantined else None,
    )
    if done and children:
        add_children(session, shard, children)
    return done or is_committed(session, hold)


def is_committed(session: Session, hold: Hold) -> bool:
    """Return whether this very attempt made the shard's result."""
    shard = session.get(Shard, hold.shard, populate_existing=True)
    return shard is not None and shard.part_attempt == hold.attempt


def published(session: Session, hold: Hold) -> bool:
    """Note that what was committed lies under its final keys."""
    mine = (Shard.id == hold.shard) & (Shard.attempt == hold.attempt)
    return _move(session, mine, ShardMoves.PUBLISH)


def hand_back(session: Session, hold: Hold, *, now: float, suspect: bool = False) -> bool:
    """Give back an unfinished shard without using up a try; `suspect` makes it one."""
    return _move(
        session,
        held(hold),
        ShardMoves.HAND_BACK,
        **UNHELD,
        **({"suspect": True} if suspect else {}),
        tries=Shard.tries - 1,
        available_at=now,
    )


def accuse(session: Session, hold: Hold, suspects: Collection[int], *, now: float) -> bool:
    """Give back a shard whose process is about to end, without using up a try.

    Items at the positions `suspects` took too long: they are tried alone, with the shard as a
    suspect. Without any, it merely shared the process.
    """
    shard = session.get(Shard, hold.shard, populate_existing=True)
    if shard is None:
        return False
    if not suspects:
        return hand_back(session, hold, now=now)
    deaths = {**{str(index): 1 for index in suspects}, **shard.deaths}
    return _move(
        session,
        held(hold),
        ShardMoves.HAND_BACK,
        **UNHELD,
        tries=Shard.tries - 1,
        suspect=True,
        deaths=deaths,
        available_at=now,
        error=f"its process ended as {len(suspects)} of its items took too long",
    )


def fail(
    session: Session,
    hold: Hold,
    failure: Failure,
    error: str,
    *,
    lines: Sequence[Line] = (),
    now: float,
    max_tries: int,
) -> bool:
    """End a run without a result: back to pending after a delay, or out of tries.

    `lines` were logged about it.
    """
    shard = session.get(Shard, hold.shard, populate_existing=True)
    if shard is None:
        return False
    log = longer(shard.log, [*lines, _how_it_ended(shard, failure, error, now)])
    verdict = decide(failure, tries=shard.tries, max_tries=max_tries)
    if isinstance(verdict, GiveUp):
        return _move(
            session,
            held(hold),
            ShardMoves.EXHAUST,
            **UNHELD,
            error=column_text(error),
            finished_at=now,
            # What the overtaken run staged can't collide with the tombstone then.
            attempt=Shard.attempt + 1,
            quarantined=Shard.items - Shard.succeeded - Shard.skipped,
            log=log,
        )
    lost_lease = failure in {Failure.LEASE_LOST, Failure.PROCESS_DIED}
    return _move(
        session,
        held(hold),
        ShardMoves.LAPSE if lost_lease else ShardMoves.RETRY,
        **UNHELD,
        tries=Shard.tries if verdict.counts else Shard.tries - 1,
        suspect=shard.suspect or verdict.as_suspect,
        available_at=now + verdict.delay,
        error=column_text(error),
        **({"log": log} if verdict.counts else {}),  # what is blocked is repeated for hours
    )


def _how_it_ended(shard: Shard, failure: Failure, error: str, now: float) -> Line:
    return {
        "timestamp": iso(now),
        "level": "warning",
        "event": "run failed",
        "attempt": shard.attempt,
        "try": shard.tries,
        "worker": shard.worker_id,
        "failure": failure.value,
        "error": column_text(error),
    }


def cancel(session: Session, hold: Hold, *, now: float) -> None:
    """Let a shard of a cancelled or failed job go."""
    call_off(session, held(hold), now=now)


def note_trial(session: Session, hold: Hold, start: int, stop: int) -> bool:
    """Record which items an isolated process is about to try; False if overtaken."""
    trial = {"start": start, "stop": stop}
    return changed(session, update(Shard).where(held(hold)).values(trial=trial))


def note_deaths(session: Session, hold: Hold, deaths: Mapping[int, int]) -> bool:
    """Record how often items have killed an isolated process alone; False if overtaken."""
    counted = {str(index): times for index, times in deaths.items()}
    return changed(session, update(Shard).where(held(hold)).values(deaths=counted, trial=None))


def _move(
    session: Session, which: ColumnElement[bool], move: Move[ShardState], **values: object
) -> bool:
    return changed(
        session,
        update(Shard)
        .where(which, Shard.state.in_(move.sources))
        .values(state=move.target, **values),
    )
