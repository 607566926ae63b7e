"""Gathers asks for the same network and shape into batches, across pictures and shards."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence

from worker.pipeline.inquiry import PendingAsk

_LONGEST_WAIT = 0.25


class Batcher:
    """A bounded pool of asks from which predictor threads take batches.

    A batch has the size that its network wants as soon as that many asks are there. A smaller one
    is given out only if nothing more is on its way, if the pool is full, or if its first ask has
    waited too long: padding a batch costs as much as filling it. Asks that have waited too long go
    first, so that a flood for one network or shape doesn't starve the others.

    The pool holds `capacity` asks and `most_bytes` of inputs, or two of the largest batches that it
    has seen, whatever they take. `upstream` returns how many pictures may still come, `clock` the
    time in seconds.
    """

    def __init__(
        self,
        capacity: int,
        most_bytes: int,
        upstream: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._most_bytes = most_bytes
        self._bytes = 0
        self._two_batches = 0
        self._upstream = upstream
        self._clock = clock
        self._groups: OrderedDict[Hashable, deque[tuple[float, PendingAsk]]] = OrderedDict()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, asks: Sequence[PendingAsk]) -> None:
        """Add a picture's first asks, waiting while the pool is full."""
        with self._changed:
            largest = max(ask.network.batch_size for ask in asks)
            self._two_batches = max(self._two_batches, 2 * largest)
            while self._is_full() and not self._closed:
                self._changed.wait()
            self._add(asks)

    def put_more(self, asks: Sequence[PendingAsk]) -> None:
        """Add a picture's further asks without waiting.

        A thread that finishes a picture must never wait for room, since the pool may be full of
        pictures that wait for the same threads. No new picture gets in while it is over-full.
        """
        with self._changed:
            self._add(asks)

    def take(self) -> list[PendingAsk] | None:
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

    def _add(self, asks: Sequence[PendingAsk]) -> None:
        now = self._clock()
        for ask in asks:
            key = (ask.network.key, ask.prepared.image.shape)
            self._groups.setdefault(key, deque()).append((now, ask))
        self._waiting += len(asks)
        self._bytes += sum(ask.prepared.image.nbytes for ask in asks)
        self._changed.notify_all()

    def _is_full(self) -> bool:
        if self._waiting < self._two_batches:
            return False
        return self._waiting >= self._capacity or self._bytes >= self._most_bytes

    def _ready(self) -> Hashable | None:
        if not self._waiting:
            return None
        oldest = min(self._groups, key=lambda key: self._groups[key][0][0])
        if self._clock() - self._groups[oldest][0][0] > _LONGEST_WAIT:
            return oldest
        for key, group in self._groups.items():
            if len(group) >= group[0][1].network.batch_size:
                return key
        final = self._closed or self._is_full() or self._upstream() == 0
        return oldest if final else None

    def _pop(self, key: Hashable) -> list[PendingAsk]:
        group = self._groups[key]
        size = min(len(group), group[0][1].network.batch_size)
        batch = [group.popleft()[1] for _ in range(size)]
        if not group:
            del self._groups[key]
        self._waiting -= size
        self._bytes -= sum(ask.prepared.image.nbytes for ask in batch)
        self._changed.notify_all()
        return batch
