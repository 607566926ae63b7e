"""The dispatcher: keeps each queue shallow and shares its slots between jobs.

Pausing, cancelling and re-prioritising a job work at once because only a few messages per worker
are ever out. The database is the truth and the queue a doorbell: a shard is queued and committed
first and published afterwards; a message that gets lost is published again.
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
from store.queueing import Demand, demands, overdue, queue_next, queued, take_back
from store.tables import Process


@dataclass(frozen=True, slots=True)
class Claimant:
    """A job with `ready` shards, of which it may have at most `room` more outstanding.

    Of its outstanding shards, `queued` have not begun.
    """

    job_id: str
    priority: int
    ready: int
    outstanding: int
    room: int
    queued: int = 0


def allocate(free: int, claimants: Sequence[Claimant]) -> dict[str, int]:
    """Share `free` slots so that outstanding shards are in proportion to 2^priority.

    Each slot goes to the job that has the least for its weight, so that every job gets one before
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


def to_take_back(claimants: Sequence[Claimant], given: Mapping[str, int]) -> dict[str, int]:
    """Return how many queued shards of jobs make way for jobs that have nothing outstanding.

    `given` are the slots that jobs get now. Without this, a job that comes late would wait for a
    slot first, and then behind all that is queued. A job only gives up what it has beyond what the
    other would have for its weight; what runs goes on.
    """
    load = {c.job_id: c.outstanding + given.get(c.job_id, 0) for c in claimants}
    taken = dict.fromkeys(load, 0)
    waiting = [c for c in claimants if not load[c.job_id] and min(c.ready, c.room) > 0]
    for poor in sorted(waiting, key=lambda c: -c.priority):
        rich = [
            c
            for c in claimants
            if taken[c.job_id] < c.queued
            and (load[c.job_id] - 1) / 2.0**c.priority >= 1 / 2.0**poor.priority
        ]
        if rich:
            richest = max(rich, key=lambda c: load[c.job_id] / 2.0**c.priority)
            load[richest.job_id] -= 1
            taken[richest.job_id] += 1
    return {job_id: number for job_id, number in taken.items() if number}


_DEPTH = 2  # outstanding shards per slot: one running, one waiting in the queue

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
        """Publish as many messages as there is room for; return their number."""
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
        claimants = _claimants(wanted, rooms)
        shares = allocate(_free(serving, wanted), claimants)
        for job_id, number in to_take_back(claimants, shares).items():
            self._take_back(job_id, queue, number)  # the next turn gives their slots away
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

    def _take_back(self, job_id: str, queue: str, number: int) -> None:
        taken = self._db.write(lambda s: take_back(s, job_id, queue, number, now=self._db.now(s)))
        _log.debug("taken back for others", queue=queue, job=job_id, shards=taken)

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
        """Publish again what nobody claimed in time, but never pile up copies.

        Only as many as the queue lacks (a backlog is not a loss), and no more than live workers
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
    """Give each job room only on the workers that can run it; its kinds share their slots."""
    claimants = []
    for job_id, group in groupby(wanted, key=lambda demand: demand.job_id):
        demands_ = list(group)
        usable = sum(_usable(demand, rooms) for demand in demands_)
        outstanding = sum(demand.outstanding for demand in demands_)
        queued = sum(demand.queued for demand in demands_)
        claimants.append(
            Claimant(job_id, demands_[0].priority, usable, outstanding, usable, queued)
        )
    return claimants
