"""What a job's result rows add up to, in constant memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from core.states import ItemState
from core.tasks import detections_of
from store.tables import Shard

T = TypeVar("T")


class EvenSample(Generic[T]):
    """At most `limit` things of a stream of unknown length, evenly spread over it.

    Every stride-th thing is kept; whenever twice the limit is reached, the stride doubles and every
    other thing is dropped. No randomness: the same stream gives the same sample.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stride = 1
        self._seen = 0
        self._kept: list[T] = []

    def add(self, thing: T) -> None:
        """Take in the stream's next thing."""
        if self._seen % self._stride == 0:
            self._kept.append(thing)
            if len(self._kept) >= 2 * self._limit:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1

    def pick(self, count: int) -> list[T]:
        """Return `count` of the kept things (at most the limit), in the order of the stream."""
        count = min(count, self._limit, len(self._kept))
        return [self._kept[place * len(self._kept) // count] for place in range(count)]


BINS = 48


@dataclass(frozen=True, slots=True)
class Throughput:
    """`rates` are items a second in equal slices of the time, from `begin` on, `seconds` long."""

    begin: float
    seconds: float
    rates: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The items a second over all of the time."""
        return sum(self.rates) / len(self.rates)


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


GALLERY = 48
QUARANTINED_SHOWN = 100
SCORE_BINS = 20
_LABELS_PER_PICTURE = 40


@dataclass(frozen=True, slots=True)
class Picture:
    """One row that has a picture: `best` is the highest score by label, surest first."""

    order: int
    item: str
    model: str
    annotated: str
    detections: int
    best: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """A quarantined item and why."""

    item: str
    model: str
    reason: str


@dataclass
class Statistics:
    """Counts of detections and quarantined items; `scores` has equal bins from 0 to 1."""

    rows: int = 0
    detections: Counter[str] = field(default_factory=Counter)
    items_with: Counter[str] = field(default_factory=Counter)
    class_ids: dict[str, int] = field(default_factory=dict)
    items_without_any: int = 0
    scores: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    reasons: Counter[str] = field(default_factory=Counter)
    setbacks: list[QuarantinedItem] = field(default_factory=list)
    _found: EvenSample[Picture] = field(default_factory=lambda: EvenSample(GALLERY))
    _empty: EvenSample[Picture] = field(default_factory=lambda: EvenSample(GALLERY))

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one result row, as `store.parts.iter_rows` yields it."""
        self.rows += 1
        if row["state"] == ItemState.QUARANTINED:
            self._set_back(row)
        elif row["state"] == ItemState.SUCCEEDED:
            self._count(row)

    def gallery(self) -> list[Picture]:
        """Return pictures from all over the job, preferring those with detections."""
        found = self._found.pick(GALLERY)
        empty = self._empty.pick(GALLERY - len(found))
        return sorted([*found, *empty], key=lambda picture: picture.order)

    def _set_back(self, row: Mapping[str, Any]) -> None:
        reason = row["reason"] or "no reason given"
        self.reasons[reason.partition(":")[0]] += 1
        if len(self.setbacks) < QUARANTINED_SHOWN:
            self.setbacks.append(QuarantinedItem(row["item"], row["model"], reason))

    def _count(self, row: Mapping[str, Any]) -> None:
        found = detections_of(row)
        best: dict[str, float] = {}
        for one in found:
            label, score = one["label"], one["score"]
            self.detections[label] += 1
            self.class_ids.setdefault(label, one["class_id"])
            self.scores[min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))] += 1
            best[label] = max(score, best.get(label, score))
        self.items_with.update(best.keys())  # a mapping would add its values
        self.items_without_any += not found
        if row["annotated"]:
            surest = sorted(best.items(), key=lambda entry: -entry[1])[:_LABELS_PER_PICTURE]
            picture = Picture(
                self.rows, row["item"], row["model"], row["annotated"], len(found), dict(surest)
            )
            (self._found if found else self._empty).add(picture)


def read_statistics(rows: Iterable[Mapping[str, Any]]) -> Statistics:
    """Add up a stream of result rows."""
    statistics = Statistics()
    for row in rows:
        statistics.add(row)
    return statistics
