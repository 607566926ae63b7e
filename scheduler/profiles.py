"""Freezes a job's execution profile: what its shards run on, from the first to the last."""

from collections.abc import Iterable

import structlog

from core.errors import NewerError
from core.options import JobOptions
from core.profile import EngineOffer, ExecutionProfile, best_offer, profile_for
from store import processes, profiles
from store.database import Database
from store.tables import Job, Process

_log = structlog.get_logger()


def offer_for(job: Job, workers: Iterable[Process]) -> EngineOffer | None:
    """Return what a job would be frozen to, if these are the workers that live."""
    return best_offer(processes.offered([w for w in workers if not w.draining], job.task))


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
        frozen = 0
        for job in jobs:
            if job.id in self._left or (offer := offer_for(job, workers)) is None:
                continue
            try:
                options = JobOptions.from_json(job.options)
            except NewerError as error:
                _log.warning("left to a newer scheduler", job=job.id, why=str(error))
                self._left.add(job.id)
                continue
            profile = profile_for(
                offer,
                batch_size=options.planning.batch_size,
                jpeg_quality=options.drawing.jpeg_quality,
            )
            frozen += self._freeze(job.id, profile)
        return frozen

    def _freeze(self, job_id: str, profile: ExecutionProfile) -> bool:
        _log.info("profile", job=job_id, **profile.to_json())
        return self._db.write(lambda s: profiles.freeze_profile(s, job_id, profile))
