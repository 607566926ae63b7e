"""Gathers prepared items of one model and one shape into batches, across shards."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from worker.run import Ticket

_LONGEST_WAIT = 0.25


class Batcher:
    """A bounded pool of tickets from which predictor threads take batches.

    A batch is as large as its model wants it whenever that many are there. A smaller one is
    given out only if nothing more is on its way here, if the pool is full, or if its first
    ticket has waited too long: padding a batch costs as much as filling it. Who has waited too
    long goes first, so that no flood of one model or shape starves another.

    The pool holds `capacity` tickets, or two batches of the largest model it has seen.
    `upstream` says how many tickets may still come, `clock` the time in seconds.
    """

    def __init__(
        self,
        capacity: int,
        upstream: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._upstream = upstream
        self._clock = clock
        self._groups: OrderedDict[Hashable, deque[tuple[float, Ticket]]] = OrderedDict()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, ticket: Ticket) -> None:
        """Add a ticket; waits while the pool is full."""
        assert ticket.prepared is not None
        key = (ticket.model.key, ticket.prepared.image.shape)
        with self._changed:
            self._capacity = max(self._capacity, 2 * ticket.model.batch_size)
            while self._waiting >= self._capacity and not self._closed:
                self._changed.wait()
            self._groups.setdefault(key, deque()).append((self._clock(), ticket))
            self._waiting += 1
            self._changed.notify_all()

    def take(self) -> list[Ticket] | None:
        """Wait for a batch and take it; None once the pool is closed and empty."""
        with self._changed:
            while True:
                key = self._ready()
                if key is not None:
                    return self._pop(key)
                if self._closed and not self._waiting:
                    return None
                self._changed.wait(timeout=0.02 if self._waiting else 0.5)

    def close(self) -> None:
        """Give out what is left, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _ready(self) -> Hashable | None:
        if not self._waiting:
            return None
        oldest = min(self._groups, key=lambda key: self._groups[key][0][0])
        if self._clock() - self._groups[oldest][0][0] > _LONGEST_WAIT:
            return oldest
        for key, group in self._groups.items():
            if len(group) >= group[0][1].model.batch_size:
                return key
        final = self._closed or self._waiting >= self._capacity or self._upstream() == 0
        return oldest if final else None

    def _pop(self, key: Hashable) -> list[Ticket]:
        group = self._groups[key]
        size = min(len(group), group[0][1].model.batch_size)
        batch = [group.popleft()[1] for _ in range(size)]
        if not group:
            del self._groups[key]
        self._waiting -= size
        self._changed.notify_all()
        return batch
