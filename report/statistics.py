"""What a job's result rows add up to, in constant memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.options import ModelRef
from core.states import ItemState
from core.tasks import task_of
from report.findings import Findings, found_in

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


GALLERY = 48
QUARANTINED_SHOWN = 100
WARNED_SHOWN = 100
_LABELS_PER_PICTURE = 40
_TEXT_PER_PICTURE = 2_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One row that has a picture: `best` is the highest score by label, surest first.

    `lines` are those that were read in it, as far as `_TEXT_PER_PICTURE` characters go.
    """

    order: int
    item: str
    model: str
    annotated: str
    found: int
    best: Mapping[str, float]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setback:
    """An item in quarantine and why, under one model or several."""

    item: str
    models: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Warned:
    """An item with a result although something is odd about its file."""

    item: str
    warning: str


class Statistics:
    """Counts of a job's items, rows and pictures, and the findings of each of its models.

    `items` are those that have rows, `items_with_any` those of them in which any model found
    anything; `quarantined`, `reasons` and `warned` count items as well, under how many models they
    failed or were read. `warnings` has the first of the latter.
    """

    def __init__(self, models: Iterable[tuple[str, str]]) -> None:
        """Begin to count for these models: their names and tasks."""
        self.models = {name: Findings(name, task_of(task)) for name, task in models}
        self.rows = 0
        self.items = 0
        self.items_with_any = 0
        self.quarantined = 0
        self.reasons: Counter[str] = Counter()
        self.setbacks: list[Setback] = []
        self.setbacks_unshown = 0
        self.warned = 0
        self.warnings: list[Warned] = []
        self._found: EvenSample[Picture] = EvenSample(GALLERY)
        self._empty: EvenSample[Picture] = EvenSample(GALLERY)
        self._item: str | None = None
        self._has_any = False  # the item so far
        self._failed: dict[str, None] = {}  # the reasons of the item so far
        self._is_warned = False  # the item so far

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one result row, as `store.parts.iter_rows` yields it, in the order of the parts."""
        self.rows += 1
        if row["item"] != self._item:
            self._item, self._has_any, self._failed = row["item"], False, {}
            self._is_warned = False
            self.items += 1
        if (warning := row.get("warning")) and not self._is_warned:
            self._is_warned = True
            self._warn(row["item"], warning)
        if row["state"] == ItemState.QUARANTINED:
            self._set_back(row)
        elif row["state"] == ItemState.SUCCEEDED:
            self._count(row)

    def gallery(self) -> list[Picture]:
        """Return pictures from all over the job, preferring those in which something was found."""
        found = self._found.pick(GALLERY)
        empty = self._empty.pick(GALLERY - len(found))
        return sorted([*found, *empty], key=lambda picture: picture.order)

    def _set_back(self, row: Mapping[str, Any]) -> None:
        reason = row["reason"] or "no reason given"
        code = reason.partition(":")[0]
        self.quarantined += not self._failed
        self.reasons[code] += all(code != other.partition(":")[0] for other in self._failed)
        is_new = reason not in self._failed
        self._failed[reason] = None
        last = self.setbacks[-1] if self.setbacks else None
        if is_new and len(self.setbacks) >= QUARANTINED_SHOWN:
            self.setbacks_unshown += 1
        elif is_new:
            self.setbacks.append(Setback(row["item"], (row["model"],), reason))
        elif last and (last.item, last.reason) == (row["item"], reason):
            models = tuple(dict.fromkeys((*last.models, row["model"])))
            self.setbacks[-1] = Setback(row["item"], models, reason)

    def _warn(self, item: str, warning: str) -> None:
        self.warned += 1
        if len(self.warnings) < WARNED_SHOWN:
            self.warnings.append(Warned(item, warning))

    def _count(self, row: Mapping[str, Any]) -> None:
        findings = self.models.setdefault(
            row["model"], Findings(row["model"], task_of(row["task"]))
        )
        found = found_in(row)
        findings.add(row, found)
        if found and not self._has_any:
            self._has_any = True
            self.items_with_any += 1
        if row["annotated"]:
            (self._found if found else self._empty).add(self._picture(row, found))

    def _picture(self, row: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Picture:
        best: dict[str, float] = {}
        for one in found:
            best[one["label"]] = max(one["score"], best.get(one["label"], 0.0))
        surest = sorted(best.items(), key=lambda entry: -entry[1])[:_LABELS_PER_PICTURE]
        lines: list[str] = []
        room = _TEXT_PER_PICTURE
        for text in filter(None, (one.get("text") for one in found)):
            lines.append(text[:room])
            room -= len(lines[-1])
            if room <= 0:
                break
        return Picture(
            *(self.rows, row["item"], row["model"], row["annotated"]),
            *(len(found), dict(surest), tuple(lines)),
        )


def read_statistics(rows: Iterable[Mapping[str, Any]], model: ModelRef) -> Statistics:
    """Add up a stream of result rows of a job with this model, or these models."""
    statistics = Statistics((member.name, member.task) for member in model.members)
    for row in rows:
        statistics.add(row)
    return statistics
