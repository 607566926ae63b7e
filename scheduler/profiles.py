"""Freezes a job's execution profile: what its shards run on, from the first to the last."""

from collections.abc import Iterable

import structlog

from core.batching import NetworkTraits
from core.errors import NewerError
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile, best_choice, profile_on
from store import processes, profiles
from store.database import Database
from store.tables import Job, Process

_log = structlog.get_logger()


def profile_for(job: Job, workers: Iterable[Process]) -> ExecutionProfile | None:
    """Return what a job would be frozen to, given these live workers.

    None if none of them serves its queue.
    """
    serving = processes.offered_by_each([w for w in workers if not w.draining], job.task)
    digests = [export.digest for export in ModelRef.from_json(job.model).exports]
    choice = best_choice(serving, digests)
    if choice is None:
        return None
    options = JobOptions.from_json(job.options)
    networks = {
        digest: NetworkTraits.from_json(said) for digest, said in (job.networks or {}).items()
    }
    return profile_on(
        choice,
        networks,
        batch_size=options.planning.batch_size,
        jpeg_quality=options.drawing.jpeg_quality,
    )


def _is_incomplete(job: Job) -> bool:
    """Return whether a job must not begin yet: a sample is of all items, and more are listed."""
    return job.planned_at is None and JobOptions.from_json(job.options).drawing.sample is not None


class Profiler:
    """Gives each job without a profile that of the best live worker on its queue (`tick`)."""

    def __init__(self, db: Database, *, worker_ttl: float) -> None:
        self._db = db
        self._worker_ttl = worker_ttl
        self._left: set[str] = set()  # jobs that only a newer version can read

    def tick(self) -> int:
        """Freeze what can be frozen; return how many. Jobs whose queue nobody serves wait."""
        jobs = self._db.read(profiles.unprofiled)
        if not jobs:
            return 0
        workers = self._db.read(
            lambda s: processes.live(
                s, processes.WORKER, now=self._db.now(s), within=self._worker_ttl
            )
        )
        return sum(self._freeze(job, workers) for job in jobs if job.id not in self._left)

    def _freeze(self, job: Job, workers: Iterable[Process]) -> bool:
        try:
            profile = profile_for(job, workers)
        except NewerError as error:
            _log.warning("left to a newer scheduler", job=job.id, why=str(error))
            self._left.add(job.id)
            return False
        if profile is None or _is_incomplete(job):
            return False
        _log.info("profile", job=job.id, **profile.to_json())
        return self._db.write(lambda s: profiles.freeze_profile(s, job.id, profile))
