"""Queues and workers at this moment, as `status` shows them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.states import LIVE_JOBS, ShardState
from store import processes
from store.tables import Job, Process, Shard

Fleet = dict[str, Any]


def fleet(s: Session, *, now: float, within: float) -> Fleet:
    """Return the queues with work or workers, and the workers heard of in the last seconds.

    The `rate` of a worker is the items a second of the shards that it runs, each since it began;
    None if it runs none.
    """
    workers = processes.live(s, processes.WORKER, now=now, within=within)
    return {
        "queues": _queues(s, workers),
        "workers": [_worker(worker, running) for worker, running in _running(s, workers, now)],
    }


def _queues(s: Session, workers: Sequence[Process]) -> list[dict[str, Any]]:
    def number(*states: ShardState) -> Any:
        return func.sum(case((Shard.state.in_(states), 1), else_=0))

    rows = s.execute(
        select(
            Shard.queue,
            number(ShardState.PENDING, ShardState.WAITING),
            number(ShardState.QUEUED),
            number(ShardState.RUNNING),
        )
        .join(Job, Job.id == Shard.job_id)
        .where(
            Job.state.in_(LIVE_JOBS),
            Shard.state.in_(
                (ShardState.PENDING, ShardState.WAITING, ShardState.QUEUED, ShardState.RUNNING)
            ),
        )
        .group_by(Shard.queue)
        .order_by(Shard.queue)
    ).all()
    serving = Counter(queue for worker in workers for queue in worker.queues)
    return [
        {
            "queue": queue,
            "waiting": int(waiting),
            "queued": int(queued),
            "running": int(running),
            "workers": serving[queue],
        }
        for queue, waiting, queued, running in rows
    ]


def _running(
    s: Session, workers: Sequence[Process], now: float
) -> list[tuple[Process, list[tuple[int, float]]]]:
    """Return each worker with what its running shards have done, and in how many seconds."""
    found: dict[str, list[tuple[int, float]]] = {worker.id: [] for worker in workers}
    rows = s.execute(
        select(Shard.worker_id, Shard.progress, Shard.started_at).where(
            Shard.state == ShardState.RUNNING, Shard.worker_id.in_(tuple(found))
        )
    )
    for worker_id, progress, started in rows:
        if worker_id is not None:
            found[worker_id].append((progress, max(0.0, now - (started or now))))
    return [(worker, found[worker.id]) for worker in workers]


def _worker(worker: Process, running: list[tuple[int, float]]) -> dict[str, Any]:
    rates = [done / seconds for done, seconds in running if seconds]
    return {
        "worker": f"{worker.host}:{worker.pid}",
        "queues": list(worker.queues),
        "device": ", ".join(sorted({str(offer["device"]) for offer in worker.offers})) or None,
        "slots": worker.slots,
        "shards": len(running),
        "rate": round(sum(rates), 3) if rates else None,
        "draining": worker.draining,
    }
