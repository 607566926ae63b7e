"""Result rows from the columns of a part's table: the inverse of `store.part_columns`."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.items import ItemRef
from core.keys import text_to_key
from core.states import ItemState
from predictions.answer import ClassScore, Segment
from predictions.detections import Detections
from predictions.run_lengths import RunLengths
from store.results import ResultRow


def rows_of(table: pa.Table) -> Iterator[ResultRow]:
    """The rows that a table with all columns of the schema holds, one at a time.

    Of an item there is what rows hold: its place, its key, its size and its ETag. Columns that no
    detection of a row fills are None, and so are those of a row without detections.

    Raises:
        ValueError: No rows can be such.
    """
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    values: dict[str, Any] = {
        "detections": _lists(columns.pop("detections"), lambda all_: _Detected(all_).between),
        "classes": _structs(columns.pop("classes"), ClassScore),
        "segments": _structs(columns.pop("segments"), _segment),
    }
    values |= {name: column.to_pylist() for name, column in columns.items()}
    for row in zip(*values.values(), strict=True):
        fields = dict(zip(values, row, strict=True))
        item = ItemRef(fields.pop("index"), text_to_key(fields.pop("item")), **fields.pop("source"))
        yield ResultRow(item=item, state=ItemState(fields.pop("state")), **fields)


def _segment(box: list[int], **fields: Any) -> Segment:
    x1, y1, x2, y2 = box
    return Segment(box=(x1, y1, x2, y2), **fields)


def _structs(lists: pa.ListArray, make: Callable[..., Any]) -> Iterator[tuple[Any, ...] | None]:
    for found in lists.to_pylist():
        yield None if found is None else tuple(make(**one) for one in found)


def _lists(
    lists: pa.ListArray, reader: Callable[[Any], Callable[[int, int], Any]]
) -> Iterator[Any]:
    """What a reader of the values of lists reads of each list, None of a missing one."""
    read = reader(lists.values)
    valid = lists.is_valid().to_pylist()
    for ends, is_there in zip(pairwise(lists.offsets.to_pylist()), valid, strict=True):
        yield read(*ends) if is_there else None


class _Detected:
    """All detections of a table."""

    def __init__(self, structs: pa.StructArray) -> None:
        fields = {field.name: structs.field(field.name) for field in structs.type}
        self._class_ids = fields["class_id"].to_numpy(zero_copy_only=False)
        self._scores = fields["score"].to_numpy(zero_copy_only=False)
        self._names = fields["label"].to_pylist()
        self._boxes = _Floats(fields["box"])
        self._keypoints, self._polygons = _Points(fields["keypoints"]), _Points(fields["polygon"])
        self._masks, self._texts = fields["mask"].to_pylist(), fields["text"].to_pylist()
        self._track_ids = fields["track_id"].to_pylist()
        self._labels: dict[tuple[tuple[int, str], ...], tuple[str, ...]] = {}

    def between(self, start: int, stop: int) -> Detections:
        """Those from one place to another."""
        class_ids = self._class_ids[start:stop]
        tracks = _all_or_none(self._track_ids[start:stop])
        masks = _all_or_none(self._masks[start:stop])
        return Detections(
            self._boxes.between(start, stop).reshape(-1, 4),
            self._scores[start:stop],
            class_ids,
            self._table(class_ids, self._names[start:stop]),
            keypoints=self._keypoints.stacked(start, stop),
            masks=masks and tuple(RunLengths(tuple(one["size"]), one["counts"]) for one in masks),
            polygons=self._polygons.each(start, stop),
            texts=_all_or_none(self._texts[start:stop]),
            track_ids=None if tracks is None else np.array(tracks, np.int64),
        )

    def _table(self, class_ids: NDArray[np.int32], names: list[str]) -> tuple[str, ...]:
        """What these class ids are looked up in; classes that nothing is of have no name."""
        pairs = tuple(sorted(set(zip(class_ids.tolist(), names, strict=True))))
        if pairs not in self._labels:
            table = [""] * (pairs[-1][0] + 1 if pairs else 0)
            for class_id, name in pairs:
                table[class_id] = name
            self._labels[pairs] = tuple(table)
        return self._labels[pairs]


class _Floats:
    """Lists of floats."""

    def __init__(self, lists: pa.ListArray) -> None:
        self._ends = lists.offsets.to_numpy()
        self._values = lists.values.to_numpy(zero_copy_only=False)

    def between(self, start: int, stop: int) -> NDArray[np.float32]:
        """The values of the lists from one place to another, one list after the other."""
        values: NDArray[np.float32] = self._values[self._ends[start] : self._ends[stop]]
        return values


class _Points:
    """Lists of points, each of which is a list of floats."""

    def __init__(self, lists: pa.ListArray) -> None:
        self._ends = lists.offsets.to_numpy()
        self._points = _Floats(lists.values)
        self._valid = lists.is_valid().to_numpy(zero_copy_only=False)

    def stacked(self, start: int, stop: int) -> NDArray[np.float32] | None:
        """The points (N, K, 3) of N lists of equal length; None where there are none."""
        if not self._valid[start:stop].any():
            return None
        return self._points.between(self._ends[start], self._ends[stop]).reshape(
            stop - start, -1, 3
        )

    def each(self, start: int, stop: int) -> tuple[NDArray[np.float32], ...] | None:
        """The points (M, 2) of each list; None where there are none."""
        if not self._valid[start:stop].any():
            return None
        ends = self._ends[start : stop + 1].tolist()
        return tuple(self._points.between(*pair).reshape(-1, 2) for pair in pairwise(ends))


def _all_or_none(values: list[Any]) -> tuple[Any, ...] | None:
    """The values as they are, or None where all are missing."""
    return None if all(value is None for value in values) else tuple(values)
