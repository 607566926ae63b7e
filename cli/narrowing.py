"""Which rows and detections of a job's results are meant, and in which order."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from heapq import nlargest, nsmallest
from typing import Any

from annotations.rows import area_of
from cli.options import Written
from core.near import did_you_mean
from core.tasks import detections_of

Row = dict[str, Any]

SORTED_BY = ("item", "model", "state", "found", "score", "width", "height", "pts")
"""What rows can be sorted by; rows without it come last."""

OF_DETECTIONS = frozenset(
    ("label", "class_id", "score", "text", "track_id", "x1", "y1", "x2", "y2", "area")
)
"""The columns of a detection; the others are those of its item."""

_OF_ITEMS = frozenset(
    {
        *("item", "task", "model", "state", "width", "height", "frame", "pts", "job"),
        *("mask", "cutout", "annotated", "source", "reason", "warning"),
        *("detections", "classes", "segments"),
    }
)
_WILD = frozenset("*?[")


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in OF_DETECTIONS | _OF_ITEMS:
            known = sorted(OF_DETECTIONS | _OF_ITEMS)
            near = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise ValueError(f"there is no column {name!r}: {near}")
    return names


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error


COLUMNS = Written("columns", _columns)
REGEX = Written("regex", _regex)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are meant: names or patterns of items, states, models, and times in a video."""

    items: Collection[str]
    states: Collection[str]
    models: Collection[str]
    start: float | None
    stop: float | None

    def keeps(self, row: Row) -> bool:
        """Return whether a row is meant."""
        return (
            (not self.items or any(_is_like(row["item"], pattern) for pattern in self.items))
            and (not self.states or row["state"] in self.states)
            and (not self.models or row["model"] in self.models)
            and self._is_within(row["pts"])
        )

    def _is_within(self, pts: float | None) -> bool:
        if self.start is None and self.stop is None:
            return True
        if pts is None:
            return False
        return (self.start or 0.0) <= pts and (self.stop is None or pts < self.stop)


def is_pattern(item: str) -> bool:
    """Return whether a name of an item may stand for several."""
    return not _WILD.isdisjoint(item)


def _is_like(item: str, pattern: str) -> bool:
    # A name that looks like a pattern is still a name.
    return bool(item == pattern or fnmatchcase(item, pattern))


def narrowing(
    *,
    labels: Collection[str],
    min_score: float | None,
    min_area: float | None,
    text: re.Pattern[str] | None,
    tracks: Collection[int],
) -> Callable[[Row], Row | None]:
    """Return a function that keeps the wanted detections of a row, or gives None if it has none."""
    if not labels and not tracks and min_score is None and min_area is None and text is None:
        return lambda row: row

    def wanted(found: Mapping[str, Any]) -> bool:
        return (
            (not labels or found["label"] in labels)
            and found["score"] >= (min_score or 0.0)
            and (min_area is None or (area_of(found) or 0.0) >= min_area)
            and (text is None or text.search(found.get("text") or "") is not None)
            and (not tracks or found.get("track_id") in tracks)
        )

    def narrow(row: Row) -> Row | None:
        found = [one for one in detections_of(row) if wanted(one)]
        kind = "detections" if row["detections"] else "classes"
        return {**row, kind: found} if found else None

    return narrow


def in_order(rows: Iterable[Row], order: str, most: int | None) -> Iterator[Row]:
    """Yield rows in the order of one of `SORTED_BY`, or in its reverse with a minus in front.

    Of more than `most` rows, only the first are kept.
    """
    is_reverse = order.startswith("-")
    key = partial(_key, order.removeprefix("-"), is_reverse)
    if most is None:
        return iter(sorted(rows, key=key, reverse=is_reverse))
    return iter((nlargest if is_reverse else nsmallest)(most, rows, key=key))


def _key(name: str, is_reverse: bool, row: Row) -> tuple[bool, Any]:
    found = detections_of(row)
    value: Any
    if name == "found":
        value = len(found)
    elif name == "score":
        value = max((one["score"] for one in found), default=None)
    else:
        value = row[name]
    return ((value is None) != is_reverse, 0 if value is None else value)
