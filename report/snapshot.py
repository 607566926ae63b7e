"""A job at this moment, as `status` shows it: counts, speed, what it is waiting for."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from config.settings import Settings
from core.comparison import Comparison
from core.kinds import KNOWN, NEED_ENGINE, ShardKind
from core.messages import queue_for
from core.options import ModelRef
from core.plan_warnings import PlanWarnings
from core.profile import ExecutionProfile
from core.states import ENDED_JOBS, LIVE_JOBS, RESTING_JOBS, JobState, ShardState
from core.times import iso
from store import devices, processes
from store.compactions import newest_of
from store.database import Database
from store.dismissals import dismissed
from store.jobs import Tally, get_job, source_texts, tally, troubles_of, why_newer
from store.notifications import PENDING, notifications_of
from store.rates import deviation, pace, stage_seconds
from store.room import is_full
from store.tables import Job, Notification, Process, SickDevice

Snapshot = dict[str, Any]


def snapshot(db: Database, settings: Settings, job_id: str) -> Snapshot:
    """Return one job's snapshot, with what each stage did lately and how sure the ETA is.

    `stages` are shares of the work, `stage_rates` the items a second that one thread of each does.
    `notifications` say who was told of its end, or is to be.
    """

    def take(s: Session) -> Snapshot:
        job = get_job(s, job_id)
        [seen] = _take(s, db, settings, [job])
        last = newest_of(s, job)
        compaction = None if last is None else {"job": last.id, "state": last.state.value}
        busy, items = stage_seconds(s, job_id)
        rates = {stage: round(items / seconds, 3) for stage, seconds in busy.items() if items}
        return {
            **seen,
            "eta_between": _between(s, seen),
            "stages": _shares(busy),
            "stage_rates": rates,
            "notifications": [_notification(row) for row in notifications_of(s, job_id)],
            "compaction": compaction,
        }

    return db.read(take)


def _between(s: Session, seen: Snapshot) -> list[float] | None:
    """Return the seconds left at least and at most, in four cases of five each, if known."""
    if (eta := seen["eta_seconds"]) is None:
        return None
    off = deviation(s, seen["id"], seen["items"]["pending"])
    return None if off is None else [round(eta * max(0.0, 1 - off), 1), round(eta * (1 + off), 1)]


def snapshots(db: Database, settings: Settings, jobs: Sequence[Job]) -> list[Snapshot]:
    """Return the snapshots of jobs, with the same few queries for any number."""
    return db.read(lambda s: _take(s, db, settings, jobs))


def _take(s: Session, db: Database, settings: Settings, jobs: Sequence[Job]) -> list[Snapshot]:
    now = db.now(s)
    counts = tally(s, jobs)
    rates = speeds(s, jobs, counts, now=now)
    workers = processes.live(s, processes.WORKER, now=now, within=settings.lease_seconds)
    out = [_device(row) for row in devices.left_out(s, {worker.host for worker in workers})]
    troubles = _troubles(s, settings, jobs)
    looked_at = dismissed(s, jobs)
    return [
        {
            **_describe(job, counts[job.id], rates.get(job.id), workers, out),
            "trouble": troubles.get(job.id),
            # Of the quarantined ones; what was dismissed before its rows were lost runs again.
            "dismissed": min(looked_at.get(job.id, 0), counts[job.id].quarantined),
        }
        for job in jobs
    ]


def _troubles(s: Session, settings: Settings, jobs: Sequence[Job]) -> Mapping[str, str]:
    """Return what keeps jobs from going on, by id."""
    found = troubles_of(s, jobs)
    if is_full(settings.home):  # then nobody can write into its database what the matter is
        full = f"waiting for room on {settings.home} (disk full)"
        found |= {job.id: full for job in jobs if job.state not in RESTING_JOBS}
    return found


def speeds(
    s: Session, jobs: Sequence[Job], counts: Mapping[str, Tally], *, now: float
) -> dict[str, float]:
    """Return the items a second of jobs, by id, as every command and page states them.

    Of an ended job, over all of the time that it took (`took`); otherwise over the last minute.
    """
    live = {job.id: job.started_at for job in jobs if job.state in LIVE_JOBS and job.started_at}
    found = pace(s, live, now=now)
    for job in jobs:
        if job.state in ENDED_JOBS and (seconds := took(job)) is not None:
            found[job.id] = settled(counts[job.id]) / max(1e-3, seconds)
    return found


def took(job: Job) -> float | None:
    """Return the seconds from the first claim of a job's shards to its end; None if either lacks.

    Pauses, and the time until a retry, count as well. It is also None if the clock was set back.
    """
    if job.started_at is None or job.finished_at is None or job.finished_at < job.started_at:
        return None
    return job.finished_at - job.started_at


def settled(counts: Tally) -> int:
    """Return how many items have a result or are in quarantine: cancelled ones have neither."""
    return counts.succeeded + counts.skipped + counts.quarantined


def _device(row: SickDevice) -> dict[str, Any]:
    """Return a device that is left out, and why."""
    return {
        "host": row.host,
        "device": row.device,
        "engine": row.engine,
        "failures": row.failures,
        "error": row.error,
        "since": iso(row.left_out_at),
    }


def _notification(row: Notification) -> dict[str, Any]:
    """Return who was told of what, or is to be."""
    return {
        "id": row.id,
        "event": row.event,
        "receiver": row.receiver,
        "state": row.state,
        "tries": row.tries,
        "error": row.error,
        "next_try": iso(row.next_at) if row.state == PENDING else None,
        "ended": iso(row.ended_at),
    }


def _describe(
    job: Job,
    counts: Tally,
    rate: float | None,
    workers: Sequence[Process],
    left_out: list[dict[str, Any]],
) -> Snapshot:
    is_served = _is_served(job, counts, workers)
    instead = [] if is_served or job.profile is None else processes.offered(workers, job.task)
    return {
        "id": job.id,
        "name": job.name,
        "task": job.task,
        "model": job.model["name"],
        "state": job.state.value,
        "items": {
            "listed": counts.listed,
            "succeeded": counts.succeeded,
            "skipped": counts.skipped,
            "quarantined": counts.quarantined,
            "cancelled": counts.cancelled,
            "pending": counts.pending,
            # Results of earlier jobs that are part of this one's, besides those that are listed.
            **({} if job.since_job is None else {"carried": job.carried}),
        },
        "shards": {state.value: counts.shards.get(state, 0) for state in ShardState},
        "rate": None if rate is None else round(rate, 3),
        "eta_seconds": _eta(job, counts, rate),
        "output": job.output,
        "created": iso(job.created_at),
        "started": iso(job.started_at),
        "finished": iso(job.finished_at),
        "took_seconds": took(job),
        "listing_ended": job.planned_at is not None,
        "source": source_texts(job),
        "kind": job.kind,
        "priority": job.priority,
        "tags": job.tags,
        "generation": job.generation,
        "in_progress": counts.in_progress,
        "passed_over": job.passed_over,
        "since": job.since_job,
        "comparison": None if job.comparison is None else _comparison(job.comparison),
        "warnings": list(PlanWarnings.from_json(job.warnings).in_words()),
        "error": None if job.state in LIVE_JOBS else job.error,
        "needs_newer": why_newer(job) if job.state not in ENDED_JOBS else None,
        "queue_without_consumer": None if is_served else queue_for(job.task, ShardKind(job.kind)),
        # One of two cases: workers serve the queue, but their offers are not the job's.
        "profile_without_worker": _profile_key(job) if instead else None,
        "offered_instead": [offer.key for offer in instead],
        # Devices that no longer run networks: while the job has any use for them.
        "left_out": left_out if job.state in LIVE_JOBS and job.kind in NEED_ENGINE else [],
        "networks": _networks(job),
    }


def _comparison(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a comparison with an earlier job has found so far, in numbers and words."""
    found = Comparison.from_json(said)
    counts = found.to_json()
    del counts["manifests"]
    return {**counts, "carried": found.carried, "words": found.words}


def _networks(job: Job) -> list[dict[str, str]]:
    """Return in which way each network of the job runs, as far as known, and why."""
    known = (job.profile or {}).get("networks", {})
    if why_newer(job) is not None:
        return []
    names = {export.digest: export.name for export in ModelRef.from_json(job.model).exports}
    return [{"network": name, **known[digest]} for digest, name in names.items() if digest in known]


def _shares(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the work that each stage did, 0 to 1."""
    total = sum(seconds.values())
    return {stage: round(busy / total, 3) for stage, busy in seconds.items()}


def _eta(job: Job, counts: Tally, rate: float | None) -> float | None:
    """Return the seconds left; unknown until everything is listed and something has run."""
    if job.state is not JobState.RUNNING or not rate:
        return None
    return round(max(0, counts.pending - counts.in_progress) / rate, 1)


def _profile_key(job: Job) -> str | None:
    return None if job.profile is None else ExecutionProfile.from_json(job.profile).key


def _is_served(job: Job, counts: Tally, workers: Sequence[Process]) -> bool:
    """Return whether a live worker can take the job's shards, or none is needed."""
    if job.state not in LIVE_JOBS or (job.state is JobState.RUNNING and not counts.pending):
        return True
    if job.kind not in KNOWN:  # only the newer version can tell
        return True
    profile = None if job.profile is None else ExecutionProfile.from_json(job.profile)
    kind = ShardKind(job.kind)
    queue = queue_for(job.task, kind)
    return any(processes.takes(worker, queue, kind, profile) for worker in workers)
