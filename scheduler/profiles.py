"""Freezes a job's execution profile: what its shards run on, from the first to the last."""

from collections.abc import Iterable

import structlog

from core.options import JobOptions
from core.profile import EngineOffer, ExecutionProfile
from store import planning, processes
from store.database import Database

DEFAULT_BATCH = 8
_CPU_THREADS = 1  # several one-threaded predictors beat one with many threads

_log = structlog.get_logger()


def best_offer(offers: Iterable[EngineOffer]) -> EngineOffer | None:
    """Return the offer that most of the fleet's power likely stands behind: a GPU before a CPU."""
    return min(
        offers,
        key=lambda o: (o.device.startswith("cpu"), o.device, o.version, o.engine, o.precision),
        default=None,
    )


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
                profile = _profile(offer, JobOptions.from_json(job.options))
                frozen += self._freeze(job.id, profile)
        return frozen

    def _freeze(self, job_id: str, profile: ExecutionProfile) -> bool:
        _log.info("profile", job=job_id, **profile.to_json())
        return self._db.write(lambda s: planning.freeze_profile(s, job_id, profile))


def _profile(offer: EngineOffer, options: JobOptions) -> ExecutionProfile:
    return ExecutionProfile(
        engine=offer.engine,
        version=offer.version,
        device=offer.device,
        precision=offer.precision,
        batch_size=options.batch_size or DEFAULT_BATCH,
        threads=_CPU_THREADS,
        jpeg_quality=options.jpeg_quality,
    )
