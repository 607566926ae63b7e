"""The dispatcher: keeps each queue shallow and shares its slots between jobs.

What pauses, cancels or re-prioritises a job works at once because only a few messages per
worker are ever out. The database is the truth and the queue a doorbell: a shard is queued
and committed first and published after; a message that got lost is published again.
"""

from collections.abc import Sequence

import structlog

from core.messages import QUEUES
from core.work import Hold
from scheduler.doorbell import Doorbell
from scheduler.fairness import Claimant, allocate
from store import processes
from store.database import Database
from store.queueing import Demand, demands, overdue, queue_next, queued
from store.tables import Process

_DEPTH = 2  # outstanding shards per slot: one that runs, one that waits at the door

_log = structlog.get_logger()


class Dispatcher:
    """Fills free slots (`tick`). Any number of dispatchers may run at once."""

    def __init__(
        self, db: Database, doorbell: Doorbell, *, worker_ttl: float, republish_seconds: float
    ) -> None:
        self._db = db
        self._doorbell = doorbell
        self._worker_ttl = worker_ttl
        self._republish_seconds = republish_seconds

    def tick(self) -> int:
        """Publish what there is room for; return how many messages."""
        return sum(self._serve(queue) for queue in QUEUES)

    def _serve(self, queue: str) -> int:
        workers, wanted, now = self._db.read(
            lambda s: (
                processes.live(s, processes.WORKER, now=self._db.now(s), within=self._worker_ttl),
                demands(s, queue, now=self._db.now(s)),
                self._db.now(s),
            )
        )
        serving = [w for w in workers if queue in w.queues and not w.draining]
        if not serving or not wanted:
            return 0
        shares = allocate(_free(serving, wanted), [_claimant(d, serving) for d in wanted])
        fresh = [hold for job, n in shares.items() for hold in self._queue(job, queue, n)]
        return self._publish(queue, fresh) + self._republish(queue, serving, now)

    def _queue(self, job_id: str, queue: str, limit: int) -> Sequence[Hold]:
        return self._db.write(lambda s: queue_next(s, job_id, queue, limit, now=self._db.now(s)))

    def _publish(self, queue: str, holds: Sequence[Hold]) -> int:
        if not holds:
            return 0
        self._doorbell.ring(queue, holds)
        _log.debug("published", queue=queue, shards=len(holds))
        return len(holds)

    def _republish(self, queue: str, serving: Sequence[Process], now: float) -> int:
        """Publish once more what nobody claimed in time, but never breed copies.

        Only as many as the queue lacks (a backlog is no loss), and no more than live workers
        have slots.
        """
        since = now - self._republish_seconds
        expected = self._db.read(lambda s: queued(s, queue))
        lacking = min(expected - self._doorbell.depth(queue), sum(w.slots for w in serving))
        if lacking <= 0:
            return 0
        late = self._db.write(lambda s: overdue(s, queue, lacking, now=now, since=since))
        if late:
            _log.info("published again", queue=queue, shards=len(late))
        return self._publish(queue, late)


def _free(serving: Sequence[Process], wanted: Sequence[Demand]) -> int:
    return _DEPTH * sum(w.slots for w in serving) - sum(d.outstanding for d in wanted)


def _claimant(demand: Demand, serving: Sequence[Process]) -> Claimant:
    """Give a job room only on the workers that offer all of its profile."""
    slots = sum(
        worker.slots for worker in serving if demand.profile.runs_on(processes.offers_of(worker))
    )
    return Claimant(
        demand.job_id,
        demand.priority,
        demand.ready,
        demand.outstanding,
        room=_DEPTH * slots - demand.outstanding,
    )
