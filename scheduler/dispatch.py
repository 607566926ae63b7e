"""The dispatcher: keeps each queue shallow and shares its slots between jobs.

What pauses, cancels or re-prioritises a job works at once because only a few messages per
worker are ever out. The database is the truth and the queue a doorbell: a shard is queued
and committed first and published after; a message that got lost is published again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from core.kinds import ShardKind
from core.messages import QUEUES
from core.work import Hold
from scheduler.doorbell import Doorbell
from store import processes
from store.database import Database
from store.queueing import Demand, demands, overdue, queue_next, queued
from store.tables import Process


@dataclass(frozen=True, slots=True)
class Claimant:
    """A job with `ready` shards, of which it may have at most `room` more outstanding."""

    job_id: str
    priority: int
    ready: int
    outstanding: int
    room: int


def allocate(free: int, claimants: Sequence[Claimant]) -> dict[str, int]:
    """Share `free` slots so that outstanding shards are in proportion to 2^priority.

    Each slot goes to the job that has least for its weight, so that every job gets one before
    any gets its whole share; ties go to the higher priority, then to the earlier claimant.
    A job without ready shards or room leaves its share to the others.
    """
    given = {claimant.job_id: 0 for claimant in claimants}
    for _ in range(free):
        hungry = [c for c in claimants if given[c.job_id] < min(c.ready, c.room)]
        if not hungry:
            break
        poorest = min(
            hungry,
            key=lambda c: ((c.outstanding + given[c.job_id]) / 2.0**c.priority, -c.priority),
        )
        given[poorest.job_id] += 1
    return {job_id: slots for job_id, slots in given.items() if slots}


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
        rooms = {(d.job_id, d.kind): _room(d, queue, serving) for d in wanted}
        shares = allocate(_free(serving, wanted), _claimants(wanted, rooms))
        fresh = 0
        for demand in wanted:
            slots = min(shares.get(demand.job_id, 0), _usable(demand, rooms))
            if slots > 0:
                shares[demand.job_id] -= slots
                fresh += self._publish(queue, demand.kind, self._queue(demand, queue, slots))
        served = [(d.job_id, d.kind) for d in wanted if _slots(d, queue, serving)]
        return fresh + self._republish(queue, serving, served, now)

    def _queue(self, demand: Demand, queue: str, limit: int) -> Sequence[Hold]:
        return self._db.write(
            lambda s: queue_next(s, demand.job_id, queue, demand.kind, limit, now=self._db.now(s))
        )

    def _publish(self, queue: str, kind: ShardKind, holds: Sequence[Hold]) -> int:
        if not holds:
            return 0
        self._doorbell.ring(queue, holds, kind)
        _log.debug("published", queue=queue, kind=kind.value, shards=len(holds))
        return len(holds)

    def _republish(
        self,
        queue: str,
        serving: Sequence[Process],
        served: Sequence[tuple[str, ShardKind]],
        now: float,
    ) -> int:
        """Publish once more what nobody claimed in time, but never breed copies.

        Only as many as the queue lacks (a backlog is no loss), and no more than live workers
        have slots. What none of them would take is taken back instead.
        """
        since = now - self._republish_seconds
        expected = self._db.read(lambda s: queued(s, queue))
        lacking = min(expected - self._doorbell.depth(queue), sum(w.slots for w in serving))
        if lacking <= 0:
            return 0
        late = self._db.write(
            lambda s: overdue(s, queue, lacking, served=served, now=now, since=since)
        )
        if late:
            _log.info("published again", queue=queue, shards=sum(map(len, late.values())))
        return sum(self._publish(queue, kind, holds) for kind, holds in late.items())


def _free(serving: Sequence[Process], wanted: Sequence[Demand]) -> int:
    return _DEPTH * sum(w.slots for w in serving) - sum(d.outstanding for d in wanted)


_Rooms = Mapping[tuple[str, ShardKind], int]


def _slots(demand: Demand, queue: str, serving: Iterable[Process]) -> int:
    """Count the slots of the workers that can run what is demanded."""
    return sum(
        worker.slots
        for worker in serving
        if processes.takes(worker, queue, demand.kind, demand.profile)
    )


def _room(demand: Demand, queue: str, serving: Iterable[Process]) -> int:
    return _DEPTH * _slots(demand, queue, serving) - demand.outstanding


def _usable(demand: Demand, rooms: _Rooms) -> int:
    return max(0, min(demand.ready, rooms[demand.job_id, demand.kind]))


def _claimants(wanted: Iterable[Demand], rooms: _Rooms) -> list[Claimant]:
    """Give each job room only on the workers that can run it; all its kinds share its slots."""
    claimants = []
    for job_id, group in groupby(wanted, key=lambda demand: demand.job_id):
        demands_ = list(group)
        usable = sum(_usable(demand, rooms) for demand in demands_)
        outstanding = sum(demand.outstanding for demand in demands_)
        claimants.append(Claimant(job_id, demands_[0].priority, usable, outstanding, room=usable))
    return claimants
