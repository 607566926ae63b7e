from typing import Generic, TypeVar

T = TypeVar("T")


class EvenSample(Generic[T]):
    """At most `limit` things of a stream of unknown length, evenly spread over all of it.

    Every stride-th thing is kept; the stride doubles, and every other thing is let go, whenever
    twice the limit is reached. No randomness: the same stream gives the same sample.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stride = 1
        self._seen = 0
        self._kept: list[T] = []

    def add(self, thing: T) -> None:
        """Look at the stream's next thing."""
        if self._seen % self._stride == 0:
            self._kept.append(thing)
            if len(self._kept) >= 2 * self._limit:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1

    def pick(self, count: int) -> list[T]:
        """`count` of what was kept (up to the limit), in the order of the stream."""
        count = min(count, self._limit, len(self._kept))
        return [self._kept[place * len(self._kept) // count] for place in range(count)]
