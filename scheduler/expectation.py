"""How long work will take: the measured rates of its model on the workers that are up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.kinds import ShardKind
from core.options import ModelRef
from store import estimates, processes
from store.jobs import get_job
from store.processes import offers_of
from store.rates import rates_of
from store.tables import Process

_UP_SECONDS = 60.0  # whoever was heard of since is up


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the workers that are up do of a model.

    `rates` are the items a second of a slot of each worker on whose engine the model was measured,
    one entry a slot. `unmeasured` workers could run it, too, but nobody knows how fast.
    """

    rates: tuple[float, ...]
    workers: int
    unmeasured: int

    def seconds(self, items: int, shards: int) -> float | None:
        """Return how long so many items take, in so many shards; None if nothing was measured.

        A slot runs a shard at a time, so that few shards keep few slots busy. Workers that were
        not measured are left out, so with them it goes faster.
        """
        busy = sorted(self.rates, reverse=True)[: max(1, shards)]
        return items / sum(busy) if busy else None


def capacity(
    session: Session, model_digest: str, queue: str, *, now: float, within: float
) -> Capacity:
    """Return what the workers heard of in the last `within` seconds do of a model."""
    known = rates_of(session, model_digest)
    serving = [
        worker
        for worker in processes.live(session, processes.WORKER, now=now, within=within)
        if not worker.draining and processes.takes(worker, queue, ShardKind.INFER, None)
    ]
    best = [_best(worker, known) for worker in serving]
    slots = [
        rate
        for worker, rate in zip(serving, best, strict=True)
        if rate is not None
        for _ in range(worker.slots)
    ]
    return Capacity(tuple(slots), len(serving), best.count(None))


def note_expected(session: Session, job_id: str, *, now: float) -> None:
    """Record how long a job that has just been planned will take, if anything was measured."""
    job = get_job(session, job_id)
    only_drawn = (job.comparison or {}).get("redrawn")  # which takes another time
    if job.kind != ShardKind.INFER or not job.listed or only_drawn:
        return
    digest = ModelRef.from_json(job.model).digest
    up = capacity(session, digest, job.task, now=now, within=_UP_SECONDS)
    seconds = up.seconds(job.listed, job.shards)
    if seconds is not None:
        estimates.note(session, job_id, digest, items=job.listed, seconds=seconds, now=now)


def shards_of(items: int, shard_items: int) -> int:
    """Return how many shards of at most `shard_items` these items make."""
    return math.ceil(items / shard_items)


def _best(worker: Process, known: dict[str, float]) -> float | None:
    found: Sequence[float] = [known[offer.key] for offer in offers_of(worker) if offer.key in known]
    return max(found, default=None)
