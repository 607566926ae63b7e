"""When a job's items were done, and how long each stage was busy with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from store.tables import Shard

BINS = 48
STAGES = ("fetch", "decode", "predict", "finish", "upload")
"""In the order in which an item passes them."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """`rates` are items a second in equal slices of the time from `begin`, `seconds` long."""

    begin: float
    seconds: float
    rates: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Items a second over all of the time."""
        return sum(self.rates) / len(self.rates)


def throughput(shards: Sequence[Shard]) -> Throughput | None:
    """The speed over time; None before the first shard has ended.

    Items of a shard count as spread evenly over its last run.
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


def busy_seconds(shards: Sequence[Shard]) -> dict[str, float]:
    """How many seconds each stage worked, all threads together, in the pipeline's order."""
    seconds: Counter[str] = Counter()
    for shard in shards:
        for stage in STAGES:
            seconds[stage] += (shard.timings or {}).get(stage, 0.0)
    return {stage: round(seconds[stage], 3) for stage in STAGES if seconds[stage]}
