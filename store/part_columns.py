"""Turns result rows into the columns of a part's table."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from core.escape import storable
from core.keys import key_to_text
from predictions.detections import Detections
from predictions.run_lengths import RunLengths
from store.part_schema import BOX, CLASS, DETECTION, MASK, POINTS, SCHEMA, SEGMENT, WARNING
from store.results import ResultRow


def table_of(rows: Sequence[ResultRow]) -> pa.Table:
    """Return the table that a part holds of some rows."""
    columns: dict[str, Any] = {
        "index": [row.item.index for row in rows],
        "item": [key_to_text(row.item.key) for row in rows],
        "source": [{"etag": row.item.etag, "size": row.item.size} for row in rows],
        "detections": _detections([row.detections for row in rows]),
        "classes": _structs([row.classes for row in rows], CLASS),
        "segments": _structs([row.segments for row in rows], SEGMENT),
        "reason": [None if row.reason is None else storable(row.reason) for row in rows],
        WARNING: [None if row.warning is None else storable(row.warning) for row in rows],
    }
    for field in SCHEMA:
        if field.name not in columns:
            columns[field.name] = [getattr(row, field.name) for row in rows]
    return pa.table(
        [
            column if isinstance(column, pa.Array) else pa.array(column, field.type)
            for field in SCHEMA
            for column in [columns[field.name]]
        ],
        schema=SCHEMA,
    )


def _detections(boxes: Sequence[Detections | None]) -> pa.Array:
    present = [columns for columns in boxes if columns is not None]
    # The label tables of all rows, one after another; usually there is only one.
    starts: dict[tuple[str, ...], int] = {}
    labels: list[str] = []
    firsts = []
    for columns in present:
        names = columns.labels or ()
        if columns.labels is None and len(columns):
            raise ValueError("detections without labels are no result")
        if names not in starts:
            starts[names] = len(labels)
            labels.extend(names)
        firsts.append(columns.class_ids + starts[names])
    places = _concat(firsts, "int64")
    xyxy = _concat([columns.xyxy.reshape(-1) for columns in present], "float32")
    count = len(places)
    fields = {field.name: pa.nulls(count, field.type) for field in DETECTION}
    fields["label"] = pa.array(labels, pa.string()).take(pa.array(places))
    fields["class_id"] = pa.array(_concat([columns.class_ids for columns in present], "int32"))
    fields["score"] = pa.array(_concat([columns.scores for columns in present], "float32"))
    corners = pa.array(np.arange(0, 4 * count + 1, 4, dtype=np.int32))
    fields["box"] = pa.ListArray.from_arrays(corners, pa.array(xyxy), type=BOX)
    fields["keypoints"] = _keypoints(present)
    fields["mask"] = pa.array(_values(present, "masks", _run_lengths), MASK)
    fields["polygon"] = pa.array(_values(present, "polygons", _points), POINTS)
    fields["text"] = pa.array(_values(present, "texts", storable), pa.string())
    fields["track_id"] = pa.array(_values(present, "track_ids", int), pa.int64())
    values = pa.StructArray.from_arrays(list(fields.values()), fields=list(DETECTION))
    return _lists([None if columns is None else len(columns.scores) for columns in boxes], values)


def _keypoints(present: Sequence[Detections]) -> pa.Array:
    found = [columns.keypoints for columns in present]
    numbers = _concat([of.reshape(-1) for of in found if of is not None], "float32")
    triples = pa.array(np.arange(0, len(numbers) + 1, 3, dtype=np.int32))
    lengths: list[int | None] = []
    for columns in present:
        points = columns.keypoints
        lengths += [None if points is None else points.shape[1]] * len(columns.scores)
    return _lists(lengths, pa.ListArray.from_arrays(triples, pa.array(numbers), type=BOX))


def _values(present: Sequence[Detections], name: str, plain: Callable[[Any], Any]) -> list[Any]:
    """Return one value for each detection, None if its model gives none."""
    values: list[Any] = []
    for columns in present:
        column = getattr(columns, name)
        values += [None] * len(columns.scores) if column is None else map(plain, column)
    return values


def _run_lengths(mask: RunLengths) -> dict[str, Any]:
    return {"size": mask.size, "counts": mask.counts}


def _points(polygon: Any) -> list[list[float]]:
    return list(np.asarray(polygon, np.float32).tolist())


def _structs(rows: Sequence[Sequence[Any] | None], kind: pa.StructType) -> pa.Array:
    """Return each row's objects as structs of this type, field by attribute."""
    found = [one for row in rows for one in row or ()]
    values = pa.StructArray.from_arrays(
        [pa.array([getattr(one, field.name) for one in found], field.type) for field in kind],
        fields=list(kind),
    )
    return _lists([None if row is None else len(row) for row in rows], values)


def _lists(lengths: Sequence[int | None], values: pa.Array) -> pa.Array:
    """Return the values as lists of these lengths; None is a missing list."""
    offsets = np.cumsum([0, *(length or 0 for length in lengths)], dtype=np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets),
        values,
        type=pa.list_(pa.field("element", values.type)),
        mask=pa.array([length is None for length in lengths], pa.bool_()),
    )


def _concat(arrays: Sequence[Any], dtype: str) -> Any:
    return np.concatenate([np.empty(0, dtype), *arrays], dtype=dtype, casting="unsafe")
