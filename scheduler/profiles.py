"""Freezes a job's execution profile: what its shards run on, from the first to the last."""

import structlog

from core.options import JobOptions
from core.profile import ExecutionProfile, best_offer, profile_for
from store import planning, processes
from store.database import Database

_log = structlog.get_logger()


class Profiler:
    """Gives each job without a profile that of the best live worker on its queue (`tick`)."""

    def __init__(self, db: Database, *, worker_ttl: float) -> None:
        self._db = db
        self._worker_ttl = worker_ttl

    def tick(self) -> int:
        """Freeze what can be frozen; return how many. Jobs whose queue nobody serves wait."""
        jobs = self._db.read(planning.unprofiled)
        if not jobs:
            return 0
        workers = self._db.read(
            lambda s: processes.live(
                s, processes.WORKER, now=self._db.now(s), within=self._worker_ttl
            )
        )
        frozen = 0
        for job in jobs:
            offer = best_offer(
                offer
                for worker in workers
                if job.task in worker.queues and not worker.draining
                for offer in processes.offers_of(worker)
            )
            if offer is not None:
                options = JobOptions.from_json(job.options)
                profile = profile_for(
                    offer, batch_size=options.batch_size, jpeg_quality=options.jpeg_quality
                )
                frozen += self._freeze(job.id, profile)
        return frozen

    def _freeze(self, job_id: str, profile: ExecutionProfile) -> bool:
        _log.info("profile", job=job_id, **profile.to_json())
        return self._db.write(lambda s: planning.freeze_profile(s, job_id, profile))
