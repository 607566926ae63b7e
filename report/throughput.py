"""A job's speed over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from store.tables import Shard

BINS = 48


@dataclass(frozen=True, slots=True)
class Throughput:
    """`rates` are items a second in equal slices of the time, from `begin` on, `seconds` long."""

    begin: float
    seconds: float
    rates: tuple[float, ...]


def throughput(shards: Sequence[Shard]) -> Throughput | None:
    """Return the speed over time; None before the first shard has ended.

    A shard's items count as spread evenly over its last run.
    """
    runs = [
        (shard.started_at, shard.finished_at, shard.succeeded + shard.skipped + shard.quarantined)
        for shard in shards
        if shard.started_at is not None
        and shard.finished_at is not None
        and shard.finished_at > shard.started_at
    ]
    if not runs:
        return None
    begin = min(start for start, _, _ in runs)
    seconds = max(end for _, end, _ in runs) - begin
    width = seconds / BINS
    items = [0.0] * BINS
    for start, end, count in runs:
        first, last = ((moment - begin) / width for moment in (start, end))
        for place in range(int(first), min(BINS, int(last) + 1)):
            inside = max(0.0, min(last, place + 1) - max(first, place))
            items[place] += count * inside / (last - first)
    return Throughput(begin, seconds, tuple(number / width for number in items))
