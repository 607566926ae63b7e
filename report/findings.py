"""What one model found in a job's items, in constant memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.tasks import Task

SCORE_BINS = 20
TEXTS_KEPT = 5


@dataclass
class Findings:
    """Counts of what one model found.

    `things` are detections, lines of text or given classes, by label; in a segmentation, which has
    no countable things, the rows in which a class occurs. `items` are those with a result; an item
    with several rows (the frames of a film) is one. `scores` has equal bins from 0 to 1, of shares
    of the picture if the task has those. `texts` are the first lines that were read.
    """

    model: str
    task: Task
    rows: int = 0
    items: int = 0
    items_without_any: int = 0
    things: Counter[str] = field(default_factory=Counter)
    items_with: Counter[str] = field(default_factory=Counter)
    class_ids: dict[str, int] = field(default_factory=dict)
    scores: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    words: int = 0
    texts: list[str] = field(default_factory=list)
    _sums: Counter[str] = field(default_factory=Counter)
    _item: str | None = None
    _labels: set[str] = field(default_factory=set)  # of the item so far

    def add(self, row: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> None:
        """Count a row that succeeded, and what it found; the rows of an item follow each other."""
        self.rows += 1
        if row["item"] != self._item:
            self._item, self._labels = row["item"], set()
            self.items += 1
            self.items_without_any += 1
        if found and not self._labels:
            self.items_without_any -= 1
        for one in found:
            self._count(one)

    def mean(self, label: str) -> float:
        """Return the mean score, or share, of the things of this label; there is at least one."""
        return self._sums[label] / self.things[label]

    def _count(self, one: Mapping[str, Any]) -> None:
        label, score = one["label"], one["score"]
        self.things[label] += 1
        self._sums[label] += score
        self.class_ids.setdefault(label, one["class_id"])
        self.scores[min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))] += 1
        if label not in self._labels:
            self._labels.add(label)
            self.items_with[label] += 1
        if (text := one.get("text")) is not None:
            self.words += len(text.split())
            if len(self.texts) < TEXTS_KEPT:
                self.texts.append(text)


def found_in(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return what counts as found in a row: its classes, if it was given some, else detections.

    The detections of a segmentation are the outlines of its classes.
    """
    return row["classes"] or row["detections"] or ()
